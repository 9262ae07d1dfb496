"""What monitoring asks of those that send alerts, metrics and traces elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from driftgauge.metrics.facts import TelemetryFacts


class Notified(Protocol):
    """What sends notifications of alerts."""

    @property
    def totals(self) -> Mapping[tuple[str, str], float]:
        """How many there were, by receiver and result."""

    def problems(self) -> Sequence[str]:
        """Return a sentence for each receiver that does not take them."""


class Sent(Protocol):
    """What sends metrics and traces to a collector."""

    def facts(self) -> TelemetryFacts:
        """Return what the metrics say of it. Blocks."""

    def status(self) -> dict[str, Any]:
        """Return what the status says of it. Blocks."""

    def problems(self) -> Sequence[str]:
        """Return a sentence for each signal that does not arrive. Blocks."""
