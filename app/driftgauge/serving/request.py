"""Queued requests, the slices of them that are predicted together, and their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.errors import Refused
from driftgauge.models.bundle import Label
from driftgauge.models.predictor import Batch
from driftgauge.monitor.capture import Answered


class Answer(NamedTuple):
    """The model's answer to all rows of a request."""

    labels: Sequence[Label]
    scores: Sequence[float]
    latency_seconds: float
    """From the request's arrival until its last row was predicted."""
    outlier_scores: Sequence[float] | None = None
    """How unlike the reference each row is; None if they are not scored."""


class PartialAnswer(NamedTuple):
    """The model's answer to one slice of a request."""

    labels: Sequence[Label]
    scores: Sequence[float]
    columns: FloatArray
    """The columns that the monitor observes, shape [rows, columns]."""
    probabilities: FloatArray | None = None
    """Of each class, where there are more than two, shape [rows, classes]."""
    outlier_scores: Sequence[float] | None = None
    """How unlike the reference each row is; None if they are not scored."""


class QueuedRequest:
    """A request with admitted rows that waits for the model."""

    __slots__ = ("answer", "arrival", "batch", "caller", "dispatched", "event", "ids", "parts", "pending", "started")

    answer: asyncio.Future[Answer]
    """Set once it is queued."""

    def __init__(
        self,
        batch: Batch,
        arrival: float,
        event: FloatArray | None,
        started: float,
        ids: Sequence[str],
        caller: str = "",
    ) -> None:
        """Take rows that arrived at `arrival` (seconds since 1970; `started` by the clock of `time.perf_counter`).

        `event` holds the event times of the request, NaN for a row without one, shape [n]; `ids` those of its
        predictions. `caller` is the name of the token that sent it, empty without tokens.
        """
        self.batch = batch
        self.arrival = arrival
        self.event = event
        self.started = started
        self.ids = ids
        self.caller = caller
        self.dispatched = 0
        """Rows already given to the model."""
        self.pending = len(batch)
        """Rows without a prediction."""
        self.parts: dict[int, PartialAnswer] = {}
        """Partial answers by their first row."""

    def in_order(self) -> Sequence[PartialAnswer]:
        """Return the partial answers in row order."""
        return [self.parts[first] for first in sorted(self.parts)] if len(self.parts) > 1 else [self.parts[0]]

    def complete(self, now: float) -> Answer:
        """Return the whole answer, complete at `now` by the clock of `started`."""
        if len(self.parts) == 1:
            only = self.parts[0]
            return Answer(only.labels, only.scores, now - self.started, only.outlier_scores)
        parts = self.in_order()
        labels = [label for part in parts for label in part.labels]
        scores = [score for part in parts for score in part.scores]
        return Answer(labels, scores, now - self.started, _outlier_scores(parts))


def _outlier_scores(parts: Iterable[PartialAnswer | Answer]) -> Sequence[float] | None:
    """Return the outlier scores of several parts; None if those of one are not known."""
    known: list[float] = []
    for part in parts:
        if part.outlier_scores is None:
            return None
        known += part.outlier_scores
    return known


class Slice(NamedTuple):
    """Consecutive rows of a request in one batch."""

    request: QueuedRequest
    first: int
    last: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.last - self.first

    @property
    def workload(self) -> int:
        """Rows of work; the last slice also pays for observing the whole request."""
        return self.last if self.last == len(self.request.batch) else self.rows

    @property
    def batch(self) -> Batch:
        """The rows themselves."""
        whole = self.request.batch
        if self.rows == len(whole):
            return whole
        return whole.part(slice(self.first, self.last))


Slices = Sequence[Slice]
Results = Mapping[QueuedRequest, Answer | Exception]
"""Requests that are complete or have failed."""


def concatenate(batches: Sequence[Batch]) -> Batch:
    """Return the rows of several batches as one batch."""
    if len(batches) == 1:
        return batches[0]
    texts: dict[int, list[str | None]] = {
        index: list(chain.from_iterable(batch.texts[index] for batch in batches)) for index in batches[0].texts
    }
    return Batch(np.concatenate([batch.cells for batch in batches]), texts)


def with_request_row(error: Exception, at: Slice) -> Exception:
    """Return an error whose `row` counts from the request's start, not from the slice's."""
    if not isinstance(error, Refused) or not isinstance(row := error.detail.get("row"), int):
        return error
    return Refused(error.reason, error.message, {**error.detail, "row": row + at.first})


def observed(answers: Mapping[QueuedRequest, Answer]) -> Answered:
    """Return complete requests as the monitor observes them."""
    rows = [len(request.batch) for request in answers]
    event = None
    if any(request.event is not None for request in answers):
        event = np.concatenate([r.event if r.event is not None else np.full(len(r.batch), np.nan) for r in answers])
    parts = [part for request in answers for part in request.in_order()]
    given = [part.probabilities for part in parts if part.probabilities is not None]
    return Answered(
        rows=rows,
        latency_seconds=[answer.latency_seconds for answer in answers.values()],
        scores=np.array(list(chain.from_iterable(answer.scores for answer in answers.values()))),
        columns=np.concatenate([part.columns for part in parts]),
        arrival=np.repeat([request.arrival for request in answers], rows),
        event=event,
        ids=list(chain.from_iterable(request.ids for request in answers)),
        labels=list(chain.from_iterable(answer.labels for answer in answers.values())),
        callers=[request.caller for request in answers] if any(request.caller for request in answers) else (),
        probabilities=np.concatenate(given) if given else None,
        outlier_scores=None if (scores := _outlier_scores(answers.values())) is None else np.array(scores),
    )
