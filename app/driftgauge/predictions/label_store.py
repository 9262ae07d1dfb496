"""Ground truth in the database of the prediction log: stored, joined with its predictions, and read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Engine, and_, delete, func, insert, select, update

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.performance.outcomes import STRETCHES, OutcomeSums
from driftgauge.predictions.database import reading, writing
from driftgauge.predictions.generations import is_replaced
from driftgauge.predictions.ids import is_sampled
from driftgauge.predictions.labels import (
    LABEL,
    Fate,
    FoundPrediction,
    GivenLabel,
    Join,
    KnownLabel,
    LabelTally,
    Translation,
)
from driftgauge.predictions.rows import MICROSECONDS, ClassLabel, LoggedModel
from driftgauge.predictions.schema import label_arrivals, labels, predictions, versions

MOST_WAITING: Final = 100_000
"""Labels of a model that wait for their predictions; more are orphans at once."""
SETTLED_ROWS: Final = 5_000
"""Labels that a transaction joins, or gives up, at most."""
_KEYS: Final = 500
"""Ids in one query; SQLite takes a bounded number of parameters."""
_ADVISORY_LOCK: Final = 0x6C61_6265
"""Has processes that share a PostgreSQL database store labels one after the other, so that each is counted once."""
_COLUMNS: Final = ("model", "outcome", "id", "value", "version", "observed", "received", "time", "seq")
_Place = tuple[str, bytes]
"""Outcome and key of a label."""
_CHANGED: Final = ("value", "version", "observed", "received", "time", "seq")


@dataclass(frozen=True)
class LabelFacts:
    """What is known of the labels of a model."""

    waiting: int
    """Labels whose predictions are not logged yet."""
    last_received: float | None
    """When the newest arrived, seconds since 1970; None before the first."""


@dataclass(frozen=True)
class LabelRows:
    """Labels of predictions, in the order of the log."""

    seq: IntArray
    """Number of the prediction in the log, shape [n]."""
    value: FloatArray
    """Index of the true class among those of `version`, or a number."""
    version: IntArray
    time: IntArray
    """Time of the prediction, microseconds since 1970."""
    observed: IntArray
    """When the label became known, microseconds since 1970."""

    def __len__(self) -> int:
        return len(self.seq)


class LabelStore:
    """The labels and outcomes of one model, beside its predictions."""

    def __init__(self, engine: Engine, version: int, sample_ratio: float = 1.0) -> None:
        """Use a migrated database; `version` is the number of the model version whose classes clients name."""
        self._engine = engine
        self._version = version
        self._sample_ratio = sample_ratio
        self._known_classes: dict[int, tuple[ClassLabel, ...]] = {}
        with reading(engine) as connection:
            self.model: Final[int] = connection.execute(
                select(versions.c.model).where(versions.c.version == version)
            ).scalar_one()

    @property
    def is_replaced(self) -> bool:
        """Whether the log goes on in another file."""
        return is_replaced(self._engine)

    # ------------------------------------------------------------ writing

    def add(self, given: Sequence[GivenLabel], now: float) -> LabelTally:
        """Store labels at `now`, seconds since 1970, in one transaction; say what became of each."""
        tally = LabelTally()
        if not given:
            return tally
        at = _micro(now)
        keys = list(dict.fromkeys(label.key for label in given))
        with writing(self._engine) as connection:
            _lock(connection)
            outcomes = {label.outcome for label in given}
            known, found = self._known(connection, keys, outcomes), self._found(connection, keys)
            join = Join(self._version, at, self._translation(connection, known, found))
            room = MOST_WAITING - self._waiting(connection) if len(found) < len(keys) else 0
            self._write(connection, self._joined(given, join, known, found, room, tally))
            _note_arrival(connection, self.model, at)
        return tally

    def _joined(
        self,
        given: Sequence[GivenLabel],
        join: Join,
        known: dict[_Place, KnownLabel],
        found: Mapping[bytes, FoundPrediction],
        room: int,
        tally: LabelTally,
    ) -> dict[_Place, KnownLabel]:
        """Count what becomes of each label, and return what changes; `room` is that for labels that wait."""
        changed: dict[_Place, KnownLabel] = {}
        for label in given:
            place = (label.outcome, label.key)
            prediction = found.get(label.key)
            sampled = prediction is not None or is_sampled(label.key, self._sample_ratio)
            fate, stored = join.fate(label, known.get(place), prediction, is_sampled=sampled)
            if fate is Fate.WAITING:
                fate, stored = (Fate.WAITING, stored) if room > 0 else (Fate.ORPHAN, None)
                room -= 1
            if stored is not None:
                known[place] = changed[place] = stored
            tally.count(fate, label.outcome, _lag(stored) if fate is Fate.MATCHED else None)
        return changed

    def settle(self, now: float, wait_seconds: float) -> LabelTally:
        """Join labels with predictions that came after them; give up those that waited too long.

        A call handles a bounded number; it says what became of them.
        """
        tally = LabelTally()
        with reading(self._engine) as connection:
            if connection.execute(select(labels.c.id).where(self._waits).limit(1)).first() is None:
                return tally
            ready = connection.execute(self._ready).first() is not None
            late = self._waits & (labels.c.received < round((now - wait_seconds) * MICROSECONDS))
            if not ready and connection.execute(select(labels.c.id).where(late).limit(1)).first() is None:
                return tally
        with writing(self._engine) as connection:
            _lock(connection)
            self._join_ready(connection, tally, _micro(now))
            gone = connection.execute(select(labels.c.outcome, labels.c.id).where(late).limit(SETTLED_ROWS)).all()
            self._delete(connection, gone)
        for outcome, _ in gone:
            tally.count(Fate.ORPHAN, outcome)
        return tally

    def forget(self) -> int:
        """Delete labels of predictions that the log no longer holds, a bounded number; return how many."""
        oldest = select(func.min(predictions.c.time)).where(predictions.c.model == self.model).scalar_subquery()
        old = and_(labels.c.model == self.model, labels.c.time < oldest)
        query = select(labels.c.outcome, labels.c.id).where(old).limit(SETTLED_ROWS)
        with reading(self._engine) as connection:
            gone = connection.execute(query).all()
        if not gone:
            return 0
        with writing(self._engine) as connection:
            _lock(connection)
            self._delete(connection, gone)
        return len(gone)

    # ------------------------------------------------------------ reading

    def facts(self) -> LabelFacts:
        """Return how many labels wait, and when the newest arrived."""
        with reading(self._engine) as connection:
            received = connection.execute(
                select(label_arrivals.c.received).where(label_arrivals.c.model == self.model)
            ).scalar()
            return LabelFacts(self._waiting(connection), None if received is None else received / MICROSECONDS)

    def read(self, begin: float, end: float, outcome: str = LABEL) -> LabelRows:
        """Return the labels of predictions made from `begin` to `end`, seconds since 1970, in the order of the log."""
        query = (
            select(labels.c.seq, labels.c.value, labels.c.version, labels.c.time, labels.c.observed)
            .where(self._is(outcome), labels.c.time >= _micro(begin), labels.c.time < _micro(end))
            .order_by(labels.c.time, labels.c.seq)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        seq, value, version, time, observed = zip(*rows, strict=True) if rows else ((),) * 5
        integers = [np.array(column, np.int64) for column in (seq, version, time, observed)]
        return LabelRows(integers[0], np.array(value, np.float64), *integers[1:])

    def outcome_sums(self, outcome: str, begin: float, end: float) -> dict[str, list[OutcomeSums]]:
        """Return the sums of an outcome of predictions made from `begin` to `end`, by their model version.

        Times are seconds since 1970. Each version has the sums of `STRETCHES` stretches of equal time.
        """
        since, until = _micro(begin), _micro(end)
        own, made, value = labels.c, predictions.c, labels.c.value
        length = max(1, -(-(until - since) // STRETCHES))
        sums = select(
            own.version, (own.time - since) // length, func.count(), func.sum(value), func.sum(value * value)
        ).where(self._is(outcome), own.time >= since, own.time < until)
        counts = select(made.version, (made.time - since) // length, func.count()).where(
            made.model == self.model, made.time >= since, made.time < until
        )
        names = select(versions.c.version, versions.c.name).where(versions.c.model == self.model)
        with reading(self._engine) as connection:
            known = {row.version: row.name for row in connection.execute(names)}
            found: dict[str, list[OutcomeSums]] = {}
            for version, stretch, predicted in connection.execute(counts.group_by(*list(counts.selected_columns)[:2])):
                _add(found, known[version], stretch, OutcomeSums(predictions=predicted))
            for version, stretch, *known_of in connection.execute(sums.group_by(*list(sums.selected_columns)[:2])):
                _add(found, known[version], stretch, OutcomeSums(*known_of))
        return found

    # ------------------------------------------------------------ parts

    @property
    def _waits(self) -> Any:
        return and_(labels.c.model == self.model, labels.c.time.is_(None))

    def _is(self, outcome: str) -> Any:
        return and_(labels.c.model == self.model, labels.c.outcome == outcome)

    @property
    def _ready(self) -> Any:
        """The query for labels that wait, whose predictions are logged."""
        same = and_(predictions.c.model == labels.c.model, predictions.c.id == labels.c.id)
        columns = [labels.c[name] for name in ("outcome", "id", "value", "version", "observed")]
        found = (predictions.c.time, predictions.c.seq, predictions.c.version.label("target"))
        return select(*columns, *found).join(predictions, same).where(self._waits).limit(SETTLED_ROWS)

    def _join_ready(self, connection: Connection, tally: LabelTally, at: int) -> None:
        """Join labels; they count as received at `at`, so that an evaluation of their cohort sees them."""
        rows = connection.execute(self._ready).all()
        if not rows:
            return
        translation = self._classes(connection, {row.version for row in rows} | {row.target for row in rows})
        changed: dict[_Place, KnownLabel] = {}
        for row in rows:
            value = translation.value(row.value, row.outcome, row.version, row.target)
            joined = KnownLabel(value, row.target, row.observed, row.time, row.seq, at)
            changed[row.outcome, bytes(row.id)] = joined
            tally.count(Fate.MATCHED, row.outcome, _lag(joined))
        self._write(connection, changed)

    def _delete(self, connection: Connection, places: Sequence[Any]) -> None:
        """Delete labels by outcome and id."""
        for outcome in {outcome for outcome, _ in places}:
            for part in _parts([key for own, key in places if own == outcome]):
                connection.execute(delete(labels).where(self._is(outcome), labels.c.id.in_(part)))

    def _waiting(self, connection: Connection) -> int:
        return int(connection.execute(select(func.count()).select_from(labels).where(self._waits)).scalar_one())

    def _known(
        self, connection: Connection, keys: Sequence[bytes], outcomes: Iterable[str]
    ) -> dict[_Place, KnownLabel]:
        """Return what is stored of these outcomes of these predictions."""
        columns = [labels.c[name] for name in ("value", "version", "observed", "time", "seq", "received")]
        query = select(labels.c.outcome, labels.c.id, *columns).where(
            labels.c.model == self.model, labels.c.outcome.in_(outcomes)
        )  # by the whole primary key, because SQLite would read all labels otherwise
        return {
            (outcome, bytes(key)): KnownLabel(*rest)
            for part in _parts(keys)
            for outcome, key, *rest in connection.execute(query.where(labels.c.id.in_(part)))
        }

    def _found(self, connection: Connection, keys: Sequence[bytes]) -> dict[bytes, FoundPrediction]:
        """Return the logged predictions of these ids."""
        query = select(predictions.c.id, predictions.c.time, predictions.c.seq, predictions.c.version).where(
            predictions.c.model == self.model
        )
        return {
            bytes(key): FoundPrediction(*rest)
            for part in _parts(keys)
            for key, *rest in connection.execute(query.where(predictions.c.id.in_(part)))
        }

    def _translation(
        self,
        connection: Connection,
        known: Mapping[_Place, KnownLabel],
        found: Mapping[bytes, FoundPrediction],
    ) -> Translation:
        numbers = {label.version for label in known.values()} | {own.version for own in found.values()}
        return self._classes(connection, numbers | {self._version})

    def _classes(self, connection: Connection, numbers: Iterable[int]) -> Translation:
        """Return what turns labels of one of these versions into those of another."""
        if missing := set(numbers) - self._known_classes.keys():
            query = select(versions.c.version, versions.c.name, versions.c.description)
            for number, name, description in connection.execute(query.where(versions.c.version.in_(missing))):
                self._known_classes[number] = LoggedModel.read("", name, description).classes
        return Translation(self._known_classes)

    def _write(self, connection: Connection, changed: Mapping[_Place, KnownLabel]) -> None:
        if not changed:
            return
        mark = "?" if self._engine.dialect.name == "sqlite" else "%s"
        rows = [
            (self.model, outcome, key, own.value, own.version, own.observed, own.received, own.time, own.seq)
            for (outcome, key), own in changed.items()
        ]
        connection.exec_driver_sql(
            f"INSERT INTO {labels.name} ({', '.join(_COLUMNS)}) "  # noqa: S608 - names of our own
            f"VALUES ({', '.join([mark] * len(_COLUMNS))}) ON CONFLICT (model, outcome, id) DO UPDATE SET "
            + ", ".join(f"{name} = excluded.{name}" for name in _CHANGED),
            rows,
        )


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))


def _note_arrival(connection: Connection, model: int, at: int) -> None:
    changed = connection.execute(update(label_arrivals).where(label_arrivals.c.model == model).values(received=at))
    if changed.rowcount == 0:
        connection.execute(insert(label_arrivals).values(model=model, received=at))


def _parts(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (keys[first : first + _KEYS] for first in range(0, len(keys), _KEYS))


def _lag(stored: KnownLabel | None) -> float | None:
    """Return the seconds from a prediction until its label was known; 0 if that time is before the prediction."""
    return None if stored is None or stored.time is None else max(0.0, (stored.observed - stored.time) / MICROSECONDS)


def _micro(seconds: float) -> int:
    return round(seconds * MICROSECONDS)


def _add(found: dict[str, list[OutcomeSums]], version: str, stretch: int, sums: OutcomeSums) -> None:
    own = found.setdefault(version, [OutcomeSums()] * STRETCHES)
    own[stretch] = own[stretch] + sums
