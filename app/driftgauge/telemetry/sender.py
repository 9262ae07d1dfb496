"""Sends the metrics of a server at intervals: one of its workers for all, the others wait for its place."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import Resource

from driftgauge.common.private_files import FileLock
from driftgauge.metrics.families import read_families
from driftgauge.telemetry.points import Exemplars, Points, count_points
from driftgauge.telemetry.starts import Starts
from driftgauge.telemetry.tally import Tally

TURN_SECONDS: Final = 0.0005
"""Time for which metrics are written before other tasks of the event loop run."""
PLACE_SECONDS: Final = 1.0
"""Time after which a worker asks again whether the place of the sender is free."""
Page = tuple[Iterable[bytes], Exemplars]


class MetricSender:
    """What sends the metrics of one server, in each of its workers."""

    def __init__(
        self,
        exporter: MetricExporter,
        page: Callable[[], Awaitable[Page]],
        resource: Resource,
        version: str,
        starts: Starts,
        lock: FileLock | None,
        interval_seconds: float,
        tally: Tally,
        failed: Callable[[str | None], None],
        rejected: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        """`page` gives `/metrics` in pieces, with exemplars; `lock` says which worker sends, None with only one.

        `failed` is called with a signal's name after a failure, and with None after a success. `rejected` returns how
        many of the points that were sent the collector has rejected.
        """
        self._exporter: Final = exporter
        self._page: Final = page
        self._resource: Final = resource
        self._version: Final = version
        self._starts: Final = starts
        self._lock: Final = lock
        self._interval_seconds: Final = interval_seconds
        self._tally: Final = tally
        self._failed: Final = failed
        self._rejected: Final = rejected
        self._clock: Final = clock
        self._is_sender = False
        self._is_busy = False

    async def run(self, record: Callable[[Exception], None]) -> None:
        """Send at intervals until it is cancelled; what fails is recorded, and sent with the next ones."""
        while True:
            try:
                self._is_sender = self._is_sender or await asyncio.to_thread(self._acquire)
                if self._is_sender:
                    await self.send()
            except Exception as error:
                record(error)
            await asyncio.sleep(self._interval_seconds if self._is_sender else PLACE_SECONDS)

    def _acquire(self) -> bool:
        if self._lock is not None and not self._lock.acquire():
            return False
        self._starts.load()
        return True

    async def send(self) -> None:
        """Send all metrics as they are now."""
        pieces, exemplars = await self._page()
        at = self._clock()
        page = await _in_turns(pieces)
        await _in_thread(lambda: self._export(page, at, exemplars))

    def _export(self, page: bytes, at: float, exemplars: Exemplars) -> None:
        self._is_busy = True
        try:
            points = Points(at, self._starts, exemplars)
            data = points.data(read_families(page.decode()), self._resource, self._version)
            unsaved = self._save()
            count, is_sent = count_points(data), False
            try:
                is_sent = self._exporter.export(data) is MetricExportResult.SUCCESS
            finally:
                rejected = self._rejected()
                lost = min(rejected, count) if is_sent else count
                self._tally.add("metrics", "sent", count - lost)
                self._tally.add("metrics", "failed", lost)
                self._failed("metrics" if lost else None)
            if unsaved is not None:
                raise unsaved
        finally:
            self._is_busy = False

    def _save(self) -> OSError | None:
        """Keep what is about to be sent for the next sender; points are sent also where that fails."""
        try:
            self._starts.save()
        except OSError as error:
            return error
        return None

    async def close(self, seconds: float) -> None:
        """Send the last numbers if there is time, and leave the place to another worker."""
        if self._is_sender and not self._is_busy:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(seconds):
                    await self.send()
        self._exporter.shutdown()
        self._is_sender = False
        if self._lock is not None:
            self._lock.release()


async def _in_turns(pieces: Iterable[bytes]) -> bytes:
    """Join pieces on the event loop, which runs other tasks between them."""
    found: list[bytes] = []
    began = time.perf_counter()
    for piece in pieces:
        found.append(piece)
        if time.perf_counter() - began > TURN_SECONDS:
            await asyncio.sleep(0)
            began = time.perf_counter()
    return b"".join(found)


async def _in_thread(call: Callable[[], None]) -> None:
    """Run what may wait for the network in a thread that does not hold up the end of the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def finish(error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: Exception | None = None
        try:
            call()
        except Exception as failure:
            error = failure
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(finish, error)

    threading.Thread(target=run, name="telemetry", daemon=True).start()
    await done
