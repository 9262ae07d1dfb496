"""The metrics of a monitor in a registry of prometheus_client, whose `/metrics` keeps its address."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import Metric
from prometheus_client.registry import Collector

from driftgauge.library.session import Opener
from driftgauge.metrics.families import described, families

WAIT_SECONDS: Final = 60.0
"""Longest wait for the facts; reading them ends long before."""
FAILED: Final = "metrics_not_collected"
"""Problem of a collection that failed."""


class MonitorCollector(Collector):
    """Collects what `/metrics` shows of the monitor, but not of the process: the registry has collectors for that."""

    def __init__(self, opener: Opener) -> None:
        """Use what `opener` returns, at each collection."""
        self._opener = opener

    def describe(self) -> Iterable[Metric]:
        """Return the families without samples, so that registration collects nothing."""
        return list(described())

    def collect(self) -> Iterable[Metric]:
        """Return the families, evaluated first if rows came; none if the monitor is closed or fails."""
        try:
            opened = self._opener()
        except Exception:  # it is closed, or was logged where it was opened
            return []
        monitoring = opened.monitoring
        try:
            facts, server = opened.background.wait(monitoring.facts(), WAIT_SECONDS)
            return list(families(facts, server, monitoring.exposed))
        except Exception as error:  # the other metrics of the registry must not be lost
            monitoring.service.problems.record(FAILED, error)
            return []
