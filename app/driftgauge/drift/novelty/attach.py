"""Adds the novelty of rows to a baseline, and the column of outliers to what is watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.novelty.build import QUANTILE, detector_rows, reference_novelty
from driftgauge.drift.novelty.novelty import MAHALANOBIS, OUTLIER, OUTLIER_BINS, Detector, Novelty
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.reference.build import WINDOW_SIZES, build_baseline
from driftgauge.drift.reference.columns import Table
from driftgauge.errors import BaselineError


@dataclass(frozen=True)
class Detected:
    """A detector that was fitted on the reference."""

    name: Detector
    fitted: Callable[[FloatArray], FloatArray]
    """Returns the score of each row."""
    scores: FloatArray
    """Of the reference's rows, each by a detector that was fitted without it; shape [rows]."""


def with_novelty(
    baseline: Baseline,
    table: Table,
    quantile: float = QUANTILE,
    *,
    window_sizes: Sequence[int] = WINDOW_SIZES,
    expected_range_quantile: float = 1.0,
    statistics: Sequence[str] = (),
    hours: IntArray | None = None,
    detect: Callable[[FloatArray], Detected] | None = None,
) -> Baseline:
    """Return the baseline of a table with what scores the novelty of its rows, and the column of outliers.

    The other options are those that the baseline was built with. A baseline without features, or with too many
    numeric ones, stays as it is. `detect` fits a detector on rows of `DetectorRows`, which then scores them.
    """
    features = [column for column in baseline.columns if column.name not in RESERVED]
    found = reference_novelty(table, features, quantile) if features else None
    if found is None or OUTLIER in baseline.names:
        return baseline
    detected = None if detect is None else detect(detector_rows(table, features))
    if detected is not None:
        found = found.by(detected.scores, quantile)
    column = build_baseline(
        {OUTLIER: found.outliers},
        created=baseline.created,
        ordered_by=baseline.time_column,
        window_sizes=window_sizes,
        expected_range_quantile=expected_range_quantile,
        zero_bin=baseline.zero_bin,
        statistics=statistics,
        hours=hours,
        fixed_bins={OUTLIER: OUTLIER_BINS},
    ).columns[0]
    names = tuple(own.name for own in features)
    novelty = Novelty(names, found.covariance, found.threshold, quantile, column)
    if detected is not None:
        novelty = replace(novelty, detector=detected.name, fitted=detected.fitted)
    return replace(baseline, novelty=novelty)


def watching_outliers(baseline: Baseline) -> Baseline:
    """Return the baseline with the column of outliers as its last; BaselineError if it cannot tell them."""
    if baseline.novelty is None:
        what = "`driftgauge bundle create` or `driftgauge baseline build`"
        if OUTLIER in baseline.names:
            raise BaselineError(
                f"outliers: the baseline has a column {OUTLIER}, which is reserved: give it another name"
            )
        raise BaselineError(
            "outliers: the baseline cannot tell outliers. One of an earlier version, one learned from the prediction "
            f"log and one of more than 1000 numeric columns cannot: build it again with {what}, or set outliers = false"
        )
    if baseline.novelty.detector != MAHALANOBIS and baseline.novelty.fitted is None:
        raise BaselineError(
            f"outliers: the {baseline.novelty.detector} of the baseline is in a file beside it: read the baseline from "
            "its file, or set outliers = false"
        )
    return replace(baseline, columns=(*baseline.columns, baseline.novelty.column))
