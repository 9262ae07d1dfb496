"""Judges the long time windows of a monitor's reports; days that are over are measured once."""

from __future__ import annotations

from typing import Final

from driftgauge.drift.gradual.day_variation import DayVariation, day_variation
from driftgauge.drift.gradual.report import GradualReport, gradual_report, long_windows
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.monitor.problems import Problems

NOT_JUDGED: Final = "long_windows_not_judged"


class LongWindows:
    """The long time windows of one monitor."""

    def __init__(self, problems: Problems) -> None:
        """Record in `problems` what fails, so that what shows the verdict goes on."""
        self._problems = problems
        self._measured: tuple[tuple[str, float, int], DayVariation] | None = None
        self._last: GradualReport | None = None

    def report_on(self, report: DriftReport) -> GradualReport | None:
        """Return the verdicts on the long windows of a report; None without any, and if that fails."""
        last = self._last
        if last is not None and last.report is report:
            return last
        found = None
        with self._problems.apart(NOT_JUDGED):
            found = gradual_report(report, self._variation(report))
        self._last = found
        return found

    def _variation(self, report: DriftReport) -> DayVariation | None:
        """Return the variation of the days of the longest window, measured anew when a day or its rows changed."""
        windows = long_windows(report)
        days = windows[-1].days if windows else None
        if days is None:
            return None
        key = (windows[-1].name, days.end, int(days.rows.sum()))
        measured = self._measured
        if measured is None or measured[0] != key:
            measured = self._measured = key, day_variation(days)
        return measured[1]
