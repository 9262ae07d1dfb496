"""Writes predictions behind the answers: a bounded queue, and one thread that empties it in batches."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.errors import PredictionLogAway, Reason
from driftgauge.predictions.recorder import Answers, ModelRecorder, merged
from driftgauge.predictions.rows import LoggedRows
from driftgauge.predictions.store import PredictionStore

BATCH_ROWS: Final = 4_096
"""Most rows of one transaction, but for a larger request."""
INTERVAL_SECONDS: Final = 0.5
"""Longest time that a row waits for others to be written with it."""
WAKE_ROWS: Final = 2_048
"""Queued rows that are written without waiting for more."""
RETRY_SECONDS: Final = (0.1, 0.5, 2.0, 5.0)
"""Pauses after failed writes; after as many of the same rows they are dropped, unless the database is away."""


@dataclass(frozen=True)
class Queued:
    """Rows of one batch that wait to be written."""

    recorder: ModelRecorder
    answers: Answers

    def __len__(self) -> int:
        return len(self.answers.ids)


Drop = tuple[ModelRecorder, int, Reason]
"""Rows of a model that are left out, and why."""


class PredictionWriter:
    """Queues answered predictions, and writes them in its thread.

    `put` never waits, and may be called from several threads. What cannot be written is counted by reason.
    """

    def __init__(
        self,
        store: Callable[[], PredictionStore],
        *,
        queue_rows: int,
        clock: Callable[[], float],
        failed: Callable[[Exception], None],
        has_room: Callable[[], bool] = lambda: True,
        acknowledges: bool = False,
    ) -> None:
        """Write to what `store` opens, at its first use; `clock` gives seconds since 1970.

        `failed` gets errors, `has_room` says whether the disk has room for more rows. With `acknowledges`, rows
        are written at once, because answers wait for them.
        """
        self.queue_rows: Final = queue_rows
        self._store: Final = store
        self._clock: Final = clock
        self._failed: Final = failed
        self._has_room: Final = has_room
        self.acknowledges: Final = acknowledges
        self._lock: Final = threading.Lock()
        self._queue: deque[Queued] = deque()
        self._rows = 0
        self._put = 0
        self._done = 0
        """Batches that were ever queued, and those of them that left the queue."""
        self._waiting: deque[tuple[int, Future[None]]] = deque()
        """Callers that wait, each with the number of batches that must be done first."""
        self._has_some: Final = threading.Event()
        self._is_urgent: Final = threading.Event()
        self._is_failing = False
        """Whether the last write failed, or answers have waited too long for it."""
        self._is_closing = False
        self._ends_at = float("inf")
        self._thread: threading.Thread | None = None

    @property
    def queued_rows(self) -> int:
        """Rows that wait to be written."""
        return self._rows

    def has_place(self, rows: int) -> bool:
        """Say whether `put` would queue so many rows now."""
        return not self._is_closing and (self._rows + rows <= self.queue_rows or not self._queue)

    # ------------------------------------------------------------ for those who predict

    def put(self, recorder: ModelRecorder, answers: Answers) -> None:
        """Queue rows to be written; they are dropped if the queue is full."""
        rows = len(answers.ids)
        with self._lock:
            fits = self.has_place(rows)
            if fits:
                self._queue.append(Queued(recorder, answers))
                self._rows += rows
                self._put += 1
        if not fits:
            recorder.counts.dropped(rows, Reason.PREDICTION_LOG_QUEUE_FULL)
            return
        if self.acknowledges or self._rows >= WAKE_ROWS:
            self._is_urgent.set()
        if not self._has_some.is_set():
            self._has_some.set()

    def written(self) -> Future[None]:
        """Return what is done once all rows that are queued now are written, or could not be.

        It is done at once while the database fails.
        """
        done: Future[None] = Future()
        with self._lock:
            if self._queue and self._thread is not None and not self._is_failing:
                self._waiting.append((self._put, done))
                return done
        done.set_result(None)
        return done

    def let_go(self) -> None:
        """Let answers wait no longer, until rows are written again: the database fails, or does not answer."""
        with self._lock:
            self._is_failing = True
        self._release(self._put)

    # ------------------------------------------------------------ the life of the thread

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Write what is queued, for at most so long, and end the thread; what is left is dropped and counted."""
        self._ends_at = time.monotonic() + seconds
        with self._lock:
            self._is_closing = True
        self._is_urgent.set()
        self._has_some.set()
        if self._thread is not None:
            self._thread.join(seconds + RETRY_SECONDS[-1])
        self._drop(self._taken(self._rows), Reason.PREDICTION_LOG_FAILED)

    def _run(self) -> None:
        while True:
            self._has_some.wait()
            self._is_urgent.wait(INTERVAL_SECONDS)
            self._has_some.clear()
            self._is_urgent.clear()
            while self._queue and self._write_some():
                pass
            if self._is_closing:
                return

    # ------------------------------------------------------------ writing

    def _write_some(self) -> bool:
        """Write the oldest rows, with retries; return false if time is up."""
        batch = self._oldest()
        if not self._has_room():
            self._drop(self._taken(len(batch)), Reason.PREDICTION_LOG_DISK_FULL)
            return True
        for attempt in count():
            try:
                self._write(batch)
                self._is_failing = False
                return True
            except Exception as error:  # of the database, or of its driver
                self._failed(error)
                self.let_go()
                if time.monotonic() >= self._ends_at:
                    return False
                if attempt >= len(RETRY_SECONDS) and not isinstance(error, PredictionLogAway):
                    break
                time.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
        self._drop(self._taken(len(batch)), Reason.PREDICTION_LOG_FAILED)
        return True

    def _oldest(self) -> Sequence[Queued]:
        """Return the oldest batches, as many as one transaction takes; they stay in the queue."""
        chosen: list[Queued] = []
        rows = 0
        with self._lock:
            for queued in self._queue:
                rows += len(queued)
                if chosen and rows > BATCH_ROWS:
                    break
                chosen.append(queued)
        return chosen

    def _write(self, batch: Sequence[Queued]) -> None:
        store = self._store()
        by_recorder: dict[ModelRecorder, list[Queued]] = {}
        for queued in batch:
            by_recorder.setdefault(queued.recorder, []).append(queued)
        drops: list[Drop] = []
        usable = [
            (own, rows)
            for own, parts in by_recorder.items()
            for rows in self._prepared(store.register(own.model), own, parts, drops)
        ]
        fresh = store.write([rows for _, rows in usable])
        now = self._clock()
        self._taken(len(batch))
        repeated = sum(len(rows) for _, rows in usable) - fresh
        for own, rows in usable:
            twice = min(repeated, len(rows))  # which rows of a transaction were repeated is not known
            repeated -= twice
            own.counts.written(len(rows) - twice, _lags(rows, now)[twice:])
            if twice:
                drops.append((own, twice, Reason.PREDICTION_ID_REPEATED))
        for own, dropped, reason in drops:  # once they are written, because a retry prepares them again
            own.counts.dropped(dropped, reason)

    def _prepared(
        self, version: int, own: ModelRecorder, parts: Sequence[Queued], drops: list[Drop]
    ) -> list[LoggedRows]:
        """Return rows as they are written, together, or each batch alone if one of them cannot be written.

        What is left out is added to `drops`.
        """
        try:
            rows = own.prepared(version, merged([queued.answers for queued in parts]))
        except Exception as error:
            if len(parts) > 1:
                return [rows for queued in parts for rows in self._prepared(version, own, [queued], drops)]
            self._failed(error)
            drops.append((own, len(parts[0]), Reason.MONITORING_FAILED))
            return []
        left_out = sum(map(len, parts)) - len(rows)
        if left_out:
            drops.append((own, left_out, Reason.NOT_SAMPLED))
        return [rows]

    def _taken(self, count: int) -> Sequence[Queued]:
        """Return the oldest batches, which leave the queue: this number, or all that are left."""
        with self._lock:
            taken = [self._queue.popleft() for _ in range(min(count, len(self._queue)))]
            self._rows -= sum(map(len, taken))
            self._done += len(taken)
        self._release(self._done)
        return taken

    @staticmethod
    def _drop(batch: Sequence[Queued], reason: Reason) -> None:
        for queued in batch:
            queued.recorder.counts.dropped(len(queued), reason)

    def _release(self, done: int) -> None:
        """Let the callers go on whose batches are done."""
        released: list[Future[None]] = []
        with self._lock:
            while self._waiting and self._waiting[0][0] <= done:
                released.append(self._waiting.popleft()[1])
        for future in released:
            if future.set_running_or_notify_cancel():  # unless its caller has gone
                future.set_result(None)


def _lags(rows: LoggedRows, now: float) -> FloatArray:
    """Return how long after its arrival each row was written, in seconds; 0 where a clock was set back."""
    lags: FloatArray = np.maximum(now - rows.arrival / 1e6, 0.0)
    return lags
