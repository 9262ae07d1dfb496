"""Keeps the rolling reference of one model version: it counts each day once, one worker at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.rolling.reference import (
    DayRows,
    RollingReference,
    days_before,
    drifted_days,
    rolling_baseline,
    rolling_reference,
    with_unknown,
)
from driftgauge.drift.rolling.report import RollingReport, rolling_report
from driftgauge.drift.verdict.history import History
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.windows.time_spans import DAY_SECONDS
from driftgauge.predictions.day_codes import day_codes
from driftgauge.predictions.store import PredictionStore
from driftgauge.state.rolling_files import RollingFiles

MOST_ROWS: Final = 100_000
"""Rows that are counted of a day."""
MOST_CELLS: Final = 3_000_000
"""Rows of a day times columns: with more than thirty columns fewer rows are counted."""
SMALL_WINDOW: Final = 1_000
"""Rows of the smaller window for which the expected range is measured: the main window while it fills."""


@dataclass(frozen=True)
class RollingOptions:
    """Options of a rolling reference; see the settings of similar names."""

    days: int = 14
    refresh_seconds: float = DAY_SECONDS
    main_window: int = 10_000


class RollingMonitor:
    """The rolling reference of one model version. `step` blocks, and is called by one thread at a time."""

    def __init__(
        self,
        store: PredictionStore,
        model: str,
        known: Baseline,
        files: RollingFiles,
        history: Callable[[float], History],
        options: RollingOptions,
        watched: Baseline | None = None,
    ) -> None:
        """Count the logged predictions of a model; `history` returns the verdicts since a time.

        `known` is the baseline of the logged columns. `watched` is that of the reports, by default the same: it may
        have more columns at the end, such as that of outliers, which the log does not keep and no day is counted of.
        """
        self._store = store
        self._model = model
        self._known = known
        self._watched: Final = watched or known
        self._files = files
        self._history = history
        self.options: Final = options
        self._current: tuple[RollingReference, Baseline] | None = None
        self._last: RollingReport | None = None

    def step(self, now: float) -> bool:
        """Count a day or build the reference if it is due, and take over the latest; return whether more is left.

        `now` is the time of the monitor's clock, seconds since 1970.
        """
        self._refresh()
        if not math.isfinite(now) or not self._is_due(now):
            return False
        with self._files.alone() as is_alone:
            if not is_alone:
                return False
            days = days_before(now, self.options.days)
            missing = [day for day in days if day not in self._files.days()]
            if missing:
                most = min(MOST_ROWS, MOST_CELLS // len(self._known.columns))
                codes = day_codes(self._store, self._model, self._known, missing[-1], most)
                self._files.write_day(DayRows(missing[-1], codes))
                return True
            is_left = self._build(days, now)
        self._refresh()
        return is_left

    def report_on(self, report: DriftReport) -> RollingReport | None:
        """Return the comparison of a report's main window; None before the first reference."""
        current, last = self._current, self._last
        if current is None:
            return None
        if last is None or last.report is not report or last.reference is not current[0]:
            last = self._last = rolling_report(*current, report)
        return last

    def _build(self, days: range, now: float) -> bool:
        """Build the reference of the days; return whether a day must be counted again, because its file is damaged."""
        read = {day: self._files.read_day(day) for day in days}
        damaged = [day for day, rows in read.items() if rows is None or rows.codes.shape[1] != len(self._known.columns)]
        for day in damaged:
            self._files.forget_day(day)
        if damaged:
            return True
        rows = [own for own in read.values() if own is not None]
        left_out = drifted_days(self._history(days[0] * DAY_SECONDS), days)[:, : len(self._known.columns)]
        main = self.options.main_window
        self._files.write_reference(
            rolling_reference(self._known, rows, left_out, sorted({min(SMALL_WINDOW, main), main}), now)
        )
        self._files.keep_days(days)
        return False

    def _is_due(self, now: float) -> bool:
        """Return whether the reference is old, missing, or of a clock that was ahead."""
        if self._current is None:
            return True
        age = now - self._current[0].built_at
        return age >= self.options.refresh_seconds or age < 0.0

    def _refresh(self) -> None:
        """Take over the reference of whichever worker built it last."""
        found = self._files.read_reference()
        if found is None or found.counts.shape != self._known.counts.shape:
            return
        if self._current is None or found.built_at != self._current[0].built_at:
            padded = with_unknown(found, self._watched)
            self._current = padded, rolling_baseline(self._watched, padded)
