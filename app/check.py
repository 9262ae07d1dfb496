"""The offline twin of a monitor: tables of any size, judged by the very code that judges what a server sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from app.cells import EARLIEST, ColumnError, Names, TableError, as_categories, as_numbers, as_seconds, text_lengths
from app.drift.baseline import NO_CORRELATIONS, RESERVED, Baseline, ColumnBaseline, CorrelationTable
from app.drift.bins import MISSING, FloatArray, category_hash
from app.drift.buckets import TimeSpan
from app.drift.correlation import Correlations
from app.drift.policy import Policy
from app.drift.report import DriftReport, Memory, evaluate
from app.drift.verdict import Status
from app.filling import Filling, Weighing
from app.table_stream import Part, TableStream

HELD_ROWS: Final = 200_000
"""The most rows of a window that are held; of more a uniform sample is."""
HELD_CELLS: Final = 20_000_000
"""The most cells that are held: tables of more than 100 columns hold fewer rows."""
_DAY_SECONDS: Final = 86_400


class CheckError(ValueError):
    """A comparison that cannot be made as asked; the message says what to do."""


@dataclass(frozen=True)
class CheckOptions:
    """How tables are judged."""

    time: str | None = None
    """Column of times; without one a window has none."""
    every: TimeSpan | None = None
    """Length of a period, counted from 1970 in UTC; without it each table is one window."""
    ignore: Sequence[str] = ()
    """Columns of the baseline that are not compared."""
    policy: Policy = field(default_factory=Policy)
    """Its thresholds; the windows are the tables' or the periods'."""
    held_rows: int = HELD_ROWS
    held_cells: int = HELD_CELLS
    bytes_at_once: int = 2_097_152
    """How much of a file is worked on at once."""


@dataclass(frozen=True)
class Judged:
    """One window and its verdict."""

    window: str
    """`table` for a single one, else the file's name without its ending, or when the period begins."""
    tables: tuple[Path, ...]
    """The files that its rows came from."""
    report: DriftReport
    since: Mapping[str, str]
    """For each column that drifts, the window in which that began."""
    held_rows: int
    """Rows that the statistics of values come from: fewer than all where the window is large."""

    @property
    def rows(self) -> int:
        """Rows of the window."""
        return self.report.main.rows

    @property
    def drifted(self) -> bool:
        """Whether any column drifts."""
        return self.report.status is Status.DRIFT_DETECTED


class Check:
    """Tables that are to be compared with a baseline: their columns are known, their rows not yet read."""

    def __init__(self, baseline: Baseline, tables: Sequence[Path | str], options: CheckOptions | None = None) -> None:
        """Open the tables; TableError where one is none, CheckError if there is nothing to compare."""
        self.options: Final = options or CheckOptions()
        if self.options.every is not None and self.options.time is None:
            span = self.options.every.name
            raise CheckError(f"periods of {span} need times: name the column that holds them (--time)")
        if baseline.is_by_hour and self.options.time is None:
            raise CheckError("the baseline tells hours of the day apart: name the column of times (--time)")
        self._streams: Final = [TableStream(path, self.options.bytes_at_once) for path in tables]
        self.left_out: Final = self._absent_scores(baseline)
        """Score columns of the baseline that are not in every table, and not compared."""
        self._require_known(baseline, self.options.ignore)
        leaving = {*self.options.ignore, *self.left_out}
        self.baseline: Final = restricted(baseline, [name for name in baseline.names if name not in leaving])
        """The columns that are compared."""
        if not self.baseline.columns:
            raise CheckError("there is no column to compare: all of the baseline's are ignored or absent")
        for stream in self._streams:
            stream.require(self._asked())
        self._columns = [_Column(column) for column in self.baseline.columns]

    @property
    def bytes(self) -> int:
        """Size of all the tables' files."""
        return sum(stream.bytes for stream in self._streams)

    @property
    def is_history(self) -> bool:
        """Whether there may be several windows, one after the other."""
        return self.options.every is not None or len(self._streams) > 1

    def windows(self, now: float, read: Callable[[int], object] | None = None) -> Iterator[Judged]:
        """Read the tables and yield the verdict on each window, in order.

        `now`, in seconds since 1970, is when a window without times is judged. `read` is called with
        the bytes of all the tables that have been read. Raises TableError.
        """
        detector = self.baseline.detector(self.options.policy.budget)
        weighing, memory = Weighing(self.baseline.binner, detector), Memory.start(detector)
        began: dict[str, str] = {}
        observed = 0
        for filling in self._filled(weighing, read or (lambda _: None)):
            window = filling.window()
            observed += window.rows
            policy = replace(self.options.policy, windows=(window.rows,), time_windows=())
            at = now if window.end is None else window.end
            memory = replace(memory, evidence=weighing.ended(window, at))
            report, memory = evaluate(self.baseline, [window], observed, memory, policy, at)
            drifting = [verdict.name for verdict in report.verdicts if verdict.status is Status.DRIFT_DETECTED]
            began = {name: began.get(name, window.name) for name in drifting}
            judged = Judged(window.name, tuple(filling.tables), report, began, filling.held)
            del filling, window  # its rows make room for those of the next
            yield judged

    def _absent_scores(self, baseline: Baseline) -> tuple[str, ...]:
        scores = [name for name in RESERVED if name in baseline.names and name not in self.options.ignore]
        return tuple(name for name in scores if any(name not in stream.column_names for stream in self._streams))

    def _require_known(self, baseline: Baseline, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in baseline.names]
        if unknown:
            raise CheckError(f"the baseline has no column {', '.join(unknown)}; it has {', '.join(baseline.names)}")

    def _filled(self, weighing: Weighing, read: Callable[[int], object]) -> Iterator[Filling]:
        """Yield the windows, each when all of its rows have been read."""
        names = _unique([stream.path.stem for stream in self._streams])
        filling: Filling | None = None
        before = 0
        for place, stream in enumerate(self._streams):
            rows = 0
            for part in stream.parts(self._asked()):
                values, at = self._values(stream, part)
                rows += len(values)
                for run, key in self._runs(at, len(values), place, stream, filling):
                    if filling is None or filling.key != key:
                        if filling is not None:
                            yield filling
                        filling = self._filling(key, names[place])
                    codes = self.baseline.binner.codes(values[run])
                    filling.add(values[run], codes, None if at is None else at[run], stream.path)
                    if at is not None:
                        weighing.add(codes, at[run])
                read(before + part.bytes_read)
            if rows == 0:
                raise TableError(f"{stream.path} has no rows")
            before += stream.bytes
        if filling is not None:
            yield filling

    def _asked(self) -> list[str]:
        time = [] if self.options.time is None else [self.options.time]
        return list(dict.fromkeys([*self.baseline.names, *time]))

    def _values(self, stream: TableStream, part: Part) -> tuple[FloatArray, FloatArray | None]:
        """Return rows as a monitor observes them, categories as codes, and their times."""
        values = np.empty((part.table.num_rows, len(self._columns)))
        try:
            for place, column in enumerate(self._columns):
                values[:, place] = column.cells(part)
            at = None if self.options.time is None else as_seconds(part.table[self.options.time], self.options.time)
        except ColumnError as error:
            where = stream.path if error.row is None else f"{stream.path}, row {part.first + error.row - 1:,}"
            found = next(column for column in self.baseline.columns if column.name == error.name)
            had = "free text" if found.of_text else "numbers" if found.kind == "numeric" else "categories"
            raise TableError(
                f"{where}: {error.name}: {error.problem}, where the baseline has {had}: mend it, or leave the column "
                f"out (--ignore {error.name})"
            ) from error
        except TableError as error:
            rows = f"rows {part.first:,} to {part.first + part.table.num_rows - 1:,}"
            raise TableError(f"{stream.path}, {rows}: {error}") from error
        return values, at

    def _runs(
        self, at: FloatArray | None, rows: int, place: int, stream: TableStream, filling: Filling | None
    ) -> Iterator[tuple[slice, int]]:
        """Yield the rows that follow each other in one window, and which window it is."""
        if self.options.every is None or at is None:
            yield slice(0, rows), place
            return
        periods = np.floor(at / self.options.every.seconds).astype(np.int64)
        newest = np.maximum.accumulate(np.append(periods[0] if filling is None else filling.key, periods))[1:]
        late = np.flatnonzero(periods < newest)
        if late.size:
            began = newest[late[0]] * float(self.options.every.seconds)
            raise TableError(
                f"{stream.path}: {self.options.time} goes back to {moment(at[late[0]])} after the period of "
                f"{moment(began)} has begun: sort the tables by {self.options.time}"
            )
        ends = [*np.flatnonzero(np.diff(periods)) + 1, rows]
        for first, end in zip([0, *ends], ends, strict=False):
            yield slice(first, end), int(periods[first])

    def _filling(self, key: int, stem: str) -> Filling:
        name = stem if self.is_history else "table"
        if self.options.every is not None:
            name = moment(key * self.options.every.seconds, whole_days=self.options.every.seconds % _DAY_SECONDS == 0)
        most = max(1, min(self.options.held_rows, self.options.held_cells // len(self._columns)))
        return Filling(key, name, self.baseline, most)


def restricted(baseline: Baseline, names: Sequence[str]) -> Baseline:
    """Return the baseline of some of its columns, and of the correlations between them."""
    table = baseline.correlations
    kept = [place for place, name in enumerate(table.columns) if name in names]
    correlations = NO_CORRELATIONS
    if len(kept) > 1:
        found = table.correlations()
        among = np.ix_(kept, kept)
        chosen = Correlations(found.values[among], found.rows[among])
        correlations = CorrelationTable.of(tuple(table.columns[place] for place in kept), chosen)
    columns = tuple(column for column in baseline.columns if column.name in names)
    return replace(baseline, columns=columns, correlations=correlations)


def moment(at: float, *, whole_days: bool = False) -> str:
    """Return a time in seconds since 1970 as RFC 3339 text in UTC, or its date alone."""
    found = datetime.fromtimestamp(max(at, EARLIEST), UTC)  # the first period may begin before the calendar does
    return found.date().isoformat() if whole_days else found.isoformat(timespec="seconds").replace("+00:00", "Z")


def _unique(names: Sequence[str]) -> list[str]:
    """Return names with a number behind those that came before."""
    found: list[str] = []
    for name in names:
        candidates = (name if count == 1 else f"{name}-{count}" for count in range(1, len(names) + 1))
        found.append(next(candidate for candidate in candidates if candidate not in found))
    return found


class _Column:
    """A column of the baseline, which says how its cells are to be read."""

    def __init__(self, baseline: ColumnBaseline) -> None:
        self._name = baseline.name
        self._numeric = baseline.kind == "numeric"
        self._of_text = baseline.of_text
        self._bins = baseline.bins
        self._names = Names(self._bins.categories, self._knows)
        # Where the reference has empty texts and nothing missing, an empty cell is such a text.
        empty = not self._numeric and baseline.counts[self._bins.special[MISSING]] == 0 and self._knows("")
        self._gap = float(self._bins.category_code("")) if empty else math.nan

    def cells(self, part: Part) -> FloatArray:
        """Return the cells as a monitor takes them, shape [rows]."""
        cells = part.table[self._name]
        if self._of_text:
            return text_lengths(cells, self._name)
        if self._numeric:
            return as_numbers(cells, self._name)
        meant = self._names.written if self._name in part.written else self._names.typed
        found = as_categories(cells, self._name, meant)
        coded: FloatArray = np.append(self._bins.encode(found.names), self._gap)[found.codes]
        return coded

    def _knows(self, category: str) -> bool:
        return category in self._bins.categories or category_hash(category) in self._bins.tail
