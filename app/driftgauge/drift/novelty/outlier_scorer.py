"""Scores the rows of a baseline, by what the baseline says, and says which are outliers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.novelty.detector_rows import DetectorRows
from driftgauge.drift.novelty.novelty import MAHALANOBIS, Novelty
from driftgauge.drift.novelty.scorer import RowScorer
from driftgauge.drift.reference.columns import ColumnBaseline


class NoveltyScorer:
    """Scores the rows of a baseline and says which are outliers."""

    def __init__(self, novelty: Novelty, columns: Sequence[ColumnBaseline]) -> None:
        self.threshold: Final = novelty.threshold
        self.is_quick: Final = novelty.detector == MAHALANOBIS
        """Whether a score takes microseconds: that of a fitted detector takes milliseconds."""
        self._scored: Final = self._scoring(novelty, columns)

    @staticmethod
    def _scoring(novelty: Novelty, columns: Sequence[ColumnBaseline]) -> Callable[[FloatArray], FloatArray]:
        fitted = novelty.fitted
        if fitted is None:
            return RowScorer(columns, novelty.covariance, frozenset(novelty.features)).scores
        rows = DetectorRows(columns, novelty.features)
        return lambda cells: fitted(rows.of(cells))

    def scores(self, cells: FloatArray) -> FloatArray:
        """Return the score of each row, shape [n]; see `RowScorer.scores`."""
        return self._scored(cells)

    def flags(self, scores: FloatArray) -> FloatArray:
        """Return the cells of the column of outliers, shape [n]: 1 above the threshold, else 0; NaN without a score."""
        flags = (scores > self.threshold).astype(np.float64)
        if not self.is_quick:
            flags[np.isnan(scores)] = np.nan
        return flags
