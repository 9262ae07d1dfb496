"""What one evaluation finds beside drift: the performance without ground truth, and the constraints."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from driftgauge.drift.performance.held_out import Estimated, HeldOut, estimated
from driftgauge.drift.quality.checker import Checker
from driftgauge.drift.quality.report import QualityReport
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.windows.window import Window
from driftgauge.monitor.problems import Problems
from driftgauge.state.snapshot import StateSnapshot

CONSTRAINTS: Final = "constraints_not_checked"
ESTIMATES: Final = "performance_not_estimated"
_FAILED: Final = Estimated(unavailable=f"the estimate failed: see {ESTIMATES} among the problems")


class Beside:
    """Evaluates windows for all but drift; what fails is a problem, and leaves everything else as it is."""

    def __init__(
        self, baseline: Baseline, held_out: HeldOut | None, checker: Checker | None, problems: Problems | None
    ) -> None:
        """Estimate from held-out rows, and check with `checker`, where there are such."""
        self._baseline: Final = baseline
        self._held_out: Final = held_out
        self._checker: Final = checker
        self._problems: Final = problems or Problems(time.time)

    def evaluate(self, windows: Sequence[Window], held: StateSnapshot) -> tuple[Estimated, QualityReport | None]:
        """Return the estimated performance, and what the windows say of the constraints; None without any."""
        expected, quality = _FAILED, None
        with self._problems.apart(ESTIMATES):
            expected = estimated(self._held_out, self._baseline, windows)
        if self._checker is not None:
            with self._problems.apart(CONSTRAINTS):
                quality = self._checker.report_beside(windows, held.evidence)
        return expected, quality
