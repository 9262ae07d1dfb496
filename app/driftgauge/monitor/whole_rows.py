"""Compares the newest rows of all workers with rows that are kept of the reference, by one worker at a time."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from driftgauge.common.shared_text import SharedText
from driftgauge.drift.multivariate.compared import (
    COMPARED,
    FAILED,
    RESULTS,
    TIMED_OUT,
    TOO_FEW,
    ComparedRows,
    RowComparison,
    dumps,
    loads,
    report_of,
)
from driftgauge.drift.multivariate.report import MOST_ROWS
from driftgauge.drift.multivariate.sample import RowSample
from driftgauge.drift.multivariate.thresholds import AucThresholds
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.newest_rows import drawn_values
from driftgauge.monitor.row_process import ComparisonLate, RowProcess
from driftgauge.monitor.turns import Turns

SHARED: Final = "whole-rows"
STALE_INTERVALS: Final = 5.0
"""Intervals after which a comparison is too old for the verdict."""


@dataclass(frozen=True)
class WholeRowOptions:
    """Options of comparing whole rows; see the settings `multivariate…`."""

    interval_seconds: float = 60.0
    timeout_seconds: float = 20.0
    thresholds: AucThresholds = field(default_factory=AucThresholds)
    in_verdict: bool = False


class WholeRowMonitor:
    """Compares whole rows of one model version. `step` and `compare` block, and are called by one thread at a time."""

    def __init__(
        self, monitor: ColumnMonitor, sample: RowSample, folder: Path | None, options: WholeRowOptions | None = None
    ) -> None:
        """Compare with `sample`; workers share what they know in a folder that exists, None for this process alone."""
        self.options: Final = options or WholeRowOptions()
        self.process: Final = RowProcess(self.options.timeout_seconds)
        self._monitor = monitor
        self._reference = sample.values(monitor.baseline)
        self._reference[:, self._left_out()] = np.nan  # such columns are not compared
        self._shared: Final = SharedText(folder, SHARED)
        self._turns: Final = Turns(folder, SHARED)
        self._failed_at = -math.inf
        """When this worker last failed, seconds since 1970."""

    def _left_out(self) -> list[int]:
        """Return the columns that are not monitored, and where the verdict rests on rows those without alerts too."""
        policy, in_verdict = self._monitor.options.policy, self.options.in_verdict
        found = [policy.column(name) for name in self._monitor.baseline.names]
        return [index for index, own in enumerate(found) if not own.monitor or (in_verdict and not own.alert)]

    @property
    def known(self) -> ComparedRows:
        """What is known of the comparisons of all workers."""
        found = loads(self._shared.read(), self._monitor.baseline.hash)
        return replace(found, thresholds=self.options.thresholds, in_verdict=self.options.in_verdict)

    def current(self, now: float) -> ComparedRows:
        """Return the same, and whether the last comparison is too old for a verdict or an alert."""
        known = self.known
        age = 0.0 if known.last is None else abs(now - known.last.at)
        return replace(known, is_stale=age > STALE_INTERVALS * self.options.interval_seconds)

    def step(self, now: float) -> bool:
        """Compare if it is due and no other worker does; nothing is ever left to do. `now` is seconds since 1970."""
        self._turns.once(lambda: self._is_due(now), lambda: self._compare(now))
        return False

    def compare(self, now: float) -> RowComparison:
        """Compare now, after the worker that is at it; LockTimeout if that takes too long, RowsNotCompared."""
        with self._turns.alone(2.0 * self.options.timeout_seconds):
            return self._compare(now)

    def _is_due(self, now: float) -> bool:
        last = self.known.last
        tried = [self._failed_at if last is None else last.at, self._failed_at]
        return all(abs(now - at) >= self.options.interval_seconds for at in tried)

    def _compare(self, now: float) -> RowComparison:
        began = time.monotonic()
        try:
            rows, _ = drawn_values(self._monitor, now, MOST_ROWS)
            text = self.process.compare(self._monitor.baseline, self._reference, rows, int(now) & 0xFFFFFFFF)
            report = report_of(json.loads(text))
        except Exception as error:
            self._failed_at = now
            self._keep(TIMED_OUT if isinstance(error, ComparisonLate) else FAILED, None)
            raise
        found = RowComparison(report, now, time.monotonic() - began)
        self._keep(TOO_FEW if report.separation is None else COMPARED, found)
        return found

    def _keep(self, result: str, found: RowComparison | None) -> None:
        """Count a comparison, and keep it for all workers."""

        def text() -> str:
            known = loads(self._shared.read(), self._monitor.baseline.hash)
            counts = {name: known.results.get(name, 0) + (name == result) for name in RESULTS}
            return dumps(ComparedRows(found or known.last, counts), self._monitor.baseline.hash)

        self._shared.replace(text)
