"""Baselines of a table's numeric columns, from what its database counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import BINS, IntArray
from driftgauge.drift.reference.build import QUANTILES
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.reference.counted import (
    MOST_VALUES,
    Edges,
    OrderStatistics,
    Unordinary,
    ValueCounts,
    heavy_values,
    inner_ranks,
    interval_bins,
    numeric_column,
    ranks_among_all,
    reference_ranks,
    value_bins,
)
from driftgauge.engines.approximate import ApproximateRanks, approximate_ranks
from driftgauge.engines.columns import as_number, finite, number
from driftgauge.engines.engine import EngineTable

MOST_FETCHED: Final = 1_000
"""Most distinct values, by the database's estimate, that are all fetched with their counts."""


@dataclass(frozen=True)
class NumericSummary:
    """What one pass tells of a numeric column."""

    rows: int
    unordinary: Unordinary
    finite: int
    distinct: int
    """Approximate number of distinct finite values."""
    is_integral: bool
    """Whether all finite values are whole numbers, and there is one."""


def summaries(source: EngineTable, names: Sequence[str]) -> dict[str, NumericSummary]:
    """Return the summaries of columns, from one pass over all of them."""
    wanted: dict[str, Any] = {"rows": source.table.count()}
    for index, name in enumerate(names):
        values = as_number(source.table, name)
        known = finite(values)
        wanted |= {
            f"finite{index}": known.count(),
            f"low{index}": (values == number(-math.inf)).sum(),
            f"high{index}": (values == number(math.inf)).sum(),
            f"distinct{index}": known.approx_nunique(),
            f"broken{index}": _is_broken(known).sum(),
        }
    found = {key: int(value or 0) for key, value in source.aggregates(wanted).items()}
    return {name: _summary(found, str(index)) for index, name in enumerate(names)}


def _is_broken(values: Any) -> Any:
    """Return whether a number has a fraction: adding 2^52 rounds it, and no cast to integers can fail."""
    size, whole = values.abs(), number(2.0**52)
    return (size < whole) & ((size + whole) - whole != size)


def _summary(found: Mapping[str, int], index: str) -> NumericSummary:
    low, high, ordinary = found["low" + index], found["high" + index], found["finite" + index]
    unordinary = Unordinary(found["rows"] - ordinary - low - high, low, high)
    is_integral = ordinary > 0 and not found["broken" + index]
    return NumericSummary(found["rows"], unordinary, ordinary, found["distinct" + index], is_integral)


@dataclass(frozen=True)
class _Ranked:
    """A column of many values, whose rows are not counted yet."""

    name: str
    statistics: OrderStatistics
    edges: Edges
    rank_error: int = 0

    @property
    def scale(self) -> float:
        """The largest magnitude, so that no square overflows."""
        return max(float(np.abs(self.statistics.values).max()), float(np.finfo(np.float64).tiny))

    @property
    def centre(self) -> float:
        """A value in the middle, in units of the scale: the deviations from it add up without a loss."""
        return float(self.statistics.values[len(self.statistics.values) // 2]) / self.scale


def numeric_columns(
    source: EngineTable,
    found: Mapping[str, NumericSummary],
    progress: Callable[[str], object],
    *,
    exact: bool = True,
) -> dict[str, ColumnBaseline]:
    """Return the baselines of numeric columns; `progress` is called with each column's name once it is ranked.

    Unless `exact`, quantiles and edges of bins are approximate; the rows in each bin are exact in any case.
    """
    done: dict[str, ColumnBaseline] = {}
    many: list[str] = []
    for name, summary in found.items():
        values = _few_values(source, name) if summary.distinct <= MOST_FETCHED else None
        if values is None:
            many.append(name)
            continue
        if values.values.size <= MOST_VALUES:
            done[name] = _of_values(name, summary, values)
        else:
            own = _of_statistics(name, values)
            done[name] = _of_intervals(own, summary, values.up_to(own.edges.all), values.moments())
        progress(name)
    approximate = {} if exact else approximate_ranks(source, {name: found[name].finite for name in many})
    ranked: list[_Ranked] = []
    for name in many:
        ranks = approximate.get(name)
        summary = found[name]
        ranked.append(
            _ranked(source, name, summary) if ranks is None else _approximately_ranked(source, name, summary, ranks)
        )
        progress(name)
    return done | _counted(source, ranked, found)


def _few_values(source: EngineTable, name: str) -> ValueCounts:
    """Return all finite values of a column with the rows of each."""
    rows = source.fetch(
        source.table.select(v=finite(as_number(source.table, name)))
        .filter(lambda t: t.v.notnull())
        .group_by("v")
        .aggregate(n=lambda t: t.count())
    )
    return ValueCounts.of(rows["v"].to_numpy().astype(np.float64), rows["n"].to_numpy().astype(np.int64))


def _of_values(name: str, summary: NumericSummary, values: ValueCounts) -> ColumnBaseline:
    bins, inside = value_bins(values)
    moments = values.moments() if values.size else (np.nan, np.nan)
    statistics = values.order_statistics(reference_ranks(values.size))
    return numeric_column(name, summary.rows, bins, inside, summary.unordinary, moments, statistics)


def _of_statistics(name: str, values: ValueCounts) -> _Ranked:
    """Return the edges of a column whose values are all known."""
    statistics = values.order_statistics(reference_ranks(values.size))
    heavy = heavy_values(values.values, values.counts.tolist(), values.size)
    rest = values.without(heavy)
    inner = rest.order_statistics(inner_ranks(rest.size, max(1, BINS - heavy.size)))
    return _Ranked(name, statistics, Edges.of(float(values.values[0]), float(values.values[-1]), heavy, inner))


def _ranked(source: EngineTable, name: str, summary: NumericSummary) -> _Ranked:
    """Return the edges of a column with more values than are fetched."""
    values = finite(as_number(source.table, name))
    statistics = source.order_statistics(values, reference_ranks(summary.finite), summary.finite)
    heavy, rest = np.empty(0), statistics
    candidates = statistics.repeated()
    if candidates.size:
        counts = source.aggregates({f"n{i}": (values == number(v)).sum() for i, v in enumerate(candidates.tolist())})
        rows = [int(counts[f"n{i}"] or 0) for i in range(len(candidates))]
        heavy = heavy_values(candidates, rows, summary.finite)
    if heavy.size:
        import ibis

        left = summary.finite - sum(n for v, n in zip(candidates.tolist(), rows, strict=True) if v in heavy)
        kept = ibis.ifelse(values.isin([number(v) for v in heavy.tolist()]), ibis.null("float64"), values)
        rest = source.order_statistics(kept, inner_ranks(left, max(1, BINS - heavy.size)), left)
    ends = statistics.at(np.array([0, summary.finite - 1]))
    return _Ranked(name, statistics, Edges.of(float(ends[0]), float(ends[1]), heavy, rest))


def _approximately_ranked(source: EngineTable, name: str, summary: NumericSummary, own: ApproximateRanks) -> _Ranked:
    """Return the edges of a column from approximate ranks; values with a bin of their own are counted exactly."""
    size, error = summary.finite, own.rank_error
    ranks = reference_ranks(size)
    statistics = OrderStatistics(ranks, own.values_at(ranks), size)
    candidates = statistics.repeated()
    first, last = (np.searchsorted(statistics.values, candidates, side=side) for side in ("left", "right"))
    # A tenth of the values, less the error at both of its ends and the ranks that were not asked for.
    least = size / BINS - 2 * error - 2 * (size / QUANTILES + 1)
    candidates = candidates[ranks[last - 1] - ranks[first] >= least]
    values = finite(as_number(source.table, name))
    wanted = {f"below{i}": (values < number(v)).sum() for i, v in enumerate(candidates.tolist())}
    wanted |= {f"n{i}": (values == number(v)).sum() for i, v in enumerate(candidates.tolist())}
    counts = source.aggregates(wanted)
    below, rows = ([int(counts[f"{key}{i}"] or 0) for i in range(candidates.size)] for key in ("below", "n"))
    heavy = heavy_values(candidates, rows, size)
    taken = np.isin(candidates, heavy)
    begins, lengths = np.array(below, dtype=np.int64)[taken], np.array(rows, dtype=np.int64)[taken]
    left = size - int(lengths.sum())
    inner = inner_ranks(left, max(1, BINS - heavy.size))
    rest = OrderStatistics(inner, own.values_at(ranks_among_all(inner, begins, begins + lengths)), left)
    low, high = statistics.at(np.array([0, size - 1])).tolist()
    return _Ranked(name, statistics, Edges.of(low, high, heavy, rest), error)


def _counted(
    source: EngineTable, ranked: Iterable[_Ranked], found: Mapping[str, NumericSummary]
) -> dict[str, ColumnBaseline]:
    """Return the baselines of columns whose edges are known, from one pass over all of them."""
    wanted: dict[str, Any] = {}
    own = list(ranked)
    for index, column in enumerate(own):
        values = finite(as_number(source.table, column.name))
        off = values / number(column.scale) - number(column.centre)
        wanted |= {f"sum{index}": off.sum(), f"square{index}": (off * off).sum()}
        wanted |= {f"e{index}_{i}": (values <= number(e)).sum() for i, e in enumerate(column.edges.all.tolist())}
    counts = source.aggregates(wanted)
    done = {}
    for index, column in enumerate(own):
        summary = found[column.name]
        mean, square = (float(counts[f"{key}{index}"]) / summary.finite for key in ("sum", "square"))
        deviation = float(np.sqrt(max(0.0, square - mean * mean)))
        moments = column.scale * (column.centre + mean), column.scale * deviation
        up_to = np.array([int(counts[f"e{index}_{i}"]) for i in range(column.edges.all.size)], dtype=np.int64)
        done[column.name] = _of_intervals(column, summary, up_to, moments)
    return done


def _of_intervals(
    column: _Ranked, summary: NumericSummary, up_to: IntArray, moments: tuple[float, float]
) -> ColumnBaseline:
    bins, inside = interval_bins(column.edges, up_to, summary.finite)
    found = numeric_column(column.name, summary.rows, bins, inside, summary.unordinary, moments, column.statistics)
    return replace(found, quantile_error=column.rank_error / summary.finite)
