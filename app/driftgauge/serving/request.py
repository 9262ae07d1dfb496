"""Requests that wait for the model, the pieces that they are predicted in, and what comes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.errors import Refused
from driftgauge.models.bundle import Label
from driftgauge.models.predictor import Batch
from driftgauge.monitor.capture import Answered


class Answer(NamedTuple):
    """What the model said of a request's rows."""

    labels: Sequence[Label]
    scores: Sequence[float]
    latency_seconds: float
    """From the request's arrival until its last row was predicted."""


class Waiting:
    """A request whose rows, which the predictor admitted, wait for the model."""

    __slots__ = ("answer", "arrival", "batch", "event", "left", "parts", "started", "taken")

    answer: asyncio.Future[Answer]
    """Set once it is queued."""

    def __init__(self, batch: Batch, arrival: float, event: FloatArray | None, started: float) -> None:
        """Take rows that came at `arrival` (seconds since 1970; `started` by the clock of `time.perf_counter`).

        `event` are the event times that the request gave, NaN where a row has none, shape [n].
        """
        self.batch = batch
        self.arrival = arrival
        self.event = event
        self.started = started
        self.taken = 0
        """Rows that the model was given."""
        self.left = len(batch)
        """Rows that are not predicted yet."""
        self.parts: dict[int, Part] = {}
        """What is predicted, by its first row."""

    def in_order(self) -> Sequence[Part]:
        """Return the parts in the order of their rows."""
        return [self.parts[first] for first in sorted(self.parts)] if len(self.parts) > 1 else [self.parts[0]]

    def answered(self, now: float) -> Answer:
        """Return the answer from all parts, complete at `now` by the clock of `started`."""
        if len(self.parts) == 1:
            labels, scores, _ = self.parts[0]
        else:
            labels = [label for part in self.in_order() for label in part.labels]
            scores = [score for part in self.in_order() for score in part.scores]
        return Answer(labels, scores, now - self.started)


class Piece(NamedTuple):
    """Consecutive rows of a request, as they go into a batch."""

    waiting: Waiting
    first: int
    last: int

    @property
    def rows(self) -> int:
        """How many."""
        return self.last - self.first

    @property
    def concerned(self) -> int:
        """Rows that it is work for: with the last ones of a request all of it is answered and watched."""
        return self.last if self.last == len(self.waiting.batch) else self.rows

    @property
    def batch(self) -> Batch:
        """The rows."""
        whole = self.waiting.batch
        if self.rows == len(whole):
            return whole
        return whole.part(slice(self.first, self.last))


class Part(NamedTuple):
    """What the model said of a piece."""

    labels: Sequence[Label]
    scores: Sequence[float]
    columns: FloatArray
    """What the monitor watches, shape [rows, columns]."""


Pieces = Sequence[Piece]
Done = Mapping[Waiting, Answer | Exception]
"""Requests that are complete, or failed."""


def joined(batches: Sequence[Batch]) -> Batch:
    """Return the rows of several batches as one."""
    if len(batches) == 1:
        return batches[0]
    texts: dict[int, list[str | None]] = {
        place: list(chain.from_iterable(batch.texts[place] for batch in batches)) for place in batches[0].texts
    }
    return Batch(np.concatenate([batch.cells for batch in batches]), texts)


def in_place(error: Exception, piece: Piece) -> Exception:
    """Return an error that names a row by its place in the request, not in the piece."""
    if not isinstance(error, Refused) or not isinstance(row := error.detail.get("row"), int):
        return error
    return Refused(error.reason, error.message, {**error.detail, "row": row + piece.first})


def answered(done: Mapping[Waiting, Answer]) -> Answered:
    """Return what the monitor is told of answers."""
    rows = [len(waiting.batch) for waiting in done]
    event = None
    if any(waiting.event is not None for waiting in done):
        event = np.concatenate([w.event if w.event is not None else np.full(len(w.batch), np.nan) for w in done])
    return Answered(
        rows=rows,
        latency_seconds=[answer.latency_seconds for answer in done.values()],
        scores=np.array(list(chain.from_iterable(answer.scores for answer in done.values()))),
        columns=np.concatenate([part.columns for waiting in done for part in waiting.in_order()]),
        arrival=np.repeat([waiting.arrival for waiting in done], rows),
        event=event,
    )
