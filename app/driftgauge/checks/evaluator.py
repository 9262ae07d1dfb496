"""Verdicts on windows in their order: thresholds that are reached carry over to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from driftgauge.checks.report import WindowVerdict
from driftgauge.drift.evidence.detector import Detector, Evidence
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import Carryover, evaluate
from driftgauge.drift.verdict.rule import Status
from driftgauge.drift.windows.window import Window


class Evaluator:
    """Evaluates windows in order; latches, and since when columns drift, carry over to the next."""

    def __init__(self, baseline: Baseline, policy: Policy, detector: Detector) -> None:
        self.baseline: Final = baseline
        self._policy: Final = policy
        self._memory = Carryover.start(detector)
        self._rows = 0
        self._began: dict[str, str] = {}

    def verdict(
        self, window: Window, evidence: Evidence, at: float, tables: Sequence[Path], held_rows: int
    ) -> WindowVerdict:
        """Return the verdict on the next window, with the evidence up to its end; `at` is its time."""
        self._rows += window.rows
        policy = replace(self._policy, windows=(window.rows,), time_windows=())
        memory = replace(self._memory, evidence=evidence)
        report, self._memory = evaluate(self.baseline, [window], self._rows, memory, policy, at)
        drifting = [verdict.name for verdict in report.verdicts if verdict.status is Status.DRIFT_DETECTED]
        self._began = {name: self._began.get(name, window.name) for name in drifting}
        return WindowVerdict(window.name, tuple(tables), report, self._began, held_rows)
