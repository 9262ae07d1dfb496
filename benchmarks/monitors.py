"""Rows of which nothing drifts, and what watches them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from driftgauge.common.layout import Layout
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.metrics.counters import Counters, counter_fields
from driftgauge.metrics.facts import Limits, MonitorFacts, ServerFacts
from driftgauge.metrics.server_series import server_series
from driftgauge.monitor.monitor import ColumnMonitor, MonitorOptions

START: Final = 1_700_000_000.0
REFERENCE_ROWS: Final = 10_000


@dataclass(frozen=True)
class Data:
    """A reference and current rows, independent standard normal columns, shapes [n, columns]."""

    reference: FloatArray
    current: FloatArray

    @classmethod
    def of(cls, columns: int, rows: int, seed: int) -> Data:
        generator = np.random.default_rng([seed, columns, rows])
        return cls(generator.normal(size=(REFERENCE_ROWS, columns)), generator.normal(size=(rows, columns)))

    @property
    def names(self) -> list[str]:
        return [f"f{place:04}" for place in range(self.reference.shape[1])]

    def baseline(self) -> Baseline:
        return build_baseline(dict(zip(self.names, self.reference.T, strict=True)), created="2026-01-01T00:00:00Z")


def monitor_of(baseline: Baseline, windows: Sequence[int]) -> ColumnMonitor:
    """Return a monitor that has seen nothing, with these windows and otherwise the defaults."""
    options = MonitorOptions(policy=Policy(windows=tuple(windows)))
    return ColumnMonitor(baseline, model_name="m", model_version="1", now=START, options=options)


def facts_of(monitor: ColumnMonitor) -> MonitorFacts:
    """Return what the exposition says of a monitor, as a server takes it from it."""
    last = monitor.last
    with monitor.store.counting() as counters:
        arrays = counters.copy()
    return MonitorFacts(
        model_name=monitor.model_name,
        model_version=monitor.model_version,
        task="binary",
        series=monitor.store.counters.series,
        arrays=arrays,
        baseline=monitor.baseline,
        report=last.report,
        bin_rows=monitor.bin_rows(),
        evaluated_at=last.at,
        evaluation_seconds=last.cpu_seconds,
        healthy=True,
        persistent=False,
        limits=Limits(latency_seconds=(0.5, 1.0), evaluation_age_seconds=120.0),
    )


def server_facts() -> ServerFacts:
    """Return what the exposition says of a server with one route that nobody has asked."""
    series = server_series([("POST", "/predict", (200, 422, 500))])
    layout = Layout(counter_fields(series))
    counters = Counters(series, layout.arrays(bytearray(layout.size_bytes)))
    return ServerFacts(series, counters.copy(), 0.001)
