"""Profiles of a table in a database: its rows by bin, counted there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.checks.embedded_numbers import Group, profiles_of_numbers
from driftgauge.checks.engine_numbers import NumericAggregates, NumericCounts, in_queries
from driftgauge.checks.rows import known_categories, knows
from driftgauge.checks.window_reader import partition_of
from driftgauge.drift.bins import MISSING, Bins, FloatArray, IntArray
from driftgauge.drift.profile.build import of_columns
from driftgauge.drift.profile.exact_sums import ExactSums, Sums
from driftgauge.drift.profile.profile import Profile
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.windows.blocks import HOURS
from driftgauge.engines.columns import as_category, number
from driftgauge.engines.engine import EngineTable
from driftgauge.engines.several_columns import counted_values, in_parts, reads_several
from driftgauge.engines.times import as_epoch, require_times
from driftgauge.errors import CheckError, TableError
from driftgauge.tables.cells import as_categories
from driftgauge.tables.stream import require_columns
from driftgauge.tables.times import as_seconds


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
        source = source.of_kinds({own.name: own.kind for own in baseline.columns if own.name in names})
        self._source = source
        self._whole = baseline
        self._baseline: Final = of_columns(baseline, names)
        self._time = time
        self._progress = progress
        self._sums = ExactSums(self._baseline.scales)
        self._numeric = [i for i, own in enumerate(self._baseline.columns) if own.kind == "numeric"]
        self._numbers = (
            [] if source.is_embedded else [NumericAggregates.of(i, self._baseline.columns[i]) for i in self._numeric]
        )
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
        for part in self._categorical():
            self._count_categories(part, groups, counts)
            for index in part:
                if any(int(own[index].sum()) != int(found[group]["rows"]) for group, own in counts.items()):
                    raise self._changed()
                self._progress(self._baseline.columns[index].name)
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
        """Return the aggregates of each group; TableError if two queries see other rows."""
        found: dict[Group, dict[str, Any]] = {}
        for part in in_queries(self._numbers):
            rows = self._aggregates(part, keys, with_times=not found)
            if found and _rows(rows) != _rows(found):
                raise self._changed()
            found = {group: found.get(group, {}) | row for group, row in rows.items()}
        return found

    def _aggregates(
        self, numbers: Sequence[NumericAggregates], keys: Mapping[str, Any], *, with_times: bool
    ) -> dict[Group, dict[str, Any]]:
        """Return the aggregates of some columns in each group, and its first and last time, from one pass."""
        names = _unused(self._source.column_names, keys)
        time = self._time if with_times else None
        needed = dict.fromkeys([*(own.column.name for own in numbers), *([time] if time else [])])
        table = self._source.table.select(*needed, **{names[key]: own for key, own in keys.items()})
        wanted: dict[str, Any] = {"rows": table.count()}
        for own in numbers:
            wanted |= own.aggregates(table, self._sums, self._baseline)
        if time is not None:
            wanted |= {"start": table[time].min(), "end": table[time].max()}
        rows = self._source.fetch(table.group_by(*names.values()).aggregate(**wanted))
        times = {}
        if time is not None and rows.num_rows:
            times = {end: as_seconds(rows[end], time).tolist() for end in ("start", "end")}
        found = {}
        for index, row in enumerate(rows.to_pylist()):
            row |= {end: values[index] for end, values in times.items()}
            found[int(row.pop(names["period"])), int(row.pop(names["hour"]))] = row
        return {group: row for group, row in found.items() if row["rows"]}

    def _of_numbers(
        self, found: Mapping[Group, Mapping[str, Any]], keys: Mapping[str, Any]
    ) -> dict[Group, NumericCounts]:
        shape = len(self._baseline.columns), self._baseline.binner.width
        if not self._source.is_embedded:
            return {group: NumericCounts.of_aggregates(row, self._numbers, *shape) for group, row in found.items()}
        if not self._numeric:
            return {group: NumericCounts.none(*shape) for group in found}
        profiles = profiles_of_numbers(self._source, self._baseline, keys, len(found))
        if {group: own.rows for group, own in profiles.items()} != _rows(found):
            raise self._changed()
        return {group: NumericCounts.of_profile(own, self._numeric, *shape) for group, own in profiles.items()}

    def _categorical(self) -> Iterator[list[int]]:
        """Yield the places of columns of categories that one query counts: several texts, or one column."""
        own = [i for i, column in enumerate(self._baseline.columns) if column.kind != "numeric"]
        cells = {i: as_category(self._source.table, self._baseline.columns[i].name) for i in own}
        texts = [i for i in own if reads_several(self._source) and cells[i].type().is_string()]
        yield from in_parts(texts)
        yield from ([i] for i in own if i not in texts)

    def _count_categories(self, part: Sequence[int], keys: Mapping[str, Any], counts: Mapping[Group, IntArray]) -> None:
        """Add the rows of columns of categories to the counts of their groups; TableError if they are other rows."""
        columns = [self._baseline.columns[index] for index in part]
        cells = [as_category(self._source.table, column.name) for column in columns]
        if reads_several(self._source) and cells[0].type().is_string():
            groups = counted_values(self._source, cells, keys, are_texts=True)
        else:
            table = self._source.table.select(v=cells[0], **keys)
            groups = table.group_by("v", "period", "hour").aggregate(n=lambda t: t.count()).mutate(i=0)
        for batch in self._source.batches(groups):
            rows = pa.Table.from_batches([batch])
            places = rows["i"].to_numpy()
            for place, (index, column) in enumerate(zip(part, columns, strict=True)):
                self._add(rows.filter(places == place), index, column, counts)

    def _add(self, rows: pa.Table, index: int, column: ColumnBaseline, counts: Mapping[Group, IntArray]) -> None:
        """Add the rows of some categories of a column to the counts of their groups."""
        codes = _codes(column, rows["v"]).tolist()
        for code, period, hour, n in zip(
            codes, *(rows[key].to_pylist() for key in ("period", "hour", "n")), strict=True
        ):
            if (int(period), int(hour)) not in counts:
                raise self._changed()
            counts[int(period), int(hour)][index, code] += int(n)

    def _changed(self) -> TableError:
        return TableError(f"{self._source.label} changed while its rows were counted: check a copy of the table")

    def _profile(self, name: str, by_hour: Mapping[int, tuple[Mapping[str, Any], NumericCounts]]) -> Profile:
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


def _rows(found: Mapping[Group, Mapping[str, Any]]) -> dict[Group, int]:
    """Return the rows of each group."""
    return {group: int(row["rows"]) for group, row in found.items()}


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
