"""Computes a baseline from a reference table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import (
    Bins,
    BoolArray,
    CodeArray,
    FloatArray,
    IntArray,
    fit_categorical,
    fit_numeric,
    reference_counts,
)
from driftgauge.drift.evidence.detector import Detector
from driftgauge.drift.evidence.live_dependence import DependenceMeter
from driftgauge.drift.ordered_bins import NormalScores
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import Categories, ColumnBaseline, CorrelationTable, Table
from driftgauge.drift.reference.dependence import TRENDING, dependence, expected_live_tau, smallest_silent_tau
from driftgauge.drift.reference.expected_range import expected_range
from driftgauge.drift.reference.expected_sizes import expected_sizes
from driftgauge.drift.statistics.correlation import RowCorrelations
from driftgauge.drift.statistics.psi import ZeroBin
from driftgauge.drift.statistics.two_sample import describe
from driftgauge.drift.windows.blocks import FEWEST_HOUR_ROWS, HOURS, Blocks, block_ends, counted_blocks, step_rows
from driftgauge.errors import BaselineError

QUANTILES: Final = 512
_ROWS_AT_ONCE: Final = 65_536
_COUNTS_AT_ONCE: Final = 8_000_000
WINDOW_SIZES: Final = (500, 1_000, 2_000, 5_000, 10_000)
QUIET: Final = 0.1
"""Part of the default threshold that evidence stays below when the reference itself is replayed."""


def build_baseline(
    table: Table,
    *,
    created: str,
    ordered_by: str | None = None,
    window_sizes: Sequence[int] = WINDOW_SIZES,
    expected_range_quantile: float = 1.0,
    zero_bin: ZeroBin = "jeffreys",
    hours: IntArray | None = None,
    fixed_bins: Mapping[str, Bins] | None = None,
    statistics: Sequence[str] = (),
) -> Baseline:
    """Compute the baseline of a table whose rows are in order of time if `ordered_by` names a column.

    With `hours`, the hour of the day (UTC) of each row (shape [rows]), the baseline is by hour. The columns that
    `fixed_bins` names hold the bin codes of these categories, NaN for missing. `statistics` are those beside PSI whose
    expected ranges are measured, which needs an order. Raises BaselineError for a table without
    columns or rows.
    """
    if not table:
        raise BaselineError("the reference has no columns: name at least one feature")
    fixed = fixed_bins or {}
    columns, cells = zip(*(_column(name, data, fixed.get(name)) for name, data in table.items()), strict=True)
    rows = _rows_of(columns)
    baseline = Baseline(columns, rows=rows, created=created, time_column=ordered_by, zero_bin=zero_bin)
    codes = codes_of(baseline.binner, cells)
    baseline = with_correlations(baseline, codes)
    if hours is not None:
        baseline = _by_hour(baseline, table, codes, hours)
    if ordered_by is None:
        return baseline
    found = expected_range(baseline.binner, codes, baseline.psi, window_sizes, expected_range_quantile, hours=hours)
    columns = tuple(
        replace(column, expected_range={size: float(values[i]) for size, values in found.items()})
        for i, column in enumerate(baseline.columns)
    )
    baseline = replace(baseline, columns=columns)
    if statistics:
        sized = expected_sizes(baseline, statistics, cells, codes, window_sizes, expected_range_quantile, hours=hours)
        baseline = replace(
            baseline,
            columns=tuple(replace(own, expected_sizes=known) for own, known in zip(columns, sized, strict=True)),
        )
    return _with_dependence(baseline, codes, hours)


def _rows_of(columns: Sequence[ColumnBaseline]) -> int:
    """Return the number of rows; BaselineError for columns of several lengths, or without rows."""
    rows = columns[0].rows
    uneven = [column.name for column in columns if column.rows != rows]
    if uneven:
        raise BaselineError(
            f"{', '.join(uneven)}: not as many rows as {columns[0].name}; "
            "all columns of a table must have the same length"
        )
    if rows == 0:
        raise BaselineError("the reference has no rows: a baseline needs at least one")
    return rows


def _by_hour(baseline: Baseline, table: Table, codes: CodeArray, hours: IntArray) -> Baseline:
    """Return the baseline with the counts of each hour of the day with enough rows."""
    most = int(np.bincount(hours, minlength=HOURS).max())
    if most < FEWEST_HOUR_ROWS:
        raise BaselineError(
            f"a baseline by hour of the day needs an hour with {FEWEST_HOUR_ROWS} rows; the fullest of the reference's "
            f"{baseline.rows} rows has {most}: give it more rows, or leave out --by-hour"
        )
    counts = baseline.binner.counts_by(codes, hours, HOURS)
    columns = []
    for index, (column, data) in enumerate(zip(baseline.columns, table.values(), strict=True)):
        once = np.bincount(hours[_seen_once(column.bins, data, codes[:, index])], minlength=HOURS).tolist()
        own = counts[:, index, : len(column.counts)]
        found = {
            hour: tuple(reference_counts(column.bins, own[hour], once[hour]).tolist())
            for hour in range(HOURS)
            if own[hour].sum() >= FEWEST_HOUR_ROWS
        }
        columns.append(replace(column, by_hour=found))
    return replace(baseline, columns=tuple(columns))


def _seen_once(bins: Bins, data: FloatArray | Categories, codes: CodeArray) -> BoolArray:
    """Return which rows hold a value that occurs once, where values have bins of their own; shape [rows]."""
    if isinstance(data, Categories):
        once = np.bincount(data.codes[data.codes >= 0], minlength=len(data.names)) == 1
        return np.append(once, False)[data.codes]
    alone = np.zeros(len(bins.names), dtype=np.bool_)
    if bins.rule == "value":
        alone[bins.ordinary] = np.bincount(codes, minlength=len(bins.names))[bins.ordinary] == 1
    return alone[codes]


def _blocks(binner: Binner, codes: CodeArray, hours: IntArray | None) -> Iterator[Blocks]:
    """Yield rows in blocks, as a monitor does, in lots of bounded size."""
    step = step_rows(binner.columns)
    # By hour, every row may be a block of its own.
    blocks = max(1, _COUNTS_AT_ONCE // (binner.columns * binner.width))
    at_once = max(1, min(_ROWS_AT_ONCE, blocks * (step if hours is None else 1)) // step) * step
    for first in range(0, len(codes), at_once):
        own = codes[first : first + at_once]
        ends, in_hour = block_ends(first, len(own), step, None if hours is None else hours[first : first + at_once])
        yield counted_blocks(binner, own, ends, in_hour, ends.astype(np.float64))


def _with_dependence(baseline: Baseline, codes: CodeArray, hours: IntArray | None) -> Baseline:
    """Return the baseline with autocorrelation times for which replaying the reference raises no evidence."""
    scores = np.nan_to_num(NormalScores(baseline.bins, baseline.binner.width)(baseline.counts))
    found = dependence(baseline.binner, codes, scores, hours)
    if found is None:
        return baseline

    def raises_alarm(tau: FloatArray) -> BoolArray:
        detector = Detector(
            baseline.bins,
            baseline.counts,
            tau=tau,
            by_hour=baseline.counts_by_hour if baseline.is_by_hour else None,
        )
        blocks = _blocks(baseline.binner, codes, hours)  # counted each time again, to save memory
        highest: BoolArray = detector.peaks(blocks) >= QUIET * detector.start().threshold
        return highest

    tau = smallest_silent_tau(found.tau, raises_alarm)
    trending = found.trending | (tau > TRENDING * found.tau)
    columns = tuple(
        replace(column, tau=float(tau[i]), trending=bool(trending[i])) for i, column in enumerate(baseline.columns)
    )
    if hours is None:  # by hour, no dependence is measured live
        meter = DependenceMeter(baseline.bins, baseline.counts)
        live = expected_live_tau(meter, _blocks(baseline.binner, codes, None)).tolist()
        columns = tuple(replace(column, expected_live_tau=own) for column, own in zip(columns, live, strict=True))
    return replace(baseline, columns=columns)


def codes_of(binner: Binner, cells: Sequence[FloatArray]) -> CodeArray:
    """Return the codes of a table's rows, shape [rows, columns]."""
    starts = range(0, len(cells[0]), _ROWS_AT_ONCE)
    parts = (np.stack([own[first : first + _ROWS_AT_ONCE] for own in cells], axis=1) for first in starts)
    return np.concatenate([binner.codes(part) for part in parts])


def with_correlations(baseline: Baseline, codes: CodeArray) -> Baseline:
    """Return the baseline with the correlations of rows given as codes, shape [n, columns]."""
    names = tuple(column.name for column in baseline.columns if column.kind == "numeric")
    if len(names) < 2:
        return baseline
    scores = RowCorrelations(baseline.bins, baseline.counts, baseline.numeric)
    parts = (codes[first : first + _ROWS_AT_ONCE] for first in range(0, len(codes), _ROWS_AT_ONCE))
    return replace(baseline, correlations=CorrelationTable.of(names, scores.accumulated(parts)))


def _column(name: str, data: FloatArray | Categories, fixed: Bins | None = None) -> tuple[ColumnBaseline, FloatArray]:
    """Return the baseline of one column without its expected range, and its cells as a monitor has them."""
    if fixed is not None and not isinstance(data, Categories):
        known = tuple(_counts(fixed, data).astype(np.float64).tolist())
        return ColumnBaseline(name, "categorical", len(data), fixed, known), data
    if isinstance(data, Categories):
        return _categorical(name, data)
    data = data + 0.0  # so that -0.0 is 0, as in a file of whole numbers, and has the hash of one
    bins = fit_numeric(data)
    values = describe(data)
    counts = _counts(bins, data)
    singletons = int((counts[bins.ordinary] == 1).sum()) if bins.rule == "value" else 0
    return ColumnBaseline(
        name=name,
        kind="numeric",
        rows=len(data),
        bins=bins,
        counts=tuple(reference_counts(bins, counts, singletons).tolist()),
        mean=values.mean,
        std=values.std,
        min=values.min,
        max=values.max,
        quantiles=tuple(reference_quantiles(data).tolist()),
    ), data


def reference_quantiles(values: FloatArray) -> FloatArray:
    """Return the quantiles of the finite values at the middles of 512 equal shares (Hazen's definition).

    Of at most 512 values they are the values themselves, in order.
    """
    finite = np.sort(values[np.isfinite(values)])
    if finite.size <= QUANTILES:
        return finite
    with np.errstate(over="ignore"):
        # Halved where the distance between two numbers would overflow; the smallest have no half.
        unit = 2.0 if np.isinf(finite[-1] - finite[0]) else 1.0
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    found: FloatArray = unit * np.quantile(finite / unit, levels, method="hazen")
    return found


def _categorical(name: str, data: Categories) -> tuple[ColumnBaseline, FloatArray]:
    rows = np.bincount(data.codes[data.codes >= 0], minlength=len(data.names))
    present = [(int(count), category) for count, category in zip(rows, data.names, strict=True) if count]
    bins = fit_categorical([count for count, _ in present], [category for _, category in present], len(data.codes))
    cells: FloatArray = np.append(bins.encode(data.names), np.nan)[data.codes]
    return ColumnBaseline(
        name=name,
        kind="categorical",
        rows=len(data.codes),
        bins=bins,
        counts=tuple(reference_counts(bins, _counts(bins, cells), int((rows == 1).sum())).tolist()),
    ), cells


def _counts(bins: Bins, cells: FloatArray) -> IntArray:
    binner = Binner([bins])
    counts: IntArray = binner.counts(binner.codes(cells[:, None]))[0]
    return counts
