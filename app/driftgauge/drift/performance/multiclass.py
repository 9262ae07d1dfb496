"""Models of several classes: the confusion matrix, and the metrics that it gives."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from driftgauge.drift.performance.counts import CohortCounts, CountLayout, LabelledRows
from driftgauge.drift.performance.intervals import UNKNOWN, Estimate, mean_of, normal, wilson

_SMALLEST: Final = float(np.finfo(np.float64).eps)


def count(layout: CountLayout, rows: LabelledRows) -> CohortCounts:
    """Count rows: the confusion matrix [actual, predicted or unknown], and sums of the log-loss where it is known."""
    classes = layout.classes
    predicted = np.zeros(len(rows), dtype=np.int64) if rows.predicted is None else rows.predicted
    cell = rows.actual.astype(np.int64) * (classes + 1) + np.where(predicted < 0, classes, predicted)
    given = np.full(len(rows), math.nan) if rows.probabilities is None else rows.probabilities
    losses = -np.log(np.clip(given[~np.isnan(given)], _SMALLEST, 1.0))
    confusion = np.bincount(cell, minlength=classes * (classes + 1)).astype(np.float64)
    return CohortCounts(
        layout,
        {
            "confusion": confusion.reshape(classes, classes + 1),
            "sums": np.array([float(len(losses)), losses.sum(), (losses**2).sum()]),
        },
    )


def accuracy(counts: CohortCounts) -> Estimate:
    """Return the share of right classes, with Wilson's interval."""
    confusion = counts.arrays["confusion"]
    return wilson(float(np.trace(confusion)), float(confusion.sum()))


def macro_f1(counts: CohortCounts) -> Estimate:
    """Return the mean F1 of the classes that occur, with the normal interval by the delta method.

    Takahashi, Yamamoto, Kuchiba, Koyama, 2022, "Confidence interval for micro-averaged F1 and macro-averaged F1
    scores".
    """
    confusion = counts.arrays["confusion"]
    rows, classes = confusion.sum(), len(confusion)
    sizes = confusion.sum(axis=1) + confusion[:, :classes].sum(axis=0)
    occurs = sizes > 0
    if not occurs.any():
        return UNKNOWN
    hits, known = np.diag(confusion), float(occurs.sum())
    scores = np.divide(2.0 * hits, sizes, out=np.zeros(classes), where=occurs)
    value = float(scores.sum() / known)
    slope = np.divide(scores, sizes, out=np.zeros(classes), where=occurs) * rows
    gradient = -(slope[:, None] + np.append(slope, 0.0)[None, :])
    gradient[np.diag_indices(classes)] += np.divide(2.0 * rows, sizes, out=np.zeros(classes), where=occurs)
    share, gradient = confusion / rows, gradient / known
    variance = (share * gradient**2).sum() - (share * gradient).sum() ** 2
    return normal(value, float(variance / rows)).clipped(0.0, 1.0)


def log_loss(counts: CohortCounts) -> Estimate:
    """Return the mean negative log-likelihood of the true class, with Student's t interval."""
    rows, total, squares = counts.arrays["sums"]
    return mean_of(total, squares, rows).clipped(0.0, math.inf)


def recalls(counts: CohortCounts) -> list[Estimate]:
    """Return the recall of each class, with Wilson's interval; unknown for a class without rows."""
    confusion = counts.arrays["confusion"]
    return [wilson(float(row[index]), float(row.sum())) for index, row in enumerate(confusion)]
