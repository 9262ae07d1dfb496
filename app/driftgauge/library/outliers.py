"""What `Monitor.observe` says about outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.novelty.outlier_scorer import NoveltyScorer


@dataclass(frozen=True)
class RowOutliers:
    """Which of the observed rows are outliers, in their order."""

    is_outlier: Sequence[bool]
    outlier_score: Sequence[float]
    """How unlike the reference each row is: 0 for the most ordinary one."""

    @classmethod
    def of(cls, scores: FloatArray, scorer: NoveltyScorer) -> RowOutliers:
        """Return what the scores of rows say."""
        return cls((scores > scorer.threshold).tolist(), scores.tolist())
