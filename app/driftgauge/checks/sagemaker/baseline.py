"""A baseline of what SageMaker's model monitor keeps of the training data."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from driftgauge.checks.sagemaker.points import Points, points_of_buckets, points_of_sketch, with_ends
from driftgauge.checks.sagemaker.statistics import FeatureStatistics, NumberStatistics, Statistics, TextStatistics
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import (
    MISSING,
    OTHER,
    Bins,
    FloatArray,
    fit_categorical,
    fit_numeric,
    just_below,
    reference_counts,
)
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import reference_quantiles
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.errors import BaselineError


@dataclass(frozen=True)
class ImportedBaseline:
    """A baseline of SageMaker's statistics, and what they do not say."""

    baseline: Baseline
    left_out: tuple[str, ...]
    """Columns without any value, of which nothing can be compared."""
    coarse: tuple[str, ...]
    """Columns without a sketch: their bins are SageMaker's ten buckets of equal width."""


def baseline_of(statistics: Statistics, created: str) -> ImportedBaseline:
    """Return the baseline of `statistics.json`; BaselineError if nothing in it can be compared.

    It has no times: expected ranges and the dependence between rows are unknown, and so are correlations.
    """
    columns: list[ColumnBaseline] = []
    left_out, coarse = [], []
    for feature in statistics.features:
        found = _column(feature)
        if found is None:
            left_out.append(feature.name)
            continue
        columns.append(found)
        if feature.numerical_statistics is not None and _sketched(feature.numerical_statistics) is None:
            coarse.append(feature.name)
    if not columns:
        raise BaselineError("the statistics have no column with values: build them from a table with rows")
    rows = max(statistics.dataset.item_count, *(column.rows for column in columns), 1)
    baseline = Baseline(tuple(columns), rows=rows, created=created)
    return ImportedBaseline(baseline, tuple(left_out), tuple(coarse))


def _column(feature: FeatureStatistics) -> ColumnBaseline | None:
    """Return the baseline of a column; None if it has no values."""
    if not feature.common.num_present:
        return None
    if feature.numerical_statistics is not None:
        is_whole = feature.inferred_type == "Integral"
        return _numeric(feature.name, feature.numerical_statistics, is_whole=is_whole)
    return None if feature.string_statistics is None else _categorical(feature.name, feature.string_statistics)


def _sketched(own: NumberStatistics) -> Points | None:
    sketch = own.distribution.kll.sketch
    points = None if sketch is None else points_of_sketch(sketch)
    return points if points is not None and len(points.values) else None


def _numeric(name: str, own: NumberStatistics, *, is_whole: bool) -> ColumnBaseline:
    points = _sketched(own)
    if points is None:
        points, bins = _of_buckets(name, own, is_whole=is_whole)
        low, high = points.values[[0, -1]].tolist()
    else:
        low, high = _ends(name, own, points)
        points = with_ends(points, low, high)
        bins = fit_numeric(points.spread())
    mean, std = _moments(own, points)
    present, missing = own.common.num_present, own.common.num_missing
    counts = _counts(bins, points, present)
    single = int((counts[bins.ordinary] == 1.0).sum()) if bins.rule == "value" else 0
    counts[bins.special[MISSING]] = missing
    return ColumnBaseline(
        name=name,
        kind="numeric",
        rows=present + missing,
        bins=bins,
        counts=tuple(reference_counts(bins, counts, single).tolist()),
        mean=min(max(mean, low), high),
        std=std,
        min=low,
        max=high,
        quantiles=tuple(reference_quantiles(points.spread()).tolist()),
    )


def _ends(name: str, own: NumberStatistics, points: Points) -> tuple[float, float]:
    """Return the lowest and the highest value, those of the sketch where the file does not say."""
    ends = (float(points.values[0]) if own.min is None else own.min, float(points.values[-1]))
    low, high = ends[0], ends[1] if own.max is None else own.max
    if points.values[0] < low or points.values[-1] > high:
        raise BaselineError(f"{name}: the sketch has values outside min and max: the statistics were edited or damaged")
    return low, high


def _of_buckets(name: str, own: NumberStatistics, *, is_whole: bool) -> tuple[Points, Bins]:
    """Return the buckets as values and as bins."""
    buckets = own.distribution.kll.buckets
    if not buckets or sum(bucket.count for bucket in buckets) <= 0.0:
        raise BaselineError(
            f"{name}: the statistics have neither a sketch nor buckets of it: let SageMaker's own container write them"
        )
    bounds = [buckets[0].lower_bound, *(bucket.upper_bound for bucket in buckets)]
    gaps = any(before.upper_bound != after.lower_bound for before, after in itertools.pairwise(buckets))
    if gaps or any(low > high for low, high in itertools.pairwise(bounds)):
        raise BaselineError(f"{name}: the buckets do not ascend: the statistics were edited or damaged")
    low, high = bounds[0], bounds[-1]
    points = with_ends(points_of_buckets(buckets, is_whole=is_whole), low, high)
    if low == high:
        return points, fit_numeric(np.array([low]))
    # A bucket holds its lower bound, a bin its upper one.
    edges = np.unique([*just_below(bounds[:-1]).tolist(), high])
    return points, Bins("interval", edges=tuple(edges.tolist()))


def _moments(own: NumberStatistics, points: Points) -> tuple[float, float]:
    """Return mean and standard deviation, those of the points where the file does not say."""
    shares = points.rows / points.rows.sum()
    mean = float(shares @ points.values) if own.mean is None else own.mean
    with np.errstate(over="ignore"):  # a square that is too large is infinite, and the spread limits it
        std = float(np.sqrt(shares @ (points.values - mean) ** 2)) if own.std_dev is None else own.std_dev
    spread = float(points.values[-1] - points.values[0])
    if spread == 0.0:
        return mean, 0.0
    return mean, min(std, spread) or spread / 2.0


def _counts(bins: Bins, points: Points, present: int) -> FloatArray:
    """Return the rows in each bin, `present` in all, shape [len(bins.names)]."""
    codes = Binner([bins]).codes(points.values[:, None])[:, 0]
    counts = np.bincount(codes, weights=points.rows, minlength=len(bins.names)).astype(np.float64)
    total = counts.sum()
    return counts if total == present else counts * (present / total)


def _categorical(name: str, own: TextStatistics) -> ColumnBaseline:
    present, missing = own.common.num_present, own.common.num_missing
    buckets = [bucket for bucket in own.distribution.categorical.buckets if bucket.count]
    if len({bucket.value for bucket in buckets}) < len(buckets):
        raise BaselineError(f"{name}: the statistics name a value twice: they were edited or damaged")
    listed = sum(bucket.count for bucket in buckets)
    if listed > present:
        raise BaselineError(f"{name}: the values have {listed:,} rows, the column has {present:,}: the file is damaged")
    bins = fit_categorical([own.count for own in buckets], [own.value for own in buckets], present + missing)
    if listed < present:  # values that the file does not name
        bins = replace(bins, tail=frozenset(), tail_complete=False)
    codes = bins.encode([bucket.value for bucket in buckets]).astype(np.int64)
    rows = np.array([bucket.count for bucket in buckets], dtype=np.float64)
    counts = np.bincount(codes, weights=rows, minlength=len(bins.names)).astype(np.float64)
    counts[bins.special[OTHER]] += present - listed
    counts[bins.special[MISSING]] = missing
    once = int((rows == 1.0).sum())
    known = reference_counts(bins, counts, once)
    return ColumnBaseline(
        name=name, kind="categorical", rows=present + missing, bins=bins, counts=tuple(known.tolist())
    )
