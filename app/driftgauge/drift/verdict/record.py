"""What the history keeps of a report."""

from __future__ import annotations

import numpy as np

from driftgauge.drift.verdict.column_statistics import BY_NAME
from driftgauge.drift.verdict.history import WINDOW_STATISTICS, History
from driftgauge.drift.verdict.report import DriftReport, score_means
from driftgauge.drift.verdict.rule import RANK


def recorded(report: DriftReport) -> History:
    """Return what the history keeps of a report: one moment of all columns."""
    window = report.main
    numbers = [*(BY_NAME[name].values(window) for name in WINDOW_STATISTICS), report.evidence.log10]
    with np.errstate(over="ignore"):
        statistics = np.array(numbers).astype(np.float32)
    return History(
        names=tuple(report.baseline.names),
        at=np.array([report.evaluated_at]),
        seconds=np.zeros(1),
        rank=np.array([report.rank], np.uint8),
        rows=np.array([float(report.rows_observed)]),
        score_mean=np.array([score_means(report)[0]]),
        ranks=np.array([[RANK[own.status, own.severity] for own in report.verdicts]], np.uint8),
        statistics=statistics[np.newaxis],
    )
