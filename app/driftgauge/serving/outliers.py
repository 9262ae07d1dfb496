"""Scores how unlike the reference answered rows are; a failure there never fails an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.novelty.outlier_scorer import NoveltyScorer
from driftgauge.models.predictor import Predictor, batch_of
from driftgauge.monitor.problems import Problems

PROBLEM: Final = "outliers_failed"


class OutlierScorer:
    """Scores rows of the baseline's columns."""

    def __init__(self, scorer: NoveltyScorer, problems: Problems) -> None:
        """Score rows with a baseline's scorer, and record what goes wrong."""
        self.threshold: Final = scorer.threshold
        """Rows with a higher score are outliers."""
        self.is_quick: Final = scorer.is_quick
        self._scorer: Final = scorer
        self._problems: Final = problems

    def scores(self, columns: FloatArray) -> Sequence[float] | None:
        """Return the score of each row, shape [n]; None if they cannot be scored."""
        try:
            scores: list[float] = self._scorer.scores(columns).tolist()
            return scores
        except Exception as error:  # the rows are answered all the same
            self._problems.record(PROBLEM, error)
            return None


def sample_scores(predictor: Predictor, scorer: NoveltyScorer) -> Sequence[float]:
    """Return the outlier scores of the model's samples that clients may see."""
    samples = [sample.features for sample in predictor.info.shown_samples]
    if not samples:
        return ()
    scores: list[float] = scorer.scores(predictor.predict(batch_of(predictor.info.features, samples)).columns).tolist()
    return scores
