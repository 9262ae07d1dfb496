"""Values of columns and tables, computed while their rows are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.checks.assertions.cells import Cells, row_hashes, spelled_missing, type_name
from driftgauge.checks.assertions.distinct import DistinctCounter
from driftgauge.checks.assertions.language import Value
from driftgauge.checks.assertions.reservoir import Reservoir
from driftgauge.checks.moments import Moments
from driftgauge.drift.bins import FloatArray
from driftgauge.tables.csv_types import CellType, inferred

TOO_LARGE: Final = "it is not defined: the numbers are infinite or too large to compute it"


class Undefined(ValueError):
    """A value is not defined; the message says why."""


Later = Callable[[], Value]
"""What gives a value once the rows of all windows are read; Undefined where it is not defined."""


class Measure(Protocol):
    """A value that is computed part by part."""

    @property
    def note(self) -> str:
        """What limits the value, such as a sample; empty if nothing does."""

    def add(self, cells: Cells) -> None:
        """Add rows; ColumnError for a cell of the wrong kind, Undefined if there can be no value."""

    def value(self) -> Value | Later:
        """Return the value of all rows so far, NaN or Undefined where it is not defined; called once."""


class _Exact:
    note: Final = ""


class Rows(_Exact):
    """The number of rows."""

    def __init__(self) -> None:
        self._rows = 0

    def add(self, cells: Cells) -> None:
        """Add rows."""
        self._rows += cells.rows

    def value(self) -> Value:
        """Return the number."""
        return float(self._rows)


class EmptyRows(_Exact):
    """The number of rows without any value."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._rows = 0

    def add(self, cells: Cells) -> None:
        """Add rows."""
        empty = np.ones(cells.rows, dtype=np.bool_)
        for name in self._names:
            empty &= cells.missing(name)
        self._rows += int(empty.sum())

    def value(self) -> Value:
        """Return the number."""
        return float(self._rows)


class ColumnType:
    """The type of a column: as it is stored, or what all cells of a csv file spell."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._sort: CellType = "nothing"
        self._kinds: set[str] = set()

    def add(self, cells: Cells) -> None:
        """Add rows."""
        column = cells.column(self._name)
        if not cells.is_written(self._name):
            self._kinds.add(type_name(column.type))
        elif self._sort != "text":
            self._sort, typed = inferred(column, self._sort)
            self._kinds.add("text" if typed is None and self._sort == "text" else _kind_of(typed))

    @property
    def name(self) -> str:
        """What assertions call the type."""
        kinds = self._kinds - {"nothing"}
        if self._sort == "text":
            return "text"
        if kinds == {"integer", "float"}:
            return "float"
        if kinds == {"date", "timestamp"}:
            return "timestamp"
        if len(kinds) > 1:
            return "text" if self._sort != "nothing" else "mixed"
        return next(iter(kinds), "nothing")


def _kind_of(typed: pa.ChunkedArray | None) -> str:
    return "nothing" if typed is None else type_name(typed.type)


class Dtype(_Exact):
    """The type of a column."""

    def __init__(self, name: str) -> None:
        self._type = ColumnType(name)

    def add(self, cells: Cells) -> None:
        """Add rows."""
        self._type.add(cells)

    def value(self) -> Value:
        """Return the type's name."""
        return self._type.name


class Missing(_Exact):
    """The rows without a value in some columns: their number, or the share of cells.

    In a csv file NA, null and blanks are missing in columns of numbers, booleans and times; in text they are values.
    """

    def __init__(self, names: Sequence[str], *, is_share: bool) -> None:
        self._types = {name: ColumnType(name) for name in names}
        self._missing = dict.fromkeys(names, 0)
        self._spelled = dict.fromkeys(names, 0)
        self._is_share = is_share
        self._rows = 0

    def add(self, cells: Cells) -> None:
        """Add rows."""
        self._rows += cells.rows
        for name, own in self._types.items():
            column = cells.column(name)
            missing = int(cells.missing(name).sum())
            self._missing[name] += missing
            self._spelled[name] += spelled_missing(column) if cells.is_written(name) else missing
            own.add(cells)

    def value(self) -> Value:
        """Return the number or the share."""
        found = sum((self._missing if own.name == "text" else self._spelled)[name] for name, own in self._types.items())
        if not self._is_share:
            return float(found)
        cells = self._rows * len(self._types)
        return found / cells if cells else math.nan


class Moment(_Exact):
    """A moment of the finite numbers of a column."""

    def __init__(self, name: str, which: str) -> None:
        self._name = name
        self._which = which
        self._moments = Moments()

    def add(self, cells: Cells) -> None:
        """Add rows."""
        self._moments.add(finite(cells.numbers(self._name)))

    def value(self) -> Value:
        """Return the moment, NaN without a number; Undefined if it is too large for a float."""
        own = self._moments
        if not own.rows:
            return 0.0 if self._which == "sum" else math.nan
        found = {
            "mean": own.mean,
            "sum": own.sum,
            "std": own.std,
            "min": own.low,
            "max": own.high,
            "range": own.high - own.low,
        }[self._which]
        if not math.isfinite(found):
            raise Undefined(TOO_LARGE)
        return found


class Quantile:
    """A quantile of the finite numbers of a column, of a sample if there are many."""

    def __init__(self, name: str, level: float, most: int) -> None:
        self._name = name
        self._level = level
        self._held = Reservoir(most, 1)

    @property
    def note(self) -> str:
        """That it is of a sample."""
        return sample_note(self._held)

    def add(self, cells: Cells) -> None:
        """Add rows."""
        self._held.add(finite(cells.numbers(self._name))[:, None])

    def value(self) -> Value:
        """Return the quantile, interpolated as numpy does by default."""
        held = self._held.values()
        return float(np.quantile(held[:, 0], self._level)) if len(held) else math.nan


class Distinct(_Exact):
    """Distinct values of a column: their number, or their share of the rows with a value."""

    def __init__(self, name: str, *, is_share: bool) -> None:
        self._name = name
        self._is_share = is_share
        self._rows = 0
        self._counter = DistinctCounter()

    def add(self, cells: Cells) -> None:
        """Add rows."""
        hashes = cells.hashes(self._name)[~cells.missing(self._name)]
        self._rows += len(hashes)
        self._counter.add(hashes)

    def value(self) -> Value:
        """Return the number or the share."""
        found = float(self._counter.count())
        if not self._is_share:
            return found
        return found / self._rows if self._rows else math.nan


class Duplicates(_Exact):
    """Rows that repeat an earlier row in some columns: their number, or their share."""

    def __init__(self, names: Sequence[str], *, is_share: bool = False) -> None:
        self._names = list(names)
        self._is_share = is_share
        self._rows = 0
        self._counter = DistinctCounter()

    def add(self, cells: Cells) -> None:
        """Add rows."""
        self._rows += cells.rows
        self._counter.add(row_hashes(cells, self._names))

    def value(self) -> Value:
        """Return the number or the share."""
        found = float(self._rows - self._counter.count())
        if not self._is_share:
            return found
        return found / self._rows if self._rows else math.nan


class Share:
    """The share of rows with a value in which a test holds."""

    note: Final = ""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rows = 0
        self._held = 0

    def count(self, rows: int, held: int) -> None:
        """Count rows with a value, and those in which the test holds."""
        self._rows += rows
        self._held += held

    def value(self) -> Value:
        """Return the share, NaN without a value."""
        return self._held / self._rows if self._rows else math.nan


class InRange(Share):
    """The share of numbers in a range, bounds included."""

    def __init__(self, name: str, low: float, high: float) -> None:
        super().__init__(name)
        self._low, self._high = low, high

    def add(self, cells: Cells) -> None:
        """Add rows."""
        numbers = cells.numbers(self._name)
        known = numbers[~np.isnan(numbers)]
        self.count(len(known), int(((known >= self._low) & (known <= self._high)).sum()))


class InList(Share):
    """The share of cells that are one of some values; 1, 1.0 and true are the same one."""

    def __init__(self, name: str, values: Sequence[str]) -> None:
        super().__init__(name)
        self._values = pa.array(values, pa.string())

    def add(self, cells: Cells) -> None:
        """Add rows."""
        classes = cells.classes(self._name)
        known = len(classes) - classes.null_count
        among = pc.is_in(classes.dictionary, self._values)
        self.count(known, int(pc.sum(pc.take(among, classes.indices)).as_py() or 0))


class Matches(Share):
    """The share of cells whose whole text fits a regular expression of RE2."""

    def __init__(self, name: str, pattern: str) -> None:
        super().__init__(name)
        self._pattern = f"^(?:{pattern})$"

    def add(self, cells: Cells) -> None:
        """Add rows."""
        texts = cells.texts(self._name)
        fits = pc.match_substring_regex(texts, self._pattern)
        self.count(len(texts) - texts.null_count, int(pc.sum(fits).as_py() or 0))


def finite(numbers: FloatArray) -> FloatArray:
    """Return the finite ones of some numbers."""
    return numbers[np.isfinite(numbers)]


def sample_note(held: Reservoir) -> str:
    """Return that a value is of a sample, if it is."""
    return f"of a random sample of {len(held.values()):,} of {held.rows:,} rows" if held.is_sample else ""
