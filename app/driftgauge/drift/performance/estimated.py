"""Estimates of a model's performance before ground truth comes, from held-out rows and live ones.

Every estimate rests on one assumption: that truths still depend on scores (of a regression, errors on features) as
they did on the held-out rows. Live rows may be distributed differently. Concept drift is what breaks the assumption,
so no estimate can see it: see `errors` for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.statistics.roc import area

CALIBRATION_BINS: Final = 128
FEWEST_BIN_ROWS: Final = 20
"""Held-out rows of a calibration bin, on average; with fewer rows there are fewer bins."""
FEWEST_BINS: Final = 10
FEWEST_HELD_OUT_ROWS: Final = 100
"""Held-out rows below which there is no estimate."""
FEWEST_ROWS: Final = 200
"""Rows of a window below which there is no estimate."""
_MIDDLE: Final = 0.5

ASSUMPTION: Final = (
    "Estimated without ground truth, on the assumption that truths depend on the model's answers as they did on the "
    "held-out rows. Concept drift breaks the assumption, and the estimate does not show it."
)

Estimates = Mapping[str, float]
"""The estimated metrics of one window by name, of those in `ESTIMATED_METRICS`."""


@dataclass(frozen=True)
class EstimatedMetric:
    """A metric that is estimated, declared once for metrics, JSON, OpenAPI and the page."""

    name: str
    words: str
    """What a person calls it, which begins a sentence."""

    @property
    def gauge(self) -> str:
        """The name of its gauge."""
        return f"model_estimated_{self.name}"

    @property
    def help(self) -> str:
        """What its gauge tells, and what it rests on."""
        return f"{self.words} on the window's rows. {ASSUMPTION} Absent without held-out rows."


ESTIMATED_METRICS: Final = (
    EstimatedMetric("accuracy", "Estimated accuracy"),
    EstimatedMetric("roc_auc", "Estimated area under the ROC curve"),
    EstimatedMetric("mae", "Estimated mean absolute error"),
)


@dataclass(frozen=True)
class Calibration:
    """Held-out rows counted by score: how often a score of each bin is right (CBPE).

    Confidence-based performance estimation: a calibrated score says how probable it is that the answer is right. Of
    two classes, `hits` are rows of the positive class; of several, rows whose class was right.
    """

    edges: tuple[float, ...]
    """Ends of the bins but the last; bins are right-closed."""
    rows: tuple[int, ...]
    """Held-out rows of each bin, shape [bins]."""
    hits: tuple[int, ...]
    """Shape [bins]."""
    answered: tuple[int, ...]
    """Rows that the model answered with the positive class; of several classes, all rows. Shape [bins]."""
    binary: bool

    def __post_init__(self) -> None:
        size = len(self.edges) + 1
        if not len(self.rows) == len(self.hits) == len(self.answered) == size:
            raise ValueError(f"a calibration table with {size} bins needs as many rows, hits and answered rows")
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError("the edges of a calibration table do not ascend")
        counts = zip(self.rows, self.hits, self.answered, strict=True)
        if not sum(self.rows) or any(not 0 <= few <= rows for rows, *parts in counts for few in parts):
            raise ValueError("a bin of a calibration table has more hits or answered rows than rows")

    @cached_property
    def shares(self) -> FloatArray:
        """Probability of a hit in each bin, ascending: the isotonic regression of the bins. Shape [bins]."""
        from scipy.optimize import isotonic_regression  # a fifth of a second, which baselines without scores save

        rows, hits = np.array(self.rows, dtype=np.float64), np.array(self.hits, dtype=np.float64)
        filled = np.flatnonzero(rows)
        fitted = isotonic_regression(hits[filled] / rows[filled], weights=rows[filled]).x
        shares: FloatArray = np.interp(np.arange(len(rows)), filled, fitted)
        return shares

    @cached_property
    def _right(self) -> FloatArray:
        """Probability that the answer is right in each bin, shape [bins]."""
        rows = np.array(self.rows, dtype=np.float64)
        empty = np.arange(len(rows)) > np.searchsorted(self.edges, _MIDDLE) if self.binary else np.ones(len(rows))
        with np.errstate(invalid="ignore"):
            positive = np.where(rows > 0, np.array(self.answered) / rows, empty)
        right: FloatArray = positive * self.shares + (1.0 - positive) * (1.0 - self.shares)
        return right

    @property
    def held_out(self) -> Estimates:
        """The area under the ROC curve of the held-out rows, of two classes."""
        rows, hits = np.array(self.rows, dtype=np.float64), np.array(self.hits, dtype=np.float64)
        return _roc_auc(hits, rows - hits) if self.binary else {}

    def estimate(self, scores: FloatArray) -> Estimates:
        """Return the estimated metrics of live rows with these scores (shape [n]); none for too few.

        A ranking needs two classes: `roc_auc` is left out for several, and where every truth is expected to be equal.
        """
        known = scores[np.isfinite(scores)]
        if len(known) < FEWEST_ROWS:
            return {}
        counts = np.bincount(np.searchsorted(self.edges, known, side="left"), minlength=len(self.rows))
        found = {"accuracy": float(counts @ self._right / counts.sum())}
        return found | (_roc_auc(counts * self.shares, counts * (1.0 - self.shares)) if self.binary else {})


def _roc_auc(positive: FloatArray, negative: FloatArray) -> dict[str, float]:
    """Return the area under the ROC curve from expected rows by ascending score; ties in a bin count half."""
    found = area(positive, negative)
    return {} if np.isnan(found) else {"roc_auc": found}


def fit_calibration(scores: FloatArray, hit: BoolArray, answered: BoolArray, *, binary: bool) -> Calibration | None:
    """Count held-out rows by score; None for fewer than `FEWEST_HELD_OUT_ROWS`. All of shape [n]; scores are finite.

    Bins end at quantiles of the scores, and where the answers turn positive.
    """
    if len(scores) < FEWEST_HELD_OUT_ROWS:
        return None
    bins = min(CALIBRATION_BINS, max(FEWEST_BINS, len(scores) // FEWEST_BIN_ROWS))
    inner = np.quantile(scores, np.linspace(0.0, 1.0, bins + 1)[1:-1], method="inverted_cdf")
    edges = np.union1d(inner, _boundary(scores, answered) if binary else [])
    code = np.searchsorted(edges, scores, side="left")
    rows, hits, positive = (
        np.bincount(code[which], minlength=len(edges) + 1) for which in (slice(None), hit, answered)
    )
    return Calibration(
        edges=tuple(edges.tolist()),
        rows=tuple(rows.tolist()),
        hits=tuple(hits.tolist()),
        answered=tuple(positive.tolist()),
        binary=binary,
    )


def _boundary(scores: FloatArray, answered: BoolArray) -> list[float]:
    """Return the score up to which answers are negative; nothing if the score does not decide the answer."""
    below, above = scores[~answered], scores[answered]
    if not (len(below) and len(above)):
        return [_MIDDLE]
    low, high = float(below.max()), float(above.min())
    if low >= high:
        return []
    return [_MIDDLE if low <= _MIDDLE < high else (low + high) / 2.0]
