"""The main window against the rolling reference: sizes of changes, without a budget of false alarms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.rolling.reference import RollingReference
from driftgauge.drift.verdict.comparison import compare
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import LIMITS, Severity
from driftgauge.drift.windows.window import Window


@dataclass(frozen=True, eq=False)
class RollingReport:
    """The main window of a report against the rolling reference; arrays have shape [columns], NaN where unknown."""

    reference: RollingReference
    report: DriftReport
    """That of the training baseline."""
    psi_debiased: FloatArray
    p_value: FloatArray
    """Of Pearson's chi-squared test, which takes rows as independent."""
    thresholds: FloatArray
    """`psi_debiased` for warning and critical, shape [columns, 2]."""
    by_expected_range: BoolArray
    """Whether the expected range of the days sets the thresholds, and not the settings."""
    effects: FloatArray
    """`psi_debiased` in units of the threshold for warning; NaN where the window has too few rows."""

    @property
    def severities(self) -> tuple[Severity | None, ...]:
        """The severity of each column: warning for a large change, info if the column raises no alert."""
        policy = self.report.policy
        return tuple(
            None if not effect >= 1.0 else "warning" if policy.column(name).alert else "info"
            for name, effect in zip(self.report.baseline.names, self.effects.tolist(), strict=True)
        )

    @property
    def severity(self) -> Severity | None:
        """The severity of the worst column; it is no part of the model's verdict."""
        return next((own for own in ("warning", "info") if own in self.severities), None)

    @property
    def changed(self) -> tuple[str, ...]:
        """The columns with a large change, the largest first."""
        order = np.argsort(-np.nan_to_num(self.effects), kind="stable").tolist()
        return tuple(self.report.baseline.names[index] for index in order if self.severities[index])


def rolling_report(reference: RollingReference, baseline: Baseline, report: DriftReport) -> RollingReport:
    """Compare the main window of a report with the rolling reference, by the thresholds of its policy.

    `baseline` is what `rolling_baseline` gives for the reference.
    """
    main, hidden = report.main, ~reference.is_known | ~report.policy.monitored(report.baseline.names)
    window = Window(main.name, main.rows, main.start, main.end, main.counts, capacity=main.capacity)
    found = compare(baseline, [window], report.policy.by_psi())[0]
    thresholds = np.stack([found.thresholds[limit] for limit in LIMITS], axis=1)
    return RollingReport(
        reference=reference,
        report=report,
        psi_debiased=np.where(hidden, np.nan, found.psi.debiased),
        p_value=np.where(hidden, np.nan, found.significance.p_value),
        thresholds=np.where(hidden[:, None], np.nan, thresholds),
        by_expected_range=found.by_expected_range & ~hidden,
        effects=np.where(hidden, np.nan, found.effect("warning")),
    )
