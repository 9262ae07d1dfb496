"""Profiles of a table in a database: its rows by bin, counted there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.checks.embedded_numbers import Group, profiles_of_numbers
from driftgauge.checks.rows import known_categories, knows
from driftgauge.checks.window_reader import partition_of
from driftgauge.drift.bins import ABOVE, BELOW, MISSING, UNSEEN, Bins, FloatArray, IntArray, just_below
from driftgauge.drift.profile.build import of_columns
from driftgauge.drift.profile.exact_sums import BITS, ExactSums, Sums
from driftgauge.drift.profile.profile import Profile
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.windows.blocks import HOURS
from driftgauge.engines.columns import as_category, as_number, finite, number
from driftgauge.engines.engine import EngineTable
from driftgauge.engines.times import as_epoch, require_times
from driftgauge.errors import CheckError, TableError
from driftgauge.tables.cells import as_categories
from driftgauge.tables.stream import require_columns
from driftgauge.tables.times import as_seconds

_LOW: Final = 26
"""Digits of a sum that are summed apart, so that the sum of a table fits the database's integers."""


@dataclass(frozen=True)
class _Numbers:
    """A numeric column and the aggregates that count it."""

    index: int
    column: ColumnBaseline
    edges: tuple[float, ...]
    """Edges up to and with which rows are counted."""

    @classmethod
    def of(cls, index: int, column: ColumnBaseline) -> _Numbers:
        edges = column.bins.edges
        first = (float(just_below(edges[0])),) if column.bins.rule == "value" and edges else ()
        return cls(index, column, (*first, *edges))

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
        rows, low, high, known = (int(found[key + name] or 0) for key in ("rows", "low", "high", "finite"))
        up_to = np.array([int(found[f"e{name}_{i}"] or 0) for i in range(len(self.edges))], dtype=np.int64)
        counts = np.zeros(len(bins.names), dtype=np.int64)
        counts[bins.special[MISSING]] = rows - known - low - high
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
class _Counted:
    """The numeric columns of one group; shapes and units are those of a profile of all columns."""

    counts: IntArray
    sums: Sums
    lowest: FloatArray
    highest: FloatArray

    @classmethod
    def none(cls, columns: int, width: int) -> _Counted:
        """Return the counts of no rows."""
        low, high = np.full(columns, np.inf), np.full(columns, -np.inf)
        return cls(np.zeros((columns, width), dtype=np.int64), Sums.none(columns), low, high)

    @classmethod
    def of_profile(cls, found: Profile, numeric: Sequence[int], columns: int, width: int) -> _Counted:
        """Return what a profile of the numeric columns alone has counted; `numeric` are their places."""
        own = cls.none(columns, width)
        own.counts[numeric, : found.counts.shape[1]] = found.counts
        own.lowest[numeric], own.highest[numeric] = found.lowest, found.highest
        values, squares = [0] * columns, [0] * columns
        for index, value, square in zip(numeric, found.sums.values, found.sums.squares, strict=True):
            values[index], squares[index] = value, square
        return replace(own, sums=Sums(tuple(values), tuple(squares)))

    @classmethod
    def of_aggregates(cls, found: Mapping[str, Any], numbers: Sequence[_Numbers], columns: int, width: int) -> _Counted:
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


class EngineProfiler:
    """Counts a table in its database against a baseline."""

    def __init__(
        self,
        source: EngineTable,
        baseline: Baseline,
        left_out: Sequence[str] = (),
        time: str | None = None,
        progress: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Take the columns that are counted; TableError if the table lacks one, scores excepted."""
        present = source.column_names
        absent = [name for name in RESERVED if name in baseline.names and name not in present]
        names = [name for name in baseline.names if name not in {*left_out, *absent}]
        require_columns(present, [*names, *([time] if time else [])], source.label)
        if baseline.is_by_hour and time is None:
            raise CheckError("the baseline compares by hour of the day: name the column of times (--time COLUMN)")
        self._source = source
        self._whole = baseline
        self._baseline: Final = of_columns(baseline, names)
        self._time = time
        self._progress = progress
        self._sums = ExactSums(self._baseline.scales)
        self._numeric = [i for i, own in enumerate(self._baseline.columns) if own.kind == "numeric"]
        self._numbers = [] if source.is_embedded else [_Numbers.of(i, self._baseline.columns[i]) for i in self._numeric]
        for own in self._baseline.columns:
            _require_kind(own, source)

    def profiles(self, seconds: float | None = None) -> Iterator[Profile]:
        """Yield the profile of all rows, or with `seconds` that of each period in order of time."""
        return (profile for _, profile in self.by_period(seconds))

    def by_period(self, seconds: float | None = None) -> Iterator[tuple[int, Profile]]:
        """Yield profiles as `profiles` does, each with the number of its period since 1970."""
        if self._time is not None:
            require_times(self._source, self._time)
        groups = self._keys(seconds)
        found = self._counted(groups)
        if not found:
            raise TableError(f"{self._source.label} has no rows")
        numbers = self._of_numbers(found, groups)
        counts = {group: own.counts for group, own in numbers.items()}
        self._progress("numbers")
        for index, column in enumerate(self._baseline.columns):
            if column.kind != "numeric":
                self._count_categories(index, column, groups, counts)
                if any(int(own[index].sum()) != int(found[group]["rows"]) for group, own in counts.items()):
                    raise self._changed()
                self._progress(column.name)
        for period in sorted({period for period, _ in found}):
            own = {key[1]: (found[key], numbers[key]) for key in sorted(found) if key[0] == period}
            partition = self._source.label if seconds is None else partition_of(self._source.label, period, seconds)
            yield period, self._profile(partition, own)

    def _keys(self, seconds: float | None) -> dict[str, Any]:
        """Return the expressions of period and hour of a row."""
        import ibis

        if self._time is None:
            return {"period": ibis.literal(0), "hour": ibis.literal(0)}
        epoch = as_epoch(self._source.table, self._time)
        period = ibis.literal(0) if seconds is None else (epoch / number(seconds)).floor().cast("int64")
        whole = (epoch / number(3_600.0)).floor()
        return {"period": period, "hour": (whole - (whole / number(24.0)).floor() * 24).cast("int64")}

    def _counted(self, keys: Mapping[str, Any]) -> dict[Group, dict[str, Any]]:
        """Return the aggregates of each group, from one pass over all columns."""
        names = _unused(self._source.column_names, keys)
        table = self._source.table.mutate(**{names[key]: own for key, own in keys.items()})
        wanted: dict[str, Any] = {"rows": table.count()}
        for own in self._numbers:
            wanted |= own.aggregates(table, self._sums, self._baseline)
        if self._time is not None:
            wanted |= {"start": table[self._time].min(), "end": table[self._time].max()}
        rows = self._source.fetch(table.group_by(*names.values()).aggregate(**wanted))
        times = {}
        if self._time is not None and rows.num_rows:
            times = {end: as_seconds(rows[end], self._time).tolist() for end in ("start", "end")}
        found = {}
        for index, row in enumerate(rows.to_pylist()):
            own_times = {end: values[index] for end, values in times.items()}
            row |= {f"rows{own.index}": row["rows"] for own in self._numbers} | own_times
            row["hour"] = int(row[names["hour"]])
            found[int(row[names["period"]]), row["hour"]] = row
        return {group: row for group, row in found.items() if row["rows"]}

    def _of_numbers(self, found: Mapping[Group, Mapping[str, Any]], keys: Mapping[str, Any]) -> dict[Group, _Counted]:
        shape = len(self._baseline.columns), self._baseline.binner.width
        if not self._source.is_embedded:
            return {group: _Counted.of_aggregates(row, self._numbers, *shape) for group, row in found.items()}
        if not self._numeric:
            return {group: _Counted.none(*shape) for group in found}
        profiles = profiles_of_numbers(self._source, self._baseline, keys)
        if {group: own.rows for group, own in profiles.items()} != {group: row["rows"] for group, row in found.items()}:
            raise self._changed()
        return {group: _Counted.of_profile(own, self._numeric, *shape) for group, own in profiles.items()}

    def _count_categories(
        self, index: int, column: ColumnBaseline, keys: Mapping[str, Any], counts: Mapping[Group, IntArray]
    ) -> None:
        """Add the rows of a column of categories to the counts of their groups; TableError if they are other rows."""
        cells = self._source.table.select(v=as_category(self._source.table, column.name), **keys)
        groups = cells.group_by("v", "period", "hour").aggregate(n=lambda t: t.count())
        for batch in self._source.batches(groups):
            part = pa.Table.from_batches([batch])
            codes = _codes(column, part["v"])
            own = zip(codes.tolist(), *(part[key].to_pylist() for key in ("period", "hour", "n")), strict=True)
            for code, period, hour, rows in own:
                if (int(period), int(hour)) not in counts:
                    raise self._changed()
                counts[int(period), int(hour)][index, code] += int(rows)

    def _changed(self) -> TableError:
        return TableError(f"{self._source.label} changed while its rows were counted: check a copy of the table")

    def _profile(self, name: str, by_hour: Mapping[int, tuple[Mapping[str, Any], _Counted]]) -> Profile:
        hours = np.zeros(HOURS, dtype=np.int64)
        found, numbers = zip(*by_hour.values(), strict=True)
        if self._time is not None:
            for hour, (row, _) in by_hour.items():
                hours[hour] += int(row["rows"])
        return Profile(
            baseline_hash=self._whole.hash,
            columns=self._baseline.names,
            rows=sum(int(row["rows"]) for row in found),
            counts=np.sum([own.counts for own in numbers], axis=0, dtype=np.int64),
            sums=sum((own.sums for own in numbers), Sums.none(len(self._baseline.columns))),
            lowest=np.min([own.lowest for own in numbers], axis=0),
            highest=np.max([own.highest for own in numbers], axis=0),
            partitions=(name,),
            hours=hours,
            start=min((row["start"] for row in found), default=math.inf) if self._time else math.inf,
            end=max((row["end"] for row in found), default=-math.inf) if self._time else -math.inf,
            in_hour={hour: own.counts for hour, (_, own) in sorted(by_hour.items())}
            if self._baseline.is_by_hour
            else {},
        )


def _unused(columns: Sequence[str], keys: Iterable[str]) -> dict[str, str]:
    """Return names for keys beside the columns of a table, which has none of them."""
    known = {name.lower() for name in columns}
    before = "driftgauge"
    while any(name.startswith(before) for name in known):
        before += "_"
    return {key: f"{before}_{key}" for key in keys}


def _require_kind(column: ColumnBaseline, source: EngineTable) -> None:
    """Raise TableError for a text column where the baseline has numbers, and the other way round."""
    is_text = source.table[column.name].type().is_string()
    if column.kind == "numeric" and is_text != column.of_text:
        had = "free text" if column.of_text else "numbers"
        held = "text" if is_text else "no text"
        raise TableError(
            f"{source.label}: {column.name}: it holds {held}, where the baseline has {had}: "
            f"correct it, or leave the column out (--ignore {column.name})"
        )


def _codes(column: ColumnBaseline, cells: pa.ChunkedArray) -> IntArray:
    """Return the code of each cell's bin, as rows of a table in memory have it."""
    bins = column.bins
    found = as_categories(cells, column.name, known_categories(column).typed)
    coded: FloatArray = np.append(bins.encode(found.names), _gap(column, bins))[found.codes]
    return np.where(np.isnan(coded), bins.special[MISSING], coded).astype(np.int64)


def _gap(column: ColumnBaseline, bins: Bins) -> float:
    """Return what an empty cell is: an empty text if the reference has these and no missing ones."""
    has_empty = column.counts[bins.special[MISSING]] == 0 and knows(bins, "")
    return float(bins.category_code("")) if has_empty else math.nan
