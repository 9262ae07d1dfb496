"""Compares what features contribute to the scores of live rows with the reference, by one worker at a time."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from driftgauge.common.shared_text import SharedText
from driftgauge.drift.attribution.attributions import AttributionReport, Attributions, compare
from driftgauge.drift.attribution.known import AttributionRun, KnownAttributions, dumps, loads
from driftgauge.drift.attribution.thresholds import NDCG_THRESHOLD
from driftgauge.drift.bins import FloatArray
from driftgauge.monitor.monitor import ColumnMonitor
from driftgauge.monitor.newest_rows import drawn_values
from driftgauge.monitor.turns import Turns

SHARED: Final = "attributions"
MOST_ROWS: Final = 500
"""Rows of the main window that are explained."""
REST_FACTOR: Final = 50.0
"""Least pause between comparisons, as a multiple of the last one's time: 2 % of one processor."""
STALE_INTERVALS: Final = 5.0
"""Intervals after which a comparison is too old for an alert."""

Measure = Callable[[FloatArray, int], Attributions | None]
"""Returns the attributions of monitored rows, shape [n, columns]; None if none of them can be explained."""


@dataclass(frozen=True)
class AttributionOptions:
    """Options of comparing attributions; see the settings `attribution_…`."""

    interval_seconds: float = 300.0
    threshold: float = NDCG_THRESHOLD


class AttributionMonitor:
    """Compares the attributions of one model version. `step` blocks, and is called by one thread."""

    def __init__(
        self,
        monitor: ColumnMonitor,
        reference: Attributions,
        measure: Measure,
        folder: Path | None,
        options: AttributionOptions | None = None,
    ) -> None:
        """Compare with `reference`; workers share what they know in a folder that exists, None for this process alone.

        `measure` takes monitored rows and a seed.
        """
        self.options: Final = options or AttributionOptions()
        self._monitor = monitor
        self._reference = reference
        self._measure = measure
        self._shared: Final = SharedText(folder, SHARED)
        self._turns: Final = Turns(folder, SHARED)
        self._of: Final = hashlib.sha256(repr((monitor.baseline.hash, astuple(reference))).encode()).hexdigest()[:16]
        self._tried_at = -math.inf
        """When this worker last tried, seconds since 1970."""

    def known(self, now: float) -> KnownAttributions:
        """Return the last comparison of any worker; `now` is seconds since 1970."""
        last = loads(self._shared.read(), self._of)
        is_stale = last is not None and abs(now - last.at) > STALE_INTERVALS * self._pause(last)
        return KnownAttributions(last, self.options.threshold, is_stale)

    def step(self, now: float) -> bool:
        """Compare if it is due and no other worker does; nothing is ever left to do. `now` is seconds since 1970."""
        self._turns.once(lambda: self._is_due(now), lambda: self._compare(now))
        return False

    def _is_due(self, now: float) -> bool:
        last = loads(self._shared.read(), self._of)
        tried = [self._tried_at] if last is None else [self._tried_at, last.at]
        return all(abs(now - at) >= self._pause(last) for at in tried)

    def _pause(self, last: AttributionRun | None) -> float:
        return max(self.options.interval_seconds, 0.0 if last is None else REST_FACTOR * last.seconds)

    def _compare(self, now: float) -> None:
        began, self._tried_at = time.monotonic(), now
        values, rows = drawn_values(self._monitor, now, MOST_ROWS)
        found = self._measure(values, int(now) & 0xFFFFFFFF) if rows else None
        if found is None:
            report = AttributionReport(self._reference.method, 0, self._reference.rows, None, ())
        else:
            # The drawn rows are spread over the window, so fewer of them depend on each other.
            tau = self._monitor.baseline.tau[: len(found.features)] * found.rows / rows
            report = compare(self._reference, found, np.asarray(tau))
        last = AttributionRun(report, now, time.monotonic() - began)
        self._shared.replace(lambda: dumps(last, self._of))
