"""What scores answered rows of a served model for outliers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from driftgauge.drift.novelty.outlier_scorer import NoveltyScorer
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.models.predictor import Predictor
from driftgauge.monitor.later import LaterOutliers
from driftgauge.serving.outliers import OutlierScorer, sample_scores
from driftgauge.settings.options import Settings


@dataclass(frozen=True)
class OutlierScoring:
    """How the rows of a model are scored: before their answers, which then say so, after them, or not at all."""

    before: NoveltyScorer | None
    """Scores rows before they are answered."""
    later: LaterOutliers | None
    """Scores rows after they were answered, because its detector is slow."""
    thread: ThreadPoolExecutor
    """Where `later` scores; it begins with the first rows."""

    @classmethod
    def of(cls, settings: Settings, baseline: Baseline, monitoring: ModelMonitoring) -> OutlierScoring:
        """Return how the rows of a monitored model are scored, as its settings say."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="outliers")
        scorer = baseline.novelty_scorer if settings.outliers else None
        if scorer is None or scorer.is_quick or settings.outliers_inline:
            return cls(scorer, None, thread)
        rows, batch = settings.max_queued_rows, settings.max_batch_rows
        monitor, problems = monitoring.monitor, monitoring.problems
        return cls(None, LaterOutliers(monitor, scorer, problems, thread, queue_rows=rows, batch_rows=batch), thread)

    @property
    def threshold(self) -> float | None:
        """Rows with a higher score are outliers; None if answers do not say so."""
        return None if self.before is None else self.before.threshold

    def scorer(self, monitoring: ModelMonitoring) -> OutlierScorer | None:
        """Return what scores the rows of a batch; None if answers do not say so."""
        return None if self.before is None else OutlierScorer(self.before, monitoring.problems)

    def samples(self, predictor: Predictor) -> Sequence[float]:
        """Return the scores of the samples that clients may see; none if answers do not say so."""
        return () if self.before is None else sample_scores(predictor, self.before)
