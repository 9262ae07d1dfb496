"""Adds the novelty of rows to a baseline, and the column of outliers to what is watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from driftgauge.drift.bins import IntArray
from driftgauge.drift.novelty.build import QUANTILE, reference_novelty
from driftgauge.drift.novelty.novelty import OUTLIER, OUTLIER_BINS, Novelty
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.reference.build import WINDOW_SIZES, build_baseline
from driftgauge.drift.reference.columns import Table
from driftgauge.errors import BaselineError


def with_novelty(
    baseline: Baseline,
    table: Table,
    quantile: float = QUANTILE,
    *,
    window_sizes: Sequence[int] = WINDOW_SIZES,
    expected_range_quantile: float = 1.0,
    statistics: Sequence[str] = (),
    hours: IntArray | None = None,
) -> Baseline:
    """Return the baseline of a table with what scores the novelty of its rows, and the column of outliers.

    The other options are those that the baseline was built with. A baseline without features, or with too many
    numeric ones, stays as it is.
    """
    features = [column for column in baseline.columns if column.name not in RESERVED]
    found = reference_novelty(table, features, quantile) if features else None
    if found is None or OUTLIER in baseline.names:
        return baseline
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
    return replace(baseline, novelty=Novelty(names, found.covariance, found.threshold, quantile, column))


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
    return replace(baseline, columns=(*baseline.columns, baseline.novelty.column))
