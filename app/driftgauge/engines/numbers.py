"""Baselines of a table's numeric columns, from what its database counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

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
from driftgauge.engines.several_columns import Ranked, counted_values, in_parts, order_statistics, reads_several

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
    few = [name for name, summary in found.items() if summary.distinct <= MOST_FETCHED]
    for name, values in few_values(source, few):
        summary = found[name]
        if values.values.size <= MOST_VALUES:
            done[name] = _of_values(name, summary, values)
        else:
            own = _of_statistics(name, values)
            done[name] = _of_intervals(own, summary, values.up_to(own.edges.all), values.moments())
        progress(name)
    many = {name: summary for name, summary in found.items() if name not in done}
    if exact:
        return done | _counted(source, _ranked(source, many, progress), found)
    approximate = approximate_ranks(source, {name: summary.finite for name, summary in many.items()})
    ranked = []
    for name, ranks in approximate.items():
        ranked.append(_approximately_ranked(source, name, found[name], ranks))
        progress(name)
    return done | _counted(source, ranked, found)


def few_values(source: EngineTable, names: Sequence[str]) -> Iterator[tuple[str, ValueCounts]]:
    """Yield all finite values of columns with the rows of each."""
    if not reads_several(source):
        for name in names:
            cells = source.table.select(v=finite(as_number(source.table, name))).filter(lambda t: t.v.notnull())
            yield name, _value_counts(source.fetch(cells.group_by("v").aggregate(n=lambda t: t.count())))
        return
    for part in in_parts(names):
        groups = counted_values(source, [finite(as_number(source.table, name)) for name in part])
        rows = source.fetch(groups.filter(groups.v.notnull()))
        places = rows["i"].to_numpy()
        for index, name in enumerate(part):
            yield name, _value_counts(rows.filter(places == index))


def _value_counts(rows: pa.Table) -> ValueCounts:
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


def _ranked(
    source: EngineTable, found: Mapping[str, NumericSummary], progress: Callable[[str], object]
) -> list[_Ranked]:
    """Return the edges of columns with more values than are fetched."""
    values = {name: finite(as_number(source.table, name)) for name in found}
    ranks = {name: reference_ranks(summary.finite) for name, summary in found.items()}
    statistics: dict[str, OrderStatistics] = {}
    for name, own in order_statistics(
        source, {name: Ranked(values[name], ranks[name], summary.finite) for name, summary in found.items()}
    ):
        statistics[name] = own
        progress(name)
    heavy = _heavy(source, values, statistics)
    rest = dict(statistics)
    rest |= order_statistics(source, {name: _without(values[name], own, found[name]) for name, own in heavy.items()})
    ranked = []
    for name, own in statistics.items():
        low, high = own.at(np.array([0, own.size - 1])).tolist()
        alone = np.array([*heavy.get(name, {})], dtype=np.float64)
        ranked.append(_Ranked(name, own, Edges.of(low, high, alone, rest[name])))
    return ranked


def _heavy(
    source: EngineTable, values: Mapping[str, Any], statistics: Mapping[str, OrderStatistics]
) -> dict[str, dict[float, int]]:
    """Return the values that have a bin of their own, ascending, with their rows, of the columns that have some."""
    candidates = {name: own.repeated() for name, own in statistics.items()}
    places = [(name, value) for name, own in candidates.items() for value in own.tolist()]
    counts = source.aggregates(
        {f"n{i}": (values[name] == number(value)).sum() for i, (name, value) in enumerate(places)}
    )
    rows: dict[str, dict[float, int]] = {}
    for index, (name, value) in enumerate(places):
        rows.setdefault(name, {})[value] = int(counts[f"n{index}"] or 0)
    found = {}
    for name, own in rows.items():
        taken = heavy_values(candidates[name], [*own.values()], statistics[name].size)
        if taken.size:
            found[name] = {value: own[value] for value in taken.tolist()}
    return found


def _without(values: Any, heavy: Mapping[float, int], summary: NumericSummary) -> Ranked:
    """Return what is wanted of a column's other values."""
    import ibis

    left = summary.finite - sum(heavy.values())
    kept = ibis.ifelse(values.isin([number(value) for value in heavy]), ibis.null("float64"), values)
    return Ranked(kept, inner_ranks(left, max(1, BINS - len(heavy))), left)


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
