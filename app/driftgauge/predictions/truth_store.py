"""What evaluations of ground truth read from the log, and what they leave to one another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import Engine, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.predictions.checked import known_classes
from driftgauge.predictions.class_probabilities import are_kept, chosen, probabilities_of
from driftgauge.predictions.database import keeping_forks, reading, writing
from driftgauge.predictions.labels import LABEL
from driftgauge.predictions.reader import Selection, read
from driftgauge.predictions.rows import MICROSECONDS, LoggedModel, PredictionBatch
from driftgauge.predictions.schema import labels, models, predictions, truth_cohorts, truth_states, versions

MOST_COHORTS: Final = 2_500
"""Cohorts that are kept of a model version: a hundred days of hours."""
_ROWS: Final = 10_000
"""Labels that are read at once."""


@dataclass(frozen=True)
class TruthRows:
    """Predictions of one model version that have a label, in the order of their time."""

    model: LoggedModel
    """What they were made with; `actual` and `predicted` index its classes."""
    time: FloatArray
    """Seconds since 1970, shape [n]."""
    scores: FloatArray
    predicted: FloatArray
    """Index of the class, NaN where unknown; for a regression the score."""
    actual: FloatArray
    """Index of the true class, negative for one that the model does not have; or the true number."""
    lag: FloatArray
    """Seconds until the label became known."""
    features: FloatArray | None = None
    """Shape [n, features], if they were asked for."""
    probabilities: FloatArray | None = None
    """The probability that a model of several classes gave the true one, NaN where unknown, shape [n]."""

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True)
class OutcomeRows:
    """Predictions of one model version, with and without outcomes, in the order of their time."""

    model: LoggedModel
    values: Mapping[str, FloatArray]
    """By outcome, shape [n]; NaN where it is not known."""
    features: FloatArray | None = None
    """Shape [n, features], if they were asked for."""


@dataclass(frozen=True)
class TruthPage:
    """Predictions that were read together: their number, the labelled ones, and all with their outcomes."""

    predicted: int
    rows: Sequence[TruthRows]
    outcomes: Sequence[OutcomeRows] = ()
    """Empty if no outcome is named."""


class TruthStore:
    """The cohorts of one model version, beside its predictions and labels."""

    def __init__(self, engine: Engine, model: str, version: str, outcomes: Sequence[str] = ()) -> None:
        """Use a migrated database in which the version is registered; read these business outcomes."""
        self._engine = engine
        self._name = model
        self._version = version
        self._outcomes: Final = tuple(outcomes)
        with reading(engine) as connection:
            self._model: int = connection.execute(select(models.c.model).where(models.c.name == model)).scalar_one()
        self._known: dict[int, LoggedModel] = {}

    # ------------------------------------------------------------ the evaluator's turn

    def acquire(self, owner: str, now: float, seconds: float) -> bool:
        """Return whether `owner` may evaluate for this number of seconds, because no other owner does."""
        states, until = truth_states.c, _micro(now + seconds)
        far = _micro(now + 10.0 * seconds)  # the owner's clock was ahead
        with writing(self._engine) as connection:
            is_free = (states.owner == owner) | (states.held_until < _micro(now)) | (states.held_until > far)
            held = update(truth_states).where(self._own_state, is_free).values(owner=owner, held_until=until)
            if connection.execute(held).rowcount:
                return True
            if connection.execute(select(states.owner).where(self._own_state)).first() is not None:
                return False
        try:
            with keeping_forks(self._engine), self._engine.begin() as connection:
                values = {"model": self._model, "version": self._version, "owner": owner, "held_until": until}
                connection.execute(insert(truth_states).values(**values, content=""))
        except IntegrityError:  # another process was first
            return False
        return True

    def release(self, owner: str) -> None:
        """Let others evaluate."""
        with writing(self._engine) as connection:
            mine = and_(self._own_state, truth_states.c.owner == owner)
            connection.execute(update(truth_states).where(mine).values(held_until=0))

    def state(self) -> str:
        """Return what the last evaluation left; an empty text before the first."""
        with reading(self._engine) as connection:
            found = connection.execute(select(truth_states.c.content).where(self._own_state)).scalar()
        return found or ""

    def save(self, owner: str, content: str, changed: Sequence[tuple[float, bytes]]) -> bool:
        """Store the state and changed cohorts by their start, if it is still the owner's turn; return whether it is."""
        mine = and_(self._own_state, truth_states.c.owner == owner)
        with writing(self._engine) as connection:
            if not connection.execute(update(truth_states).where(mine).values(content=content)).rowcount:
                return False
            starts = [_micro(start) for start, _ in changed]
            for start in starts:
                connection.execute(delete(truth_cohorts).where(self._own_cohorts, truth_cohorts.c.start == start))
            if changed:
                keys = {"model": self._model, "version": self._version}
                pairs = zip(starts, (content for _, content in changed), strict=True)
                rows = [{**keys, "start": start, "content": packed} for start, packed in pairs]
                connection.execute(insert(truth_cohorts), rows)
            last = select(truth_cohorts.c.start).where(self._own_cohorts).order_by(truth_cohorts.c.start.desc())
            oldest = connection.execute(last.limit(1).offset(MOST_COHORTS - 1)).scalar()
            if oldest is not None:
                connection.execute(delete(truth_cohorts).where(self._own_cohorts, truth_cohorts.c.start < oldest))
        return True

    def cohorts(self, since: float = -math.inf, until: float = math.inf) -> list[bytes]:
        """Return the cohorts that start in a span, seconds since 1970, in order."""
        query = select(truth_cohorts.c.content).where(self._own_cohorts).order_by(truth_cohorts.c.start)
        if since > -math.inf:
            query = query.where(truth_cohorts.c.start >= _micro(since))
        if until < math.inf:
            query = query.where(truth_cohorts.c.start < _micro(until))
        with reading(self._engine) as connection:
            return [bytes(content) for content in connection.execute(query).scalars()]

    # ------------------------------------------------------------ predictions and labels

    def newest_prediction(self) -> float | None:
        """Return the latest time of a prediction, seconds since 1970; None without any."""
        with reading(self._engine) as connection:
            query = select(func.max(predictions.c.time)).where(predictions.c.model == self._model)
            return _seconds(connection.execute(query).scalar())

    def next_prediction(self, since: float) -> float | None:
        """Return the time of the first prediction from a time on, seconds since 1970; None without one."""
        with reading(self._engine) as connection:
            query = select(func.min(predictions.c.time)).where(
                predictions.c.model == self._model, predictions.c.time >= _micro(since)
            )
            return _seconds(connection.execute(query).scalar())

    def count(self, since: float, until: float) -> int:
        """Return how many predictions of the version were made in a span, seconds since 1970."""
        own = predictions.c
        span = (own.time >= _micro(since), own.time < _micro(until), own.version.in_(self._numbers()))
        with reading(self._engine) as connection:
            query = select(func.count()).select_from(predictions).where(own.model == self._model, *span)
            return int(connection.execute(query).scalar_one())

    def changed_since(self, received: int, most: int = _ROWS) -> tuple[list[float], int]:
        """Return the times of predictions whose label or outcome arrived after a moment, and the last one's moment.

        Moments are microseconds since 1970. At most `most` labels are read, and all that arrived at the same moment.
        """
        own = labels.c
        with reading(self._engine) as connection:
            arrived = select(own.received).where(own.model == self._model, own.received > received)
            last = connection.execute(arrived.order_by(own.received).limit(1).offset(most - 1)).scalar()
            if last is None:
                last = connection.execute(select(func.max(own.received)).where(own.model == self._model)).scalar()
            if last is None or last <= received:
                return [], received
            query = select(own.time).where(
                *(own.model == self._model, own.outcome.in_((LABEL, *self._outcomes)), own.time.is_not(None)),
                *(own.received > received, own.received <= last),
            )
            found = connection.execute(query).scalars()
            return [time / MICROSECONDS for time in found], int(last)

    def pages(self, since: float, until: float, *, with_features: bool) -> Iterator[TruthPage]:
        """Yield the predictions of a span, seconds since 1970, in order, and the labels that have come for them."""
        selection = Selection(
            self._name, self._version, since, until, with_features=with_features, with_probabilities=True
        )
        for batch in read(self._engine, selection):
            yield TruthPage(len(batch), self._joined(batch), self._with_outcomes(batch) if self._outcomes else ())

    def newest(self, until: float, most: int) -> list[TruthRows]:
        """Return the newest predictions before a time that have a label, up to a limit, oldest first."""
        own, made = labels.c, predictions.c
        numbers = self._numbers()
        columns = (own.time, own.value, own.observed, made.score, made.prediction, own.seq, made.version)
        query = (
            select(*columns)
            .join(predictions, made.seq == own.seq)
            .where(own.model == self._model, own.outcome == LABEL, own.time < _micro(until), made.version.in_(numbers))
            .order_by(own.time.desc(), own.seq.desc())
            .limit(most)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return self._truths(rows[::-1])

    def _joined(self, batch: PredictionBatch) -> list[TruthRows]:
        """Return the rows of a batch that have a label."""
        self._known.update(batch.models)
        own = labels.c
        query = select(own.seq, own.value, own.observed).where(
            *(own.model == self._model, own.outcome == LABEL),
            *(own.time >= int(batch.time[0]), own.time <= int(batch.time[-1])),
        )
        with reading(self._engine) as connection:
            found = {row.seq: (row.value, row.observed) for row in connection.execute(query)}
        known = np.array([seq in found for seq in batch.seq.tolist()], dtype=np.bool_)
        result = []
        for version in np.unique(batch.version[known]).tolist():
            places = np.flatnonzero(known & (batch.version == version))
            values = np.array([found[seq] for seq in batch.seq[places].tolist()], dtype=np.float64)
            features = batch.features.get(version)
            if features is not None:
                features = features[known[batch.rows_of(version)]]
            given = batch.probabilities.get(version)
            if given is not None:
                given = chosen(given[known[batch.rows_of(version)]], values[:, 0])
            result.append(
                TruthRows(
                    batch.models[version],
                    batch.time[places] / MICROSECONDS,
                    batch.scores[places],
                    batch.predictions[places],
                    values[:, 0],
                    (values[:, 1] - batch.time[places]) / MICROSECONDS,
                    features,
                    given,
                )
            )
        return result

    def _with_outcomes(self, batch: PredictionBatch) -> list[OutcomeRows]:
        """Return the rows of a batch with their outcomes."""
        own = labels.c
        query = select(own.seq, own.outcome, own.value).where(
            *(own.model == self._model, own.outcome.in_(self._outcomes)),
            *(own.time >= int(batch.time[0]), own.time <= int(batch.time[-1])),
        )
        values = {name: np.full(len(batch), np.nan) for name in self._outcomes}
        places = {seq: place for place, seq in enumerate(batch.seq.tolist())}
        with reading(self._engine) as connection:
            for seq, name, value in connection.execute(query):
                if (place := places.get(seq)) is not None:
                    values[name][place] = value
        return [
            OutcomeRows(
                batch.models[version],
                {name: found[batch.rows_of(version)] for name, found in values.items()},
                batch.features.get(version),
            )
            for version in np.unique(batch.version).tolist()
        ]

    def _truths(self, rows: Sequence[Any]) -> list[TruthRows]:
        """Return labels with their predictions by the number of their version."""
        table = np.array([tuple(row) for row in rows], dtype=np.float64).reshape(len(rows), 7)
        result = []
        for version in np.unique(table[:, 6]).astype(np.int64).tolist():
            time, value, observed, score, predicted, seq, _ = table[table[:, 6] == version].T
            model = self._known[version]
            answered = known_classes(model, predicted) if model.classes else score
            lag = np.maximum(observed - time, 0.0) / MICROSECONDS
            given = self._probabilities(model, seq.astype(np.int64), value)
            result.append(TruthRows(model, time / MICROSECONDS, score, answered, value, lag, None, given))
        return result

    def _probabilities(self, model: LoggedModel, seqs: IntArray, actual: FloatArray) -> FloatArray | None:
        """Return the probability of the true class of predictions by their number, if the log keeps it."""
        if not are_kept(len(model.classes)):
            return None
        with reading(self._engine) as connection:
            return probabilities_of(connection, seqs, actual, len(model.classes))

    def _numbers(self) -> list[int]:
        """Return the numbers of the version; it has several if its features changed."""
        with reading(self._engine) as connection:
            query = select(versions).where(versions.c.model == self._model, versions.c.name == self._version)
            for row in connection.execute(query):
                if row.version not in self._known:
                    self._known[row.version] = LoggedModel.read(self._name, row.name, row.description)
        return [number for number, own in self._known.items() if own.version == self._version]

    @property
    def _own_state(self) -> Any:
        return and_(truth_states.c.model == self._model, truth_states.c.version == self._version)

    @property
    def _own_cohorts(self) -> Any:
        return and_(truth_cohorts.c.model == self._model, truth_cohorts.c.version == self._version)


def class_indices(values: FloatArray) -> IntArray:
    """Return indices of classes, -1 for an unknown one."""
    return np.where(np.isnan(values), -1.0, values).astype(np.int64)


def _micro(seconds: float) -> int:
    return round(seconds * MICROSECONDS)


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / MICROSECONDS
