"""What scores answered rows with a slow detector of outliers."""

from __future__ import annotations

from concurrent.futures import Executor

from driftgauge.drift.novelty.outlier_scorer import NoveltyScorer
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.monitor.later import LaterOutliers
from driftgauge.settings.options import Settings


def later_outliers(
    settings: Settings, model: ModelMonitoring, scorer: NoveltyScorer, executor: Executor
) -> LaterOutliers | None:
    """Return what scores a model's rows after their answers; None if they are scored before."""
    if scorer.is_quick or settings.outliers_inline:
        return None
    rows, batch = settings.max_queued_rows, settings.max_batch_rows
    return LaterOutliers(model.monitor, scorer, model.problems, executor, queue_rows=rows, batch_rows=batch)
