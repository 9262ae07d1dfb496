"""The area under the ROC curve, and its variance."""

from __future__ import annotations

import math

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray


def rows_by_score(scores: FloatArray, positive: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return the positive and the other rows of each distinct score, ascending."""
    distinct, codes = np.unique(scores, return_inverse=True)
    positives = np.bincount(codes[positive], minlength=len(distinct)).astype(np.float64)
    return positives, np.bincount(codes, minlength=len(distinct)) - positives


def area(positives: FloatArray, negatives: FloatArray) -> float:
    """Return the probability that a positive row has a higher score than another, ties half; NaN without both.

    Both are rows by ascending score, counted or expected.
    """
    pairs = float(positives.sum()) * float(negatives.sum())
    below = np.cumsum(negatives) - 0.5 * negatives
    return float(positives @ below) / pairs if pairs > 0.0 else math.nan


def delong(positives: FloatArray, negatives: FloatArray) -> tuple[float, float]:
    """Return the area and its variance, of at least two rows of both kinds, counted by ascending score.

    DeLong, DeLong, Clarke-Pearson, 1988, "Comparing the areas under two or more correlated receiver operating
    characteristic curves".
    """
    m, n = positives.sum(), negatives.sum()
    beaten = (np.cumsum(negatives) - 0.5 * negatives) / n
    beating = (m - np.cumsum(positives) + 0.5 * positives) / m
    found = area(positives, negatives)
    return found, _variance(beaten, positives, found) / m + _variance(beating, negatives, found) / n


def _variance(values: FloatArray, weights: FloatArray, mean: float) -> float:
    return float((weights * (values - mean) ** 2).sum() / (weights.sum() - 1.0))
