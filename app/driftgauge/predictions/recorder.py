"""Turns answered predictions of one model into rows of the log: sampled, and with the columns that may be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import compress, repeat
from typing import Final, Protocol

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.errors import Reason
from driftgauge.predictions.class_probabilities import are_kept
from driftgauge.predictions.ids import is_sampled, key_of
from driftgauge.predictions.rows import MICROSECONDS, SOURCES, ClassLabel, LoggedModel, LoggedRows

_HASH_BYTES: Final = 6
"""Bytes of a hashed value: 48 bits are exact in a float64."""


class Answers(Protocol):
    """Answered rows, as `monitor.capture.Answered` holds them."""

    @property
    def rows(self) -> Sequence[int]:
        """Rows of each request."""

    @property
    def latency_seconds(self) -> Sequence[float]:
        """Latency of each request."""

    @property
    def scores(self) -> FloatArray:
        """Shape [n]."""

    @property
    def columns(self) -> FloatArray:
        """Monitored values in the baseline's order, shape [n, columns]."""

    @property
    def arrival(self) -> FloatArray:
        """Seconds since 1970, shape [n]."""

    @property
    def event(self) -> FloatArray | None:
        """Event times, NaN for rows without one, shape [n]; None if no row has one."""

    @property
    def ids(self) -> Sequence[str]:
        """Id of each row's prediction."""

    @property
    def labels(self) -> Sequence[ClassLabel | None]:
        """Predicted class of each row, None where unknown; empty if only the column of classes tells it."""

    @property
    def callers(self) -> Sequence[str]:
        """Name of the token that sent each request, empty for one without; empty if none has one."""

    @property
    def probabilities(self) -> FloatArray | None:
        """Probability of each class of a model of several, shape [n, classes]; None where unknown."""


@dataclass(frozen=True)
class MergedAnswers:
    """The rows of several batches of one model."""

    rows: Sequence[int]
    latency_seconds: Sequence[float]
    scores: FloatArray
    columns: FloatArray
    arrival: FloatArray
    event: FloatArray | None
    ids: Sequence[str]
    labels: Sequence[ClassLabel | None]
    callers: Sequence[str]
    probabilities: FloatArray | None


def merged(batches: Sequence[Answers]) -> Answers:
    """Return the rows of batches as one, because numpy takes as long for one row as for hundreds."""
    if len(batches) == 1:
        return batches[0]
    event = None
    if any(own.event is not None for own in batches):
        event = np.concatenate([np.full(len(o.ids), np.nan) if o.event is None else o.event for o in batches])
    return MergedAnswers(
        rows=[rows for own in batches for rows in own.rows],
        latency_seconds=[seconds for own in batches for seconds in own.latency_seconds],
        scores=np.concatenate([own.scores for own in batches]),
        columns=np.concatenate([own.columns for own in batches]),
        arrival=np.concatenate([own.arrival for own in batches]),
        event=event,
        ids=[id_ for own in batches for id_ in own.ids],
        labels=_labels(batches),
        callers=[name for own in batches for name in own.callers or repeat("", len(own.rows))]
        if any(own.callers for own in batches)
        else (),
        probabilities=_probabilities(batches),
    )


def _probabilities(batches: Sequence[Answers]) -> FloatArray | None:
    """Return the probabilities of all rows, NaN for those of batches without; None if no batch has any."""
    known = next((own.probabilities for own in batches if own.probabilities is not None), None)
    if known is None:
        return None
    width = known.shape[1]
    return np.concatenate(
        [np.full((len(o.ids), width), np.nan) if o.probabilities is None else o.probabilities for o in batches]
    )


def _labels(batches: Sequence[Answers]) -> Sequence[ClassLabel | None]:
    """Return the classes of all rows, None for those of batches that state none; empty if no batch states any."""
    if not any(own.labels for own in batches):
        return ()
    return [label for own in batches for label in own.labels or [None] * len(own.ids)]


class Counts(Protocol):
    """Counts what becomes of the rows of one model."""

    def written(self, rows: int, lag_seconds: FloatArray) -> None:
        """Count rows that were written, so long after their arrival."""

    def dropped(self, rows: int, reason: Reason) -> None:
        """Count rows that were not written."""


@dataclass(frozen=True)
class Kept:
    """Which columns of a row are logged."""

    columns: tuple[int, ...]
    """Positions of the logged features in the monitored columns, in bundle order."""
    hashed: tuple[int, ...] = ()
    """Positions among the logged features of those that are hashed."""
    secret: bytes = b""
    """Key of the hash, so that values cannot be found by trying all of them."""
    class_column: int | None = None
    """Position of the predicted class in the monitored columns, by its code."""
    class_places: tuple[float, ...] = ()
    """The index of the class of each code, NaN for one that is no class; codes beyond have none."""


class ModelRecorder:
    """Prepares the rows of one model version, and counts them."""

    def __init__(
        self, model: LoggedModel, kept: Kept, counts: Counts, *, sample: float = 1.0, source: str = SOURCES[0]
    ) -> None:
        """Log the share `sample` of the ids; `source` is one of SOURCES."""
        self.model: Final = model
        self.counts: Final = counts
        self._kept: Final = kept
        self._columns: Final = np.array(kept.columns, dtype=np.intp)
        self._are_first: Final = kept.columns == tuple(range(len(kept.columns)))
        self._sample: Final = sample
        self._source: Final = SOURCES.index(source)
        self._class_places: Final = np.array([*kept.class_places, np.nan])
        self._indices: Final = {label: float(index) for index, label in enumerate(model.classes)}

    def prepared(self, version: int, answers: Answers) -> LoggedRows:
        """Return the sampled rows; ValueError for an id that cannot be kept."""
        keys = [key_of(id_) for id_ in answers.ids]
        arrival = _microseconds(answers.arrival)
        time = arrival if answers.event is None else _times(answers.event, arrival)
        latency = np.repeat(_microseconds(np.array(answers.latency_seconds)), answers.rows)
        rows = LoggedRows(
            version=version,
            keys=keys,
            arrival=arrival,
            time=time,
            scores=answers.scores,
            predictions=self._classes(answers),
            latency=latency,
            features=self._features(answers.columns),
            source=self._source,
            callers=_by_row(answers),
            probabilities=answers.probabilities if are_kept(len(self._indices)) else None,
        )
        return rows if self._sample >= 1.0 else _part(rows, [is_sampled(key, self._sample) for key in keys])

    def _classes(self, answers: Answers) -> FloatArray:
        """Return the index of each predicted class, NaN where there is none."""
        unsaid = self._unsaid_classes(answers)
        if not (self._indices and answers.labels):
            return unsaid
        known = self._indices
        said = zip(answers.labels, unsaid.tolist(), strict=True)
        return np.array([other if own is None else known.get(own, np.nan) for own, other in said])

    def _unsaid_classes(self, answers: Answers) -> FloatArray:
        """Return the same for rows whose class is not given."""
        if self._indices and self._kept.class_column is not None:
            last = len(self._class_places) - 1
            codes = np.nan_to_num(answers.columns[:, self._kept.class_column], nan=last)
            found: FloatArray = self._class_places[np.minimum(codes, last).astype(np.int64)]
            return found
        if len(self._indices) == 2:  # a program that observes scores alone
            return np.where(np.isnan(answers.scores), np.nan, (answers.scores > 0.5).astype(np.float64))
        return np.full(len(answers.scores), np.nan)

    def _features(self, columns: FloatArray) -> FloatArray:
        features = columns[:, : len(self._columns)] if self._are_first else columns[:, self._columns]
        if self._kept.hashed:
            features = features.copy()
            for position in self._kept.hashed:
                features[:, position] = [self._hash(position, value) for value in features[:, position].tolist()]
        return features

    def _hash(self, position: int, value: float) -> float:
        if np.isnan(value):
            return value
        digest = blake2b(repr((position, value)).encode(), key=self._kept.secret, digest_size=_HASH_BYTES).digest()
        return float(int.from_bytes(digest, "big"))


def _by_row(answers: Answers) -> Sequence[str | None] | None:
    """Return the caller of each row, None for one that is not known; None if none is."""
    if not answers.callers:
        return None
    return [name or None for name, rows in zip(answers.callers, answers.rows, strict=True) for _ in range(rows)]


def _microseconds(seconds: FloatArray) -> IntArray:
    return np.rint(seconds * MICROSECONDS).astype(np.int64)


def _times(event: FloatArray, arrival: IntArray) -> IntArray:
    """Return event times, and the arrival of rows without one."""
    known = np.isfinite(event)
    return np.where(known, _microseconds(np.where(known, event, 0.0)), arrival)


def _part(rows: LoggedRows, chosen: Sequence[bool]) -> LoggedRows:
    """Return some of the rows."""
    at = np.array(chosen, dtype=np.bool_)
    return LoggedRows(
        version=rows.version,
        keys=[key for key, is_chosen in zip(rows.keys, chosen, strict=True) if is_chosen],
        arrival=rows.arrival[at],
        time=rows.time[at],
        scores=rows.scores[at],
        predictions=rows.predictions[at],
        latency=rows.latency[at],
        features=rows.features[at],
        source=rows.source,
        callers=None if rows.callers is None else list(compress(rows.callers, chosen)),
        probabilities=None if rows.probabilities is None else rows.probabilities[at],
    )
