"""Tables read for assertions: one window for each table, or one for each period."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np

from driftgauge.checks.assertions.cells import Cells, where
from driftgauge.checks.assertions.language import Value
from driftgauge.checks.assertions.measures import Later, Measure, Undefined
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.window_reader import period_name, unique, unordered
from driftgauge.drift.bins import IntArray
from driftgauge.errors import ColumnError
from driftgauge.tables.stream import TableSource
from driftgauge.tables.times import as_seconds

Key = tuple[str, tuple[Value, ...]]
"""A function and its arguments."""


@dataclass(frozen=True)
class Measured:
    """A value, or why there is none."""

    value: Value | None
    problem: str = ""
    note: str = ""


@dataclass
class WindowMeasures:
    """The measures of one window while its rows are read."""

    name: str
    measures: Mapping[Key, Measure]
    rows: int = 0
    problems: dict[Key, str] = field(default_factory=dict)
    """Measures that met a cell of the wrong kind."""

    def add(self, cells: Cells) -> None:
        """Add rows to each measure; one that cannot read them is left out from then on."""
        self.rows += cells.rows
        for key, measure in self.measures.items():
            if key not in self.problems:
                try:
                    measure.add(cells)
                except ColumnError as error:
                    self.problems[key] = where(error, cells)
                except Undefined as error:
                    self.problems[key] = str(error)

    def measured(self) -> dict[Key, Callable[[], Measured]]:
        """Return what gives the value of each measure once all windows are read; its rows are let go."""
        return {
            key: _known(Measured(None, self.problems[key])) if key in self.problems else _measured(measure)
            for key, measure in self.measures.items()
        }


def _known(found: Measured) -> Callable[[], Measured]:
    return lambda: found


def _measured(measure: Measure) -> Callable[[], Measured]:
    note = measure.note
    try:
        value = measure.value()
    except Undefined as error:
        return _known(Measured(None, str(error)))
    return partial(_settled, value, note) if callable(value) else _known(_defined(value, note))


def _settled(later: Later, note: str) -> Measured:
    try:
        return _defined(later(), note)
    except Undefined as error:
        return Measured(None, str(error))


def _defined(value: Value, note: str) -> Measured:
    if isinstance(value, float) and np.isnan(value):
        return Measured(None, "it is not defined: there are no rows to compute it from")
    return Measured(value, note=note)


class MeasuredWindows:
    """Reads tables in order and measures their windows."""

    def __init__(
        self,
        tables: Sequence[TableSource],
        columns: Sequence[str],
        options: CheckOptions,
        make: Callable[[TableSource], Mapping[Key, Measure]],
    ) -> None:
        self._tables: Final = tables
        self._columns = columns
        self._options = options
        self._make = make
        self._is_history = options.every is not None or len(tables) > 1
        self.filled: Final[list[TableSource]] = []
        """The tables that were read and have rows."""

    def windows(self) -> Iterator[WindowMeasures]:
        """Yield each window once all of its rows are read.

        A table without rows is one too; of periods, there is one without rows if no table has any.
        """
        if self._options.period is not None:
            yield from self._periods(self._options.period.seconds)
            return
        for name, table in zip(unique([one.name for one in self._tables]), self._tables, strict=True):
            window = WindowMeasures(name if self._is_history else "table", self._make(table))
            for cells, _ in self._parts(table):
                window.add(cells)
            yield window

    def _periods(self, seconds: float) -> Iterator[WindowMeasures]:
        current: WindowMeasures | None = None
        newest = 0
        for table in self._tables:
            for cells, periods in self._parts(table):
                for run in _runs(periods):
                    key = int(periods[run.start])
                    if current is None or key > newest:
                        if current is not None:
                            yield current
                        current, newest = WindowMeasures(period_name(key, seconds), self._make(table)), key
                    elif key < newest:
                        raise unordered(table.label, str(self._options.time), key * seconds, newest * seconds)
                    current.add(cells.slice(run))
        if current is not None:
            yield current
        elif self._tables:
            yield WindowMeasures(self._tables[0].name, self._make(self._tables[0]))

    def _parts(self, table: TableSource) -> Iterator[tuple[Cells, IntArray]]:
        """Yield the rows of a table with their periods."""
        time, period = self._options.time, self._options.period
        rows = 0
        own = [name for name in self._columns if name in table.column_names]
        timed = [time] if time is not None and period is not None else []
        for part in table.parts(list(dict.fromkeys([*own, *timed])) or list(table.column_names[:1])):
            periods = np.zeros(part.table.num_rows, dtype=np.int64)
            if time is not None and period is not None:
                periods = np.floor(as_seconds(part.table[time], time) / period.seconds).astype(np.int64)
            rows += part.table.num_rows
            yield Cells.of(part), periods
        if rows:
            self.filled.append(table)


def _runs(periods: IntArray) -> Iterator[slice]:
    """Yield consecutive rows of one period."""
    ends = [*(np.flatnonzero(np.diff(periods)) + 1).tolist(), len(periods)] if len(periods) else []
    for first, end in zip([0, *ends], ends, strict=False):
        yield slice(first, end)
