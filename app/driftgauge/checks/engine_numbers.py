"""Numeric columns that a database elsewhere counts: its aggregates, and the counts of columns in a group."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import ABOVE, BELOW, MISSING, UNSEEN, FloatArray, IntArray, just_below
from driftgauge.drift.profile.exact_sums import BITS, ExactSums, Sums
from driftgauge.drift.profile.profile import Profile
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.engines.columns import as_number, finite, number
from driftgauge.engines.engine import MOST_AGGREGATES

_LOW: Final = 26
"""Digits of a sum that are summed apart, so that the sum of a table fits the database's integers."""


@dataclass(frozen=True)
class NumericAggregates:
    """A numeric column and the aggregates that count it."""

    index: int
    column: ColumnBaseline
    edges: tuple[float, ...]
    """Edges up to and with which rows are counted."""

    @classmethod
    def of(cls, index: int, column: ColumnBaseline) -> NumericAggregates:
        """Take the column at a place of the baseline."""
        edges = column.bins.edges
        first = (float(just_below(edges[0])),) if column.bins.rule == "value" and edges else ()
        return cls(index, column, (*first, *edges))

    @property
    def size(self) -> int:
        """The number of its aggregates."""
        of_values = len(self.column.bins.edges) if self.column.bins.rule == "value" else 0
        return 9 + len(self.edges) + of_values  # finite, low, high, min, max, and two sums of two parts each

    def aggregates(self, table: Any, sums: ExactSums, baseline: Baseline) -> dict[str, Any]:
        """Return the aggregates by name."""
        cells, name = as_number(table, self.column.name), str(self.index)
        values = finite(cells)
        z = _standardised(cells, values, self.index, baseline) * number(2.0 ** -int(sums.exponents[self.index]))
        wanted = {
            f"finite{name}": values.count(),
            f"low{name}": (cells == number(-math.inf)).sum(),
            f"high{name}": (cells == number(math.inf)).sum(),
            f"min{name}": values.min(),
            f"max{name}": values.max(),
            **_summed(f"sum{name}", z),
            **_summed(f"square{name}", z * z),
        }
        wanted |= {f"e{name}_{i}": (values <= number(edge)).sum() for i, edge in enumerate(self.edges)}
        if self.column.bins.rule == "value":
            own = enumerate(self.column.bins.edges)
            wanted |= {f"v{name}_{i}": (values == number(value)).sum() for i, value in own}
        return wanted

    def counts(self, found: Mapping[str, Any]) -> IntArray:
        """Return the rows in each bin of one group."""
        name, bins = str(self.index), self.column.bins
        low, high, known = (int(found[key + name] or 0) for key in ("low", "high", "finite"))
        up_to = np.array([int(found[f"e{name}_{i}"] or 0) for i in range(len(self.edges))], dtype=np.int64)
        counts = np.zeros(len(bins.names), dtype=np.int64)
        counts[bins.special[MISSING]] = int(found["rows"]) - known - low - high
        if not bins.edges:
            counts[bins.special[UNSEEN]] = known + low + high
            return counts
        counts[bins.special[BELOW]] = low + up_to[0]
        counts[bins.special[ABOVE]] = high + known - up_to[-1]
        if bins.rule == "interval":
            counts[bins.ordinary] = np.diff(up_to)
        else:
            counts[bins.ordinary] = [int(found[f"v{name}_{i}"] or 0) for i in range(len(bins.edges))]
            counts[bins.special[UNSEEN]] = up_to[-1] - up_to[0] - counts[bins.ordinary].sum()
        return counts

    def total(self, key: str, found: Mapping[str, Any]) -> int:
        """Return an exact sum of one group."""
        high, low = (int(found[f"{key}{self.index}_{part}"] or 0) for part in ("high", "low"))
        return (high << _LOW) + low


@dataclass(frozen=True)
class NumericCounts:
    """The numeric columns of one group; shapes and units are those of a profile of all columns."""

    counts: IntArray
    sums: Sums
    lowest: FloatArray
    highest: FloatArray

    @classmethod
    def none(cls, columns: int, width: int) -> NumericCounts:
        """Return the counts of no rows."""
        low, high = np.full(columns, np.inf), np.full(columns, -np.inf)
        return cls(np.zeros((columns, width), dtype=np.int64), Sums.none(columns), low, high)

    @classmethod
    def of_profile(cls, found: Profile, numeric: Sequence[int], columns: int, width: int) -> NumericCounts:
        """Return what a profile of the numeric columns alone has counted; `numeric` are their places."""
        own = cls.none(columns, width)
        own.counts[numeric, : found.counts.shape[1]] = found.counts
        own.lowest[numeric], own.highest[numeric] = found.lowest, found.highest
        values, squares = [0] * columns, [0] * columns
        for index, value, square in zip(numeric, found.sums.values, found.sums.squares, strict=True):
            values[index], squares[index] = value, square
        return replace(own, sums=Sums(tuple(values), tuple(squares)))

    @classmethod
    def of_aggregates(
        cls, found: Mapping[str, Any], numbers: Sequence[NumericAggregates], columns: int, width: int
    ) -> NumericCounts:
        """Return what a database has counted."""
        own = cls.none(columns, width)
        values, squares = [0] * columns, [0] * columns
        for column in numbers:
            own.counts[column.index, : len(column.column.bins.names)] = column.counts(found)
            values[column.index], squares[column.index] = (column.total(key, found) for key in ("sum", "square"))
            if found[f"finite{column.index}"]:
                own.lowest[column.index] = found[f"min{column.index}"] + 0.0
                own.highest[column.index] = found[f"max{column.index}"] + 0.0
        return replace(own, sums=Sums(tuple(values), tuple(squares)))


def _standardised(cells: Any, values: Any, index: int, baseline: Baseline) -> Any:
    """Return clipped standardised values as `Scales` has them; what is clipped anyway is not computed."""
    import ibis

    scales = baseline.scales
    mean, std = float(scales.mean[index]), float(scales.std[index])
    low, high = float(scales.low[index]), float(scales.high[index])
    beyond = tuple(mean + bound * std for bound in (low - 1.0, high + 1.0))
    z = (values - number(mean)) / number(std)
    inside = ibis.ifelse(z > number(high), number(high), ibis.ifelse(z < number(low), number(low), z))
    return ibis.cases(
        (cells == number(math.inf), number(high)),
        (cells == number(-math.inf), number(low)),
        (values > number(beyond[1]), number(high)),
        (values < number(beyond[0]), number(low)),
        else_=inside,
    )


def _summed(name: str, parts: Any) -> dict[str, Any]:
    """Return the aggregates of an exact sum: that of the high digits, and that of the low ones."""
    whole = (parts * number(2.0**BITS) + number(0.5)).floor().cast("int64")
    high = (whole.cast("float64") / number(2.0**_LOW)).floor().cast("int64")
    return {f"{name}_high": high.sum(), f"{name}_low": (whole - high * (1 << _LOW)).sum()}


def in_queries(numbers: Sequence[NumericAggregates]) -> Iterator[list[NumericAggregates]]:
    """Yield columns in parts, each of no more aggregates than one query may have; without a column one empty part."""
    part: list[NumericAggregates] = []
    size = 0
    for own in numbers:
        if part and size + own.size > MOST_AGGREGATES:
            yield part
            part, size = [], 0
        part.append(own)
        size += own.size
    yield part
