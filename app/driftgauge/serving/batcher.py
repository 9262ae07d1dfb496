"""Micro-batching: requests that arrive while the model is busy are predicted together once it is free.

A batch is never delayed to collect more requests, apart from two extra passes of the event loop for requests
that are already being read. A fast model answers on the event loop, a slow one in a thread, by its latency at start.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, Protocol

from driftgauge.errors import ModelFailed, Reason, Refused
from driftgauge.models.predictor import Predictor
from driftgauge.monitor.capture import Capture
from driftgauge.serving.latency_probe import INLINE_SECONDS, LatencyModel
from driftgauge.serving.outliers import OutlierScorer
from driftgauge.serving.rejection import Explainer
from driftgauge.serving.request import (
    Answer,
    PartialAnswer,
    QueuedRequest,
    Results,
    Slice,
    Slices,
    concatenate,
    observed,
    with_request_row,
)

SHARES: Final = 8
"""A large request gets this fraction of a batch at a time, so that smaller ones get their turn."""
EXTRA_PASSES: Final = 2
"""Extra passes of the event loop for requests that are just arriving, before a batch starts."""


class Mirror(Protocol):
    """Takes the rows of answered requests, and never fails or waits."""

    def offer(self, answers: Mapping[QueuedRequest, Answer]) -> None:
        """Take complete requests and their answers, or drop them."""


@dataclass(frozen=True)
class BatchLimits:
    """Sizes of a batch and of the queue; see the settings of the same names."""

    batch_rows: int = 2_048
    queued_requests: int = 1_024
    queued_rows: int = 50_000


class Batcher:
    """Queues requests and predicts them together, one batch at a time.

    `submit` is called on the event loop, always the same one. `by_event` says that the monitor runs on event
    time, where observing rows would block the event loop for too long: every batch then goes to the thread.
    `outliers` scores how unlike the reference rows are, where answers say so; a slow one does so in the thread.
    """

    def __init__(
        self,
        predictor: Predictor,
        capture: Capture,
        latency: LatencyModel,
        executor: Executor,
        limits: BatchLimits | None = None,
        *,
        by_event: bool = False,
        outliers: OutlierScorer | None = None,
    ) -> None:
        self.limits: Final = limits or BatchLimits()
        self.latency: Final = latency
        self._predictor = predictor
        self._explainer = Explainer(predictor)
        self._capture = capture
        self._executor = executor
        self._in_thread_always = by_event or (outliers is not None and not outliers.is_quick)
        self._outliers: Final = outliers
        self.mirror: Mirror | None = None
        """Is given the answered requests, for a shadow version."""
        self._share = max(1, self.limits.batch_rows // SHARES)
        self._queue: deque[QueuedRequest] = deque()
        self._rows = 0
        self._retries: deque[Slices] = deque()
        """Halves of batches on which the model failed."""
        self._retry_turn = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy = False
        """Whether a batch is being predicted or about to be."""
        self._in_thread = False

    @property
    def queued_requests(self) -> int:
        """Requests with rows that wait for the model, for the first time or for a retry."""
        return len(self._queue) + (sum(map(len, self._retries)) if self._retries else 0)

    @property
    def queued_rows(self) -> int:
        """Rows that wait for the model."""
        return self._rows

    def admit(self, rows: int = 1) -> None:
        """Raise Refused if the queue has no room for these rows; an empty queue accepts any number."""
        limits, requests = self.limits, self.queued_requests
        if requests and (requests >= limits.queued_requests or self._rows + rows > limits.queued_rows):
            raise Refused(
                Reason.OVERLOADED,
                f"the queue is full: {requests} requests with {self._rows} rows wait for the model; retry later",
                {"queued_requests": requests, "queued_rows": self._rows},
            )

    def submit(self, request: QueuedRequest) -> asyncio.Future[Answer]:
        """Queue a request and return the future of its answer; raises Refused as `admit` does.

        The future raises ModelFailed, or Refused for a cell that the model cannot take. If it is
        cancelled, rows that were not yet given to the model are dropped.
        """
        rows = len(request.batch)
        self.admit(rows)
        request.answer = self._running_loop().create_future()
        self._queue.append(request)
        self._rows += rows
        if not self._busy:
            self._schedule()
        return request.answer

    @property
    def is_slow(self) -> bool:
        """Whether a new request may have to wait for a thread."""
        return self._in_thread or not self._is_quick(1)

    def _is_quick(self, rows: int) -> bool:
        return not self._in_thread_always and self.latency.seconds(rows) <= INLINE_SECONDS

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop that serves; asking asyncio each time costs a system call."""
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.get_running_loop()
            self._queue.clear()  # requests of a closed loop have no client any more
            self._retries.clear()
            self._rows, self._busy, self._in_thread = 0, False, False
        return self._loop

    # ---------------------------------------------------------------- scheduling

    def _schedule(self) -> None:
        """Schedule the next batch if requests wait."""
        self._busy, self._in_thread = bool(self._queue or self._retries), False
        if self._busy:
            self._running_loop().call_soon(self._gather, len(self._queue), EXTRA_PASSES)

    def _gather(self, seen: int, passes: int) -> None:
        """Let the event loop pass again while each pass brings requests, then predict."""
        if passes and len(self._queue) > seen and self._rows < self.limits.batch_rows:
            self._running_loop().call_soon(self._gather, len(self._queue), passes - 1)
        else:
            self._predict_next()

    def _predict_next(self) -> None:
        """Predict a batch; the one after it is scheduled whatever happens to it."""
        slices = self._retry_slices() or self._fresh_slices()
        if not slices:
            self._schedule()
        elif self._is_quick(sum(one.workload for one in slices)):
            try:
                results = self._predict(slices)
            except BaseException as error:
                self._isolate(slices, error)
            else:
                self._resolve(results)
        else:
            self._predict_in_thread(slices)

    def _predict_in_thread(self, slices: Slices) -> None:
        """Predict off the event loop, which goes on reading requests."""
        self._in_thread = True
        try:
            job = self._running_loop().run_in_executor(self._executor, self._predict, slices)
        except RuntimeError as error:  # the executor is shut down
            self._resolve({one.request: error for one in slices})
        else:
            job.add_done_callback(lambda job: self._finish(job, slices))

    def _finish(self, job: asyncio.Future[Results], slices: Slices) -> None:
        try:
            results = job.result()
        except BaseException as error:
            self._isolate(slices, error)
        else:
            self._resolve(results)

    def _resolve(self, results: Results) -> None:
        """Give results to the requests that still wait, and schedule the next batch."""
        for request, result in results.items():
            if request.answer.done():
                continue  # the client disconnected
            if isinstance(result, Exception):
                request.answer.set_exception(result)
            else:
                request.answer.set_result(result)
        self._schedule()

    # ---------------------------------------------------------------- failures

    def _isolate(self, slices: Slices, error: BaseException) -> None:
        """Isolate the request that made the model fail: each half of the batch is retried alone."""
        if not isinstance(error, Exception):  # a library that panics
            error = ModelFailed.of(error)
        if len({one.request for one in slices}) == 1:
            self._explain(slices, error)
            return
        self._capture.retried()
        half = len(slices) // 2
        self._retries += [slices[:half], slices[half:]]
        self._rows += sum(one.rows for one in slices)
        self._resolve({})

    def _explain(self, slices: Slices, error: Exception) -> None:
        """Find the failing row of a request in the thread, and answer its client."""
        self._in_thread = True
        batch = concatenate([one.batch for one in slices])
        try:
            job = self._running_loop().run_in_executor(self._executor, self._explainer.explained, batch, error)
        except RuntimeError:  # the executor is shut down
            self._resolve({slices[0].request: with_request_row(error, slices[0])})
        else:
            job.add_done_callback(lambda job: self._explained(job, slices[0], error))

    def _explained(self, job: asyncio.Future[Exception], first: Slice, error: Exception) -> None:
        found = error if job.cancelled() or job.exception() is not None else job.result()
        self._resolve({first.request: with_request_row(found, first)})

    # ---------------------------------------------------------------- batches

    def _retry_slices(self) -> Slices:
        """Return one half of a failed batch, every other time if fresh requests wait; else nothing."""
        self._retry_turn = bool(self._retries) and (not self._retry_turn or not self._queue)
        if not self._retry_turn:
            return ()
        slices = self._retries.popleft()
        self._rows -= sum(one.rows for one in slices)
        return [one for one in slices if not one.request.answer.done()]

    def _fresh_slices(self) -> Slices:
        """Return the next batch from the queue; large requests take turns."""
        room = self.limits.batch_rows
        slices: list[Slice] = []
        while room and self._queue:
            request = self._queue.popleft()
            first, rows = request.dispatched, len(request.batch)
            if request.answer.done():  # the client disconnected, or the model failed on earlier rows
                self._rows -= rows - first
                continue
            most = min(room, self._share) if self._queue else room
            last = min(rows, first + most)
            slices.append(Slice(request, first, last))
            request.dispatched = last
            room -= last - first
            self._rows -= last - first
            if last < rows:
                self._queue.append(request)
        return slices

    def _predict(self, slices: Slices) -> Results:
        """Predict slices, and hand complete requests to the monitor."""
        parts = self._partial_answers(slices)
        now = time.perf_counter()
        for one, part in zip(slices, parts, strict=True):
            one.request.parts[one.first] = part
            one.request.pending -= one.rows
        complete = {one.request: one.request.complete(now) for one in slices if not one.request.pending}
        if complete:
            self._capture.answered(observed(complete))
            if self.mirror is not None:
                self.mirror.offer(complete)
        return complete

    def _partial_answers(self, slices: Slices) -> list[PartialAnswer]:
        predictions = self._predictor.predict_admitted(concatenate([one.batch for one in slices]))
        labels, scores, columns = predictions.labels, predictions.scores.tolist(), predictions.columns
        given, parts = predictions.probabilities, []
        novelty = None if self._outliers is None else self._outliers.scores(columns)
        first = 0
        for one in slices:
            last = first + one.rows
            own = None if given is None else given[first:last]
            strange = None if novelty is None else novelty[first:last]
            parts.append(PartialAnswer(labels[first:last], scores[first:last], columns[first:last], own, strange))
            first = last
        return parts
