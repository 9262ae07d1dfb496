"""The intakes of a server's models, their decoders, and the threads in which they work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from driftgauge.edges.formats.ingest.decoder import Decoder
from driftgauge.edges.formats.ingest.formats import Format, decoder_of
from driftgauge.edges.http.body_reader import BodyReader
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.errors import Reason, Refused
from driftgauge.ingestion.intake import ModelIntake
from driftgauge.settings.options import Settings

T = TypeVar("T")
THREADS: Final = 2
"""Requests that are decoded and taken in at once, so that a model whose files are slow does not hold up another."""


class Intakes:
    """What takes in records, made for each model at its first use."""

    def __init__(self, settings: Settings, make: Callable[[ModelMonitoring], ModelIntake]) -> None:
        """`make` returns the intake of a model."""
        self.reader: Final = BodyReader(
            settings.ingest_max_body_bytes,
            max(settings.max_pending_bytes, settings.ingest_max_body_bytes + settings.ingest_max_inflated_bytes),
            max_inflated_bytes=settings.ingest_max_inflated_bytes,
        )
        self._most = settings.ingest_max_pending_requests
        self._make = make
        self._pending = 0
        self._threads: ThreadPoolExecutor | None = None
        self._made: dict[tuple[str, str], ModelIntake] = {}
        self._decoders: dict[tuple[str, str, Format], Decoder] = {}
        self._making = threading.Lock()

    def of(self, own: ModelMonitoring) -> ModelIntake:
        """Return the intake of a model version; called off the event loop."""
        key = (own.model_name, own.model_version)
        with self._making:
            if key not in self._made:
                self._made[key] = self._make(own)
            return self._made[key]

    def decoder(self, own: ModelMonitoring, kind: Format) -> Decoder:
        """Return the decoder of a format for a model version."""
        key = (own.model_name, own.model_version, kind)
        with self._making:
            if key not in self._decoders:
                zone, classes = ZoneInfo(own.settings.ingest_time_zone), own.logged.model.classes
                self._decoders[key] = decoder_of(kind, own.monitor.baseline, zone, classes, own.settings.outcome_kinds)
            return self._decoders[key]

    async def run(self, work: Callable[[], T]) -> T:
        """Run work in a thread and return its result; Refused while too much of it waits."""
        if self._pending >= self._most:
            message = f"{self._pending} requests with records wait to be taken in: send this one again in a moment"
            raise Refused(Reason.TOO_MANY_PENDING, message)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="ingest")
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._pending -= 1

    def close(self) -> None:
        """End the threads, after what they have begun, and close what the intakes have opened."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        for intake in self._made.values():
            intake.parts.events.close()
