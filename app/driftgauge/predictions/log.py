"""The prediction log of one service: its database, its writer, and a recorder for each model version."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from driftgauge.common.shared_text import SharedText
from driftgauge.errors import PredictionLogDamaged, PredictionLogError
from driftgauge.predictions.description import Described
from driftgauge.predictions.generations import damaged_files, is_damage, is_replaced, replace_damaged, sqlite_file
from driftgauge.predictions.look import LogLook, SharedLook
from driftgauge.predictions.recorder import Counts, ModelRecorder
from driftgauge.predictions.retention import Limits
from driftgauge.predictions.rows import SOURCES
from driftgauge.predictions.store import PredictionStore
from driftgauge.predictions.upkeep import DiskGuard, Upkeep
from driftgauge.predictions.writer import PredictionWriter

ALERT_FACTOR: Final = 2
"""Free disk space raises an alert below this multiple of the space at which logging stops."""
STALE_SECONDS: Final = 60.0
"""Age of a look at the log from which each worker looks at the free disk space itself."""
ACKNOWLEDGED_SECONDS: Final = 5.0
"""Longest wait until rows are written, where they are to be before they are answered."""
OPENING_SECONDS: Final = 1.0
"""Longest wait at the end for a thread that opens the database."""
MOST_READS: Final = 16
"""Requests that wait for the thread that reads."""


@dataclass(frozen=True)
class LogOptions:
    """Options of the prediction log; see the settings of the same names."""

    state_folder: Path | None
    url: str | None = None
    sample_ratio: float = 1.0
    acknowledges: bool = False
    queue_rows: int = 50_000
    max_age_seconds: float = 604_800.0
    max_bytes: int = 2_147_483_648
    min_free_bytes: int = 536_870_912

    @property
    def folder(self) -> Path | None:
        """The folder of the embedded database; None for a database elsewhere."""
        return None if self.url is not None or self.state_folder is None else sqlite_file(self.state_folder).parent

    @property
    def is_possible(self) -> bool:
        """Whether there is a place for the log."""
        return self.url is not None or self.state_folder is not None


@dataclass(frozen=True)
class LogFacts:
    """What the workers of a service say of their log."""

    kept: str
    """`sqlite` or `postgresql`."""
    queued_rows: int
    """Rows that wait to be written, in all workers."""
    queue_limit_rows: int
    look: LogLook | None
    """The last look at the database; None before the first."""
    free_bytes: int | None
    max_bytes: int
    max_age_seconds: float
    free_threshold_bytes: int | None
    """Free space below which an alert is raised; None for a database elsewhere."""
    damaged_files: int | None
    """Damaged databases beside the log; None for a database elsewhere."""


class ModelLog:
    """The way of one model version's predictions into the log."""

    def __init__(self, writer: PredictionWriter, recorder: ModelRecorder) -> None:
        self._writer: Final = writer
        self._recorder: Final = recorder
        self.put: Final = partial(writer.put, recorder)
        """Queue answers to be written; it never waits."""

    @property
    def acknowledges(self) -> bool:
        """Whether answers wait until they are written."""
        return self._writer.acknowledges

    def has_room(self, rows: int) -> bool:
        """Say whether this number of rows can be queued now."""
        return self._writer.has_place(rows)

    def written(self) -> Future[None]:
        """Return what is done once all that is queued now is written, or could not be."""
        return self._writer.written()

    def acknowledge(self) -> None:
        """Wait until what is queued is written, for some seconds at most, if answers wait for that."""
        if self.acknowledges:
            with suppress(TimeoutError):  # it is written later, or counted as dropped
                self.written().result(ACKNOWLEDGED_SECONDS)

    def let_go(self) -> None:
        """Let answers wait no longer, until rows are written again."""
        self._writer.let_go()


class PredictionLog:
    """A prediction log that is opened at its first use, so that a database that is away does not stop a start."""

    def __init__(
        self,
        options: LogOptions,
        clock: Callable[[], float],
        failed: Callable[[Exception], None],
        shared: SharedText | None = None,
    ) -> None:
        """Take the options; `clock` gives seconds since 1970, and `failed` gets the errors of the database.

        The workers of a service give the same `shared`, so that each says the same of the database.
        """
        self.options: Final = options
        self._clock: Final = clock
        self.guard: Final = DiskGuard(options.folder, options.min_free_bytes)
        self.writer: Final = PredictionWriter(
            self.store,
            queue_rows=options.queue_rows,
            clock=clock,
            failed=failed,
            has_room=self.guard.has_room,
            acknowledges=options.acknowledges,
        )
        self.upkeep: Final = Upkeep(
            self.store,
            Limits(options.max_age_seconds, options.max_bytes),
            clock,
            failed,
            options.folder,
            self.guard.has_room,
            SharedLook(shared),
        )
        self.reading: Final = ThreadPoolExecutor(1, thread_name_prefix="prediction-reader")
        """Answers requests that read the log."""
        self.reads: Final = threading.BoundedSemaphore(MOST_READS)
        """Is held by each of them."""
        self._failed: Final = failed
        self._opening = threading.Lock()
        self._store: PredictionStore | None = None
        self._damaged: Path | None = None
        """The file in which damage was found."""
        self._is_closed = False

    def store(self) -> PredictionStore:
        """Return the open database; PredictionLogError if it cannot be used now. It may wait: call it in a thread.

        A damaged file stays where it is, and the log goes on in a new one. A closed log opens nothing.
        """
        with self._opening:
            store = None if self._is_closed else self._current()
            if self._is_closed or store is None:  # perhaps since the database began to open
                self._close_store()
                raise PredictionLogError("the prediction log is closed")
            return store

    def _current(self) -> PredictionStore:
        """Return the open database, which is opened at its first use and after damage."""
        if self._store is not None and (self._damaged or is_replaced(self._store.engine)):
            self._close_store()
        if self._damaged is not None:
            self._replace(self._damaged)
        if self._store is None:
            self._store = self._opened()
        return self._store

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _opened(self) -> PredictionStore:
        own = self.options
        try:
            store = PredictionStore.open(own.state_folder, own.url, durable=own.acknowledges)
        except PredictionLogDamaged as error:
            self._replace(error.file)
            store = PredictionStore.open(own.state_folder, own.url, durable=own.acknowledges)
        event.listen(store.engine, "handle_error", partial(self._look, store.engine))
        return store

    def _look(self, engine: Engine, context: ExceptionContext) -> None:
        """Note damage that any user of the log found; the next use of the log goes on in a new file."""
        if is_damage(context.original_exception) and not is_replaced(engine):
            self._damaged = Path(str(engine.url.database))

    def _replace(self, file: Path) -> None:
        """Begin the file after a damaged one, unless another process has."""
        if replace_damaged(file):
            self._failed(
                PredictionLogDamaged(f"{file} is damaged, and stays where it is. The log goes on in a new file", file)
            )
        self._damaged = None

    def of_model(self, own: Described, counts: Counts, source: str = SOURCES[0]) -> ModelLog:
        """Return the way of a model version's predictions into the log; `source` is one of SOURCES."""
        recorder = ModelRecorder(own.model, own.kept, counts, sample=self.options.sample_ratio, source=source)
        return ModelLog(self.writer, recorder)

    def facts(self, queued_rows: float, workers: int) -> LogFacts:
        """Return what is known of the log; `queued_rows` wait in all `workers`. It reads a small file, no database."""
        own, look = self.options, self.upkeep.looks.latest()
        return LogFacts(
            kept="sqlite" if own.url is None else "postgresql",
            queued_rows=int(queued_rows),
            queue_limit_rows=workers * own.queue_rows,
            look=look,
            free_bytes=self._free_bytes(look),
            max_bytes=own.max_bytes,
            max_age_seconds=own.max_age_seconds,
            free_threshold_bytes=None if own.folder is None else ALERT_FACTOR * own.min_free_bytes,
            damaged_files=None if own.folder is None else damaged_files(own.folder),
        )

    def _free_bytes(self, look: LogLook | None) -> int | None:
        """Return the free space that the look found, or what it is now if no worker could look lately."""
        if look is not None and abs(self._clock() - look.at) < STALE_SECONDS:
            return look.free_bytes
        with suppress(OSError):  # the folder may be unreadable; the writer says so
            self.guard.has_room()
        return self.guard.free_bytes

    def start(self) -> None:
        """Start to write."""
        self.writer.start()
        self.upkeep.start()

    def close(self, seconds: float) -> None:
        """Write what is queued, for at most so long, and close the database for good."""
        self.upkeep.close(0.0)
        self.reading.shutdown(wait=False, cancel_futures=True)
        self.writer.close(seconds)
        self._is_closed = True
        if self._opening.acquire(timeout=OPENING_SECONDS):  # or a thread that opens the database closes it
            self._close_store()
            self._opening.release()
