"""Reads predictions by model, version, time and id, in bounded batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Engine, Select, select, tuple_

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.errors import PredictionLogError
from driftgauge.predictions.checked import checked
from driftgauge.predictions.chunk_reader import MOST_KEYS, PROBABILITIES
from driftgauge.predictions.class_probabilities import are_kept
from driftgauge.predictions.database import reading
from driftgauge.predictions.feature_reader import FeatureReader, Places, Widths
from driftgauge.predictions.rows import MICROSECONDS, Cursor, LoggedModel, PredictionBatch
from driftgauge.predictions.schema import models, predictions, versions
from driftgauge.predictions.spilled_numbers import Remaining

BATCH_ROWS: Final = 4_096


@dataclass(frozen=True)
class Selection:
    """Which predictions of a model are read; a bound that is None does not apply."""

    model: str
    version: str | None = None
    since: float | None = None
    """Seconds since 1970: predictions from then on, by the time of their event."""
    until: float | None = None
    """Seconds since 1970: predictions before then."""
    keys: Sequence[bytes] | None = None
    """`ids.key_of` the ids that are wanted."""
    after: Cursor | None = None
    """Where an earlier reading stopped."""
    with_features: bool = True
    with_probabilities: bool = False
    """Whether to read the probability of each class too, of models of several."""
    batch_rows: int = BATCH_ROWS
    sorts_on_disk: bool = False
    """Whether numbers may be sorted in a temporary file where events came in any order; servers write none."""


_NARROW: Final = [
    predictions.c[name]
    for name in (
        *("seq", "id", "time", "arrival", "score", "prediction", "latency", "source", "caller"),
        *("version", "chunk", "position"),
    )
]


def read(engine: Engine, selection: Selection) -> Iterator[PredictionBatch]:
    """Yield the selected predictions; those asked for by id in batches that are each in the order of time."""
    known = _Versions()
    with closing(_Numbers(engine, selection)) as numbers:
        if selection.keys is not None:
            for first in range(0, len(selection.keys), MOST_KEYS):
                yield from _pages(engine, selection, known, numbers, selection.keys[first : first + MOST_KEYS])
        else:
            yield from _pages(engine, selection, known, numbers, None)


class _Numbers:
    """Readers of what a selection asks for beside the rows."""

    def __init__(self, engine: Engine, selection: Selection) -> None:
        self._features = FeatureReader(engine) if selection.with_features else None
        self._probabilities = FeatureReader(engine, PROBABILITIES) if selection.with_probabilities else None

    def close(self) -> None:
        for own in (self._features, self._probabilities):
            if own is not None:
                own.close()

    def read(
        self,
        connection: Connection,
        rows: Sequence[Any],
        known: Mapping[int, LoggedModel],
        following: Callable[[int], Places],
    ) -> _Found:
        """Return features and probabilities by version, empty if they were not asked for."""
        page, ends = Places.of(rows), (_cursor(rows[0]), _cursor(rows[-1]))
        found, damaged, damage = [], np.zeros(len(page), dtype=np.bool_), None
        for reader, widths in self._readers(known):
            values: Mapping[int, FloatArray] = {}
            if reader is not None:
                values = reader.read(connection, page, widths, following, ends)
                damaged |= reader.damaged(page, values)
                damage = damage or reader.damage
            found.append(values)
        return _Found(found[0], found[1], damaged, damage)

    def prepare(self, remaining: Callable[[], Remaining], known: Mapping[int, LoggedModel]) -> None:
        """Read what is left once, before its next page, where pages would read the whole log again and again."""
        for reader, widths in self._readers(known):
            if reader is not None and reader.wants_spill:
                reader.spill(remaining(), widths)

    def _readers(self, known: Mapping[int, LoggedModel]) -> list[tuple[FeatureReader | None, Widths]]:
        """Return the readers of features and of probabilities, each with the numbers of a row by version."""
        features = {number: len(model.features) for number, model in known.items()}
        several = {n: len(model.classes) for n, model in known.items() if are_kept(len(model.classes))}
        return [(self._features, features), (self._probabilities, several)]


@dataclass(frozen=True)
class _Found:
    """What belongs to the rows of a page; see `PredictionBatch`."""

    features: Mapping[int, FloatArray]
    probabilities: Mapping[int, FloatArray]
    damaged: BoolArray
    damage: str | None


def _pages(
    engine: Engine, selection: Selection, known: _Versions, numbers: _Numbers, keys: Sequence[bytes] | None
) -> Iterator[PredictionBatch]:
    after = selection.after
    while True:
        with reading(engine) as connection:
            model = connection.execute(select(models.c.model).where(models.c.name == selection.model)).scalar()
            if model is None:
                return
            if selection.version is not None:
                known.load(connection, model)
            named = known.named(selection.version)
            query = _query(selection, model, named, keys, after)
            rows = connection.execute(query).all()
            if not rows:
                return
            known.need(connection, model, {row.version for row in rows})
            values = numbers.read(connection, rows, known.models, partial(_places, connection, query))
        try:
            batch = _batch(rows, known.models, values)
        except (ValueError, TypeError, OverflowError) as error:
            raise PredictionLogError(f"the prediction log: a row is damaged ({error})") from error
        yield batch
        if len(rows) < selection.batch_rows:
            return
        after = batch.cursor
        if selection.sorts_on_disk:
            following = partial(_query, selection, model, named, keys)
            numbers.prepare(partial(Remaining, engine, after, following, model, named), known.models)


class _Versions:
    """The versions of a model, which are read once and again when an unknown one comes."""

    def __init__(self) -> None:
        self.models: dict[int, LoggedModel] = {}

    def need(self, connection: Connection, model: int, numbers: set[int]) -> None:
        if not numbers <= self.models.keys():
            self.load(connection, model)

    def load(self, connection: Connection, model: int) -> None:
        name = connection.execute(select(models.c.name).where(models.c.model == model)).scalar_one()
        for row in connection.execute(select(versions).where(versions.c.model == model)):
            if row.version not in self.models:
                self.models[row.version] = LoggedModel.read(name, row.name, row.description)

    def named(self, name: str | None) -> list[int] | None:
        """Return the numbers of a version, which has several if its features changed; None for all versions."""
        return None if name is None else [number for number, own in self.models.items() if own.version == name]


def _query(
    selection: Selection, model: int, numbers: list[int] | None, keys: Sequence[bytes] | None, after: Cursor | None
) -> Select[Any]:
    own = predictions.c
    query = select(*_NARROW).where(own.model == model).order_by(own.time, own.seq).limit(selection.batch_rows)
    if numbers is not None:
        query = query.where(own.version.in_(numbers))
    if selection.since is not None:
        query = query.where(own.time >= math.ceil(selection.since * MICROSECONDS))
    if selection.until is not None:
        query = query.where(own.time < math.ceil(selection.until * MICROSECONDS))
    if keys is not None:
        query = query.where(own.id.in_(keys))
    if after is not None:
        query = query.where(tuple_(own.time, own.seq) > tuple_(after.time, after.seq))
    return query


def _cursor(row: Any) -> Cursor:
    return Cursor(row.time, row.seq)


def _places(connection: Connection, query: Select[Any], most: int) -> Places:
    """Return where the features of so many selected rows are."""
    own = predictions.c
    return Places.of(
        connection.execute(query.with_only_columns(own.version, own.chunk, own.position).limit(most)).all()
    )


def _batch(rows: Sequence[Any], known: Mapping[int, LoggedModel], found: _Found) -> PredictionBatch:
    seq, keys, time, arrival, score, prediction, latency, source, callers, version, *_ = zip(*rows, strict=True)
    numbers = np.array(version, dtype=np.int64)
    scores = np.array(score, dtype=np.float64)  # None becomes NaN
    predicted = np.array(prediction, dtype=np.float64)
    regressions = np.isin(numbers, [number for number in set(version) if not known[number].classes])
    batch = PredictionBatch(
        models={number: known[number] for number in set(version)},
        seq=np.array(seq, dtype=np.int64),
        version=numbers,
        keys=[bytes(key) for key in keys],
        time=np.array(time, dtype=np.int64),
        arrival=np.array([t if a is None else a for a, t in zip(arrival, time, strict=True)], dtype=np.int64),
        scores=scores,
        predictions=np.where(regressions, scores, predicted),
        latency=np.array(latency, dtype=np.int64),
        source=np.array(source, dtype=np.int64),
        callers=callers,
        features=found.features,
        probabilities=found.probabilities,
        damaged=found.damaged,
        damage=found.damage,
    )
    return checked(batch)
