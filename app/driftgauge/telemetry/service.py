"""All that a worker sends to a collector, and what it says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.common.webhook import place
from driftgauge.metrics.facts import TelemetryFacts
from driftgauge.telemetry.exporters import LastMessage
from driftgauge.telemetry.options import TelemetryOptions
from driftgauge.telemetry.sender import MetricSender
from driftgauge.telemetry.spans import RequestTracer
from driftgauge.telemetry.tally import Tally

SAVE_SECONDS: Final = 1.0
"""Time between two saves of what a worker has counted."""
LEAVING_SECONDS: Final = 2.0
"""Longest wait at the end for what is still to be sent."""


class Failures:
    """Says why transmissions fail, and when they arrive."""

    def __init__(
        self,
        messages: LastMessage,
        collector: str,
        record: Callable[[Exception], None],
        tally: Tally,
        clock: Callable[[], float],
    ) -> None:
        """`collector` is the address that problems name; `record` takes errors, `tally` what became of each signal."""
        self._messages: Final = messages
        self._collector: Final = collector
        self._record: Final = record
        self._tally: Final = tally
        self._clock: Final = clock

    def of(self, signal: str) -> Callable[[str | None], None]:
        """Return what takes whether a transmission failed."""

        def ended(failed: str | None) -> None:
            if failed is None:
                self._tally.delivered(signal, self._clock())
                return
            why = self._messages.of(signal)
            where = "the collector" if why.startswith(self._collector) else self._collector  # which is named once
            text = f"{signal} do not reach {where}: {why}"
            self._tally.failed(signal, self._clock(), text)
            self._record(ConnectionError(text))

        return ended


class Telemetry:
    """What one worker sends."""

    def __init__(
        self,
        tally: Tally,
        messages: LastMessage,
        sender: MetricSender | None,
        tracer: RequestTracer | None,
        options: TelemetryOptions,
        clock: Callable[[], float],
        record: Callable[[Exception], None],
    ) -> None:
        self.tracer: Final = tracer
        self._tally: Final = tally
        self._messages: Final = messages
        self._sender: Final = sender
        self._options: Final = options
        self._clock: Final = clock
        self.record: Final = record
        """Takes what fails of telemetry itself."""

    def facts(self) -> TelemetryFacts:
        """Return what all workers have sent; reads files."""
        return self._tally.facts(self._clock(), self._options.lost_threshold_ratio)

    def status(self) -> dict[str, Any]:
        """Return what `/drift/status` says of it, without secrets; reads files."""
        facts = self.facts()
        signals: dict[str, dict[str, Any]] = {}
        for (signal, result), count in facts.items.items():
            signals.setdefault(signal, {})[result] = int(count)
        for signal, own in signals.items():
            at = facts.sent_at.get(signal)
            own["last_sent_at"] = None if at is None else rfc3339(at, "milliseconds")
            own["problem"] = facts.problems.get(signal)
        return {
            "endpoint": place(self._options.endpoint),
            "protocol": self._options.protocol,
            "trace_ratio": self._options.trace_ratio,
            "signals": signals,
        }

    def problems(self) -> Sequence[str]:
        """Return a sentence for each signal that does not arrive, whichever worker sends it; reads files."""
        return [f"telemetry: {text}" for text in self.facts().problems.values()]

    async def run(self) -> None:
        """Send until it is cancelled."""
        self._messages.listen()
        running = [self._keep()] if self._sender is None else [self._keep(), self._sender.run(self.record)]
        await asyncio.gather(*running)

    async def _keep(self) -> None:
        """Save what was counted, so that each worker can say it."""
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            try:
                await asyncio.to_thread(self._tally.save)
            except OSError as error:
                self.record(error)

    async def stop(self) -> None:
        """Send what is left, within a short time, and save what was counted."""
        closing = [] if self._sender is None else [self._sender.close(LEAVING_SECONDS)]
        if self.tracer is not None:
            closing.append(asyncio.to_thread(self.tracer.close, LEAVING_SECONDS))
        await asyncio.gather(*closing, return_exceptions=True)
        try:
            await asyncio.to_thread(self._tally.save)
        except OSError as error:
            self.record(error)
        self._messages.stop()
