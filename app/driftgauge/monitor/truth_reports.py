"""The latest report on ground truth, whichever worker evaluated it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from driftgauge.common.shared_text import SharedText
from driftgauge.drift.performance.latches import NO_LATCHES
from driftgauge.drift.performance.report import GroundTruth, PerformanceReport, Reference, latches_after, report_of
from driftgauge.monitor import ground_truth_state as states
from driftgauge.monitor.cohort_builder import CohortBuilder
from driftgauge.monitor.ground_truth_state import TruthState


class TruthReports:
    """Reads what evaluations left in a shared text, never in the database; may be used from several threads."""

    def __init__(
        self, builder: CohortBuilder, reference: Reference, main: str, judged: tuple[str, ...], names: tuple[str, ...]
    ) -> None:
        """Take the main window, those that the verdict rests on, and all `names`; keep reports in memory."""
        self.shared = SharedText()
        """Where evaluations leave their state; the workers of a service give the same file."""
        self._builder: Final = builder
        self._reference: Final = reference
        self._main: Final = main
        self._judged: Final = judged
        self._names: Final = set(names)
        self._known: tuple[str, PerformanceReport | None] = "", None

    @property
    def known(self) -> PerformanceReport | None:
        """The report at the last look; None before the first."""
        return self._known[1]

    def latest(self) -> PerformanceReport | None:
        """Look for a newer report, and return the latest; it reads a small file."""
        text, (known, report) = self.shared.read(), self._known
        if text != known:
            truth = self.loaded(text).truth
            if truth is not None and self.fits(truth):
                report = report_of(truth, self._reference, self._main, self._judged)
            self._known = text, report
        return report

    def publish(self, read: Callable[[], str]) -> None:
        """Share the state that `read` finds in the database; raises what `SharedText.replace` does."""
        try:
            self.shared.replace(read)
        finally:
            self.latest()

    def loaded(self, text: str) -> TruthState:
        """Return a state; one that is damaged begins again, because cohorts are counted from the log."""
        try:
            return states.loads(text, self._builder)
        except ValueError:
            return TruthState()

    def latched(self, before: GroundTruth | None, truth: GroundTruth) -> GroundTruth:
        """Return what was read with the thresholds that are latched after what was read before."""
        latches = NO_LATCHES if before is None else before.latches
        return replace(truth, latches=latches_after(latches, truth, self._reference, self._judged))

    def fits(self, truth: GroundTruth) -> bool:
        """Return whether the windows are those of the options; others were evaluated with other settings."""
        return self._names == set(truth.windows)
