"""What is kept of the reference to score the novelty of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from driftgauge.drift.bins import Bins, FloatArray
from driftgauge.drift.reference.columns import ColumnBaseline, column_content

OUTLIER: Final = "prediction_outlier"
"""The monitored column that says whether a row is an outlier."""
OUTLIER_BINS: Final = Bins("category", categories=("ok", "outlier"))
"""Its bins: the code of an outlier is 1, that of any other row 0."""

Detector = Literal["mahalanobis", "isolation_forest", "one_class_svm"]
MAHALANOBIS: Final = "mahalanobis"


@dataclass(frozen=True)
class Novelty:
    """The joint distribution of the reference's numbers, and the threshold of a row's score."""

    features: tuple[str, ...]
    """The columns that are scored, in the baseline's order."""
    covariance: tuple[float, ...]
    """Covariance of the standardised numeric columns, missing values as their mean: (0, 0), (0, 1), … (1, 1), …"""
    threshold: float
    """Rows with a higher score are outliers."""
    quantile: float
    """Share of the reference's rows whose score is at most the threshold."""
    column: ColumnBaseline
    """The column of outliers in the reference, each row scored as if it had not been in it."""
    detector: Detector = MAHALANOBIS
    """What scores rows, and what threshold and column are of."""
    fitted: Callable[[FloatArray], FloatArray] | None = field(default=None, compare=False, repr=False)
    """Scores rows of `DetectorRows`; None for `mahalanobis`, and where the detector's file was not read."""

    @property
    def ratio(self) -> float:
        """The share of outliers in the reference."""
        return self.column.counts[1] / self.column.rows


def packed(matrix: FloatArray) -> tuple[float, ...]:
    """Return the upper triangle of a covariance, to ten decimals."""
    return tuple(np.round(matrix[np.triu_indices(len(matrix))], 10).tolist())


def unpacked(triangle: Sequence[float]) -> FloatArray:
    """Return a covariance as a matrix, shape [numeric, numeric]."""
    size = round((2.0 * len(triangle) + 0.25) ** 0.5 - 0.5)
    matrix = np.zeros((size, size))
    matrix[np.triu_indices(size)] = triangle
    upper: FloatArray = np.triu(matrix, 1)
    return matrix + upper.T


def novelty_content(novelty: Novelty) -> dict[str, Any]:
    """Return the novelty as JSON has it."""
    return {
        "features": list(novelty.features),
        "covariance": list(novelty.covariance),
        "threshold": novelty.threshold,
        "quantile": novelty.quantile,
        "column": column_content(novelty.column),
        **({} if novelty.detector == MAHALANOBIS else {"detector": novelty.detector}),
    }
