"""Micro-batching: requests that come while the model is busy are predicted together, as soon as it is free.

Nobody waits for company: when the model is idle, what is there goes at once. A model that is fast
answers on the event loop, a slow one in a thread; which it is was measured when the server started.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from driftgauge.errors import ModelFailed, Reason, Refused
from driftgauge.models.predictor import Predictor
from driftgauge.monitor.capture import Capture
from driftgauge.serving.latency_probe import INLINE_SECONDS, Cost
from driftgauge.serving.rejection import Explainer
from driftgauge.serving.request import Answer, Done, Part, Piece, Pieces, Waiting, answered, in_place, joined

SHARES: Final = 8
"""A request of many rows gets this part of a batch at a time, so that others come between."""
ROUNDS: Final = 2
"""How often the event loop may come round for requests that are just arriving, before a batch goes."""


@dataclass(frozen=True)
class BatchLimits:
    """How much is put together, and how much may wait; see the settings of the same names."""

    batch_rows: int = 2_048
    queued_requests: int = 1_024
    queued_rows: int = 50_000


class Batcher:
    """Puts requests together and has them predicted, one batch at a time.

    `submit` is called on the event loop, all of one. `by_event` says that the monitor runs by the
    clock of events, where watching rows takes longer than the loop should wait: then all goes to
    the thread.
    """

    def __init__(
        self,
        predictor: Predictor,
        capture: Capture,
        cost: Cost,
        executor: Executor,
        limits: BatchLimits | None = None,
        *,
        by_event: bool = False,
    ) -> None:
        self.limits: Final = limits or BatchLimits()
        self.cost: Final = cost
        self._predictor = predictor
        self._explainer = Explainer(predictor)
        self._capture = capture
        self._executor = executor
        self._by_event = by_event
        self._share = max(1, self.limits.batch_rows // SHARES)
        self._queue: deque[Waiting] = deque()
        self._rows = 0
        self._again: deque[Pieces] = deque()
        """Parts of batches on which the model failed."""
        self._again_next = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy = False
        """Whether a batch is being predicted, or about to be."""
        self._in_thread = False

    @property
    def queued_requests(self) -> int:
        """Requests of which rows wait for the model, for the first time or again."""
        return len(self._queue) + (sum(map(len, self._again)) if self._again else 0)

    @property
    def queued_rows(self) -> int:
        """Rows that wait for the model."""
        return self._rows

    def admit(self, rows: int = 1) -> None:
        """Raise Refused if a request of so many rows finds too many waiting; an empty queue takes any."""
        limits, requests = self.limits, self.queued_requests
        if requests and (requests >= limits.queued_requests or self._rows + rows > limits.queued_rows):
            raise Refused(
                Reason.OVERLOADED,
                f"{requests} requests with {self._rows} rows wait for the model already: try again in a moment",
                {"queued_requests": requests, "queued_rows": self._rows},
            )

    def submit(self, waiting: Waiting) -> asyncio.Future[Answer]:
        """Queue a request and return its answer to come; raises Refused as `admit` does.

        The answer raises ModelFailed, or Refused for a cell that the model cannot take. Once it is
        cancelled, rows that the model was not yet given are dropped.
        """
        rows = len(waiting.batch)
        self.admit(rows)
        waiting.answer = self._running_loop().create_future()
        self._queue.append(waiting)
        self._rows += rows
        if not self._busy:
            self._go_on()
        return waiting.answer

    @property
    def is_slow(self) -> bool:
        """Whether a request that comes now may have to wait for a thread."""
        return self._in_thread or not self._is_quick(1)

    def _is_quick(self, rows: int) -> bool:
        return not self._by_event and self.cost.seconds(rows) <= INLINE_SECONDS

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop that serves; to ask for it anew each time costs a call of the system."""
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.get_running_loop()
            self._queue.clear()  # of a loop that is no more, and with it everybody who waited
            self._again.clear()
            self._rows, self._busy, self._in_thread = 0, False, False
        return self._loop

    def _go_on(self) -> None:
        """Have the next batch predicted, if anybody waits."""
        self._busy, self._in_thread = bool(self._queue or self._again), False
        if self._busy:
            self._running_loop().call_soon(self._gather, len(self._queue), ROUNDS)

    def _gather(self, seen: int, rounds: int) -> None:
        """Let the loop come round again while every round brings requests, then predict."""
        if rounds and len(self._queue) > seen and self._rows < self.limits.batch_rows:
            self._running_loop().call_soon(self._gather, len(self._queue), rounds - 1)
        else:
            self._next()

    def _next(self) -> None:
        """Predict a batch; whatever becomes of it, the one after it is predicted too."""
        pieces = self._failed_before() or self._take()
        if not pieces:
            self._go_on()
        elif self._is_quick(sum(piece.concerned for piece in pieces)):
            try:
                done = self._work(pieces)
            except BaseException as error:
                self._failed(pieces, error)
            else:
                self._settle(done)
        else:
            self._start(pieces)

    def _start(self, pieces: Pieces) -> None:
        """Predict pieces off the event loop, which goes on reading requests."""
        self._in_thread = True
        try:
            job = self._running_loop().run_in_executor(self._executor, self._work, pieces)
        except RuntimeError as error:  # there is no thread any more
            self._settle({piece.waiting: error for piece in pieces})
        else:
            job.add_done_callback(lambda job: self._finish(job, pieces))

    def _finish(self, job: asyncio.Future[Done], pieces: Pieces) -> None:
        try:
            done = job.result()
        except BaseException as error:
            self._failed(pieces, error)
        else:
            self._settle(done)

    def _failed(self, pieces: Pieces, error: BaseException) -> None:
        """Find out whose rows the model failed on: of several requests each half is a batch of its own, later."""
        if not isinstance(error, Exception):  # a library that panics
            error = ModelFailed.of(error)
        if len({piece.waiting for piece in pieces}) == 1:
            self._explain(pieces, error)
            return
        self._capture.retried()
        half = len(pieces) // 2
        self._again += [pieces[:half], pieces[half:]]
        self._rows += sum(piece.rows for piece in pieces)
        self._settle({})

    def _explain(self, pieces: Pieces, error: Exception) -> None:
        """Find out in the thread which row of a request is at fault, and tell its client."""
        self._in_thread = True
        batch = joined([piece.batch for piece in pieces])
        try:
            job = self._running_loop().run_in_executor(self._executor, self._explainer.explained, batch, error)
        except RuntimeError:  # there is no thread any more
            self._settle({pieces[0].waiting: in_place(error, pieces[0])})
        else:
            job.add_done_callback(lambda job: self._explained(job, pieces[0], error))

    def _explained(self, job: asyncio.Future[Exception], piece: Piece, error: Exception) -> None:
        found = error if job.cancelled() or job.exception() is not None else job.result()
        self._settle({piece.waiting: in_place(found, piece)})

    def _settle(self, done: Done) -> None:
        """Give answers to those who still wait for them, and go on."""
        for waiting, result in done.items():
            if waiting.answer.done():
                continue  # its client went away
            if isinstance(result, Exception):
                waiting.answer.set_exception(result)
            else:
                waiting.answer.set_result(result)
        self._go_on()

    def _failed_before(self) -> Pieces:
        """Return every other time what a batch was cut into that failed, if there is any; else nothing."""
        self._again_next = bool(self._again) and (not self._again_next or not self._queue)
        if not self._again_next:
            return ()
        pieces = self._again.popleft()
        self._rows -= sum(piece.rows for piece in pieces)
        return [piece for piece in pieces if not piece.waiting.answer.done()]

    def _take(self) -> Pieces:
        """Take the rows of the next batch from the queue, in turns where requests have many."""
        room = self.limits.batch_rows
        pieces: list[Piece] = []
        while room and self._queue:
            waiting = self._queue.popleft()
            first, rows = waiting.taken, len(waiting.batch)
            if waiting.answer.done():  # its client went away, or the model failed on earlier rows
                self._rows -= rows - first
                continue
            most = min(room, self._share) if self._queue else room
            last = min(rows, first + most)
            pieces.append(Piece(waiting, first, last))
            waiting.taken = last
            room -= last - first
            self._rows -= last - first
            if last < rows:
                self._queue.append(waiting)
        return pieces

    def _work(self, pieces: Pieces) -> Done:
        """Predict pieces, and hand the requests that are complete to the monitor."""
        parts = self._predicted(pieces)
        now = time.perf_counter()
        for piece, part in zip(pieces, parts, strict=True):
            piece.waiting.parts[piece.first] = part
            piece.waiting.left -= piece.rows
        done = {piece.waiting: piece.waiting.answered(now) for piece in pieces if not piece.waiting.left}
        if done:
            self._capture.answered(answered(done))
        return done

    def _predicted(self, pieces: Pieces) -> list[Part]:
        predictions = self._predictor.predict_admitted(joined([piece.batch for piece in pieces]))
        labels, scores, columns = predictions.labels, predictions.scores.tolist(), predictions.columns
        parts = []
        first = 0
        for piece in pieces:
            last = first + piece.rows
            parts.append(Part(labels[first:last], scores[first:last], columns[first:last]))
            first = last
        return parts
