"""Binary models: counts by score, and the metrics that they give."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.performance.counts import CohortCounts, CountLayout, LabelledRows
from driftgauge.drift.performance.intervals import UNKNOWN, Estimate, Z, mean_of, normal, wilson
from driftgauge.drift.statistics import roc

CALIBRATION_GROUPS: Final = 15
"""Groups of about as many rows each, ordered by score, whose mean score is compared with their positive rate."""
_SMALLEST: Final = float(np.finfo(np.float64).eps)
_BRIER, _BRIER_SQUARED, _LOG_LOSS, _LOG_LOSS_SQUARED = range(4)


def count(layout: CountLayout, rows: LabelledRows) -> CohortCounts:
    """Count rows: both classes by score bin, the confusion matrix [actual, predicted or unknown], sums of losses."""
    positive = rows.actual == 1.0
    scores = np.clip(rows.scores, 0.0, 1.0)
    bins = np.searchsorted(np.array(layout.edges), rows.scores, side="left")
    width = len(layout.edges) + 1
    predicted = (scores > 0.5).astype(np.int64) if rows.predicted is None else rows.predicted
    column = np.where(predicted < 0, 2, predicted)
    squared = (scores - positive) ** 2
    likely = np.clip(np.where(positive, scores, 1.0 - scores), _SMALLEST, 1.0)
    log_loss = -np.log(likely)
    return CohortCounts(
        layout,
        {
            "positives": np.bincount(bins[positive], minlength=width).astype(np.float64),
            "negatives": np.bincount(bins[~positive], minlength=width).astype(np.float64),
            "score_sums": np.bincount(bins, weights=scores, minlength=width).astype(np.float64),
            "confusion": np.bincount(positive * 3 + column, minlength=6).astype(np.float64).reshape(2, 3),
            "sums": np.array([squared.sum(), (squared**2).sum(), log_loss.sum(), (log_loss**2).sum()]),
        },
    )


def accuracy(counts: CohortCounts) -> Estimate:
    """Return the share of right classes, with Wilson's interval."""
    confusion = counts.arrays["confusion"]
    return wilson(confusion[0, 0] + confusion[1, 1], confusion.sum())


def precision(counts: CohortCounts) -> Estimate:
    """Return the share of true positives among predicted positives, with Wilson's interval."""
    confusion = counts.arrays["confusion"]
    return wilson(confusion[1, 1], confusion[:, 1].sum())


def recall(counts: CohortCounts) -> Estimate:
    """Return the share of actual positives that were predicted, with Wilson's interval."""
    confusion = counts.arrays["confusion"]
    return wilson(confusion[1, 1], confusion[1].sum())


def f1(counts: CohortCounts) -> Estimate:
    """Return F1, the harmonic mean of precision and recall.

    F1 = 2J / (1 + J) of the Jaccard index J = TP / (TP + FP + FN). J is a rate among these rows, so the bounds are
    those of its Wilson interval.
    """
    confusion = counts.arrays["confusion"]
    jaccard = wilson(confusion[1, 1], confusion[1].sum() + confusion[0, 1])
    return Estimate(*(2.0 * own / (1.0 + own) for own in (jaccard.value, jaccard.lower, jaccard.upper)))


def roc_auc(counts: CohortCounts) -> Estimate:
    """Return the area under the ROC curve with DeLong's interval on the logit scale.

    Scores of one bin count as ties. Where all pairs are in order, or none is, the interval is Wilson's of as many
    trials as the smaller class has rows.
    """
    positives, negatives = counts.arrays["positives"], counts.arrays["negatives"]
    m, n = positives.sum(), negatives.sum()
    if not m or not n:
        return UNKNOWN
    if m < 2 or n < 2:
        return Estimate(roc.area(positives, negatives), 0.0, 1.0)
    area, variance = roc.delong(positives, negatives)
    if not 0.0 < area < 1.0 or variance <= 0.0:
        fallback = wilson(area * min(m, n), min(m, n))
        return Estimate(area, fallback.lower, fallback.upper)
    half = Z * math.sqrt(variance) / (area * (1.0 - area))
    logit = math.log(area / (1.0 - area))
    return Estimate(area, _expit(logit - half), _expit(logit + half))


def _expit(value: float) -> float:
    return 0.5 * (1.0 + math.tanh(0.5 * value))


def brier(counts: CohortCounts) -> Estimate:
    """Return the mean squared error of the probability, with Student's t interval."""
    sums = counts.arrays["sums"]
    return mean_of(sums[_BRIER], sums[_BRIER_SQUARED], counts.rows).clipped(0.0, 1.0)


def log_loss(counts: CohortCounts) -> Estimate:
    """Return the mean negative log-likelihood of the truth, with Student's t interval."""
    sums = counts.arrays["sums"]
    return mean_of(sums[_LOG_LOSS], sums[_LOG_LOSS_SQUARED], counts.rows).clipped(0.0, math.inf)


def calibration_error(counts: CohortCounts) -> Estimate:
    """Return the debiased root mean squared calibration error over `CALIBRATION_GROUPS` groups of scores.

    From the squared difference of each group's mean score and positive rate the variance that the rate has by chance
    is subtracted, so that a perfect model gets 0 and not a number that grows with fewer rows. Kumar, Liang, Ma, 2019,
    "Verified uncertainty calibration". The interval is the normal one of the mean square, by the delta method.
    """
    rows, positives, scores = _groups(counts)
    if not len(rows):
        return UNKNOWN
    share, rate = rows / rows.sum(), positives / rows
    smooth = (positives + 0.5) / (rows + 1.0)
    chance, noise = rate * (1.0 - rate) / (rows - 1.0), smooth * (1.0 - smooth) / rows
    squared = (scores / rows - rate) ** 2 - chance
    variance = (share**2 * (4.0 * np.maximum(0.0, squared) * noise + 2.0 * noise**2)).sum()
    found = normal(float((share * squared).sum()), float(variance))
    return Estimate(*(math.sqrt(max(0.0, own)) for own in (found.value, found.lower, found.upper)))


def _groups(counts: CohortCounts) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return rows, positives and sum of scores of each group of at least two rows."""
    positives = counts.arrays["positives"]
    rows = positives + counts.arrays["negatives"]
    middle = (np.cumsum(rows) - 0.5 * rows) / max(1.0, rows.sum())
    group = np.minimum((middle * CALIBRATION_GROUPS).astype(np.int64), CALIBRATION_GROUPS - 1)
    columns = np.stack([rows, positives, counts.arrays["score_sums"]])
    summed: FloatArray = columns @ np.equal.outer(group, np.arange(CALIBRATION_GROUPS)).astype(np.float64)
    kept: FloatArray = summed[:, summed[0] >= 2]
    return kept[0], kept[1], kept[2]
