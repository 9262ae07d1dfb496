"""The offline twin of a monitor: tables of any size, judged by the very code that judges what a server sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from driftgauge.check.rows import RowReader, Rows
from driftgauge.check.scoring import Grades, Scorer
from driftgauge.check.window_builder import Weighing, WindowBuilder
from driftgauge.common.quoting import listed
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.reference.columns import NO_CORRELATIONS, CorrelationTable
from driftgauge.drift.statistics.correlation import Correlations
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.report import DriftReport, Memory, evaluate
from driftgauge.drift.verdict.rule import Status
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.errors import BundleError, CheckError, TableError
from driftgauge.models.bundle import Performance
from driftgauge.tables.stream import TableStream
from driftgauge.tables.times import EARLIEST

HELD_ROWS: Final = 200_000
"""The most rows of a window that are held; of more a uniform sample is."""
HELD_CELLS: Final = 20_000_000
"""The most cells that are held: tables of more than 100 columns hold fewer rows."""
_DAY_SECONDS: Final = 86_400


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
    performance: Performance | None = None
    """How good the model is on the rows whose truth is known; None where it was not asked or there are none."""
    unanswered_rows: int = 0
    """Rows that the model could not answer; their scores are missing."""

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

    def __init__(
        self,
        baseline: Baseline,
        tables: Sequence[Path | str],
        options: CheckOptions | None = None,
        scorer: Scorer | None = None,
    ) -> None:
        """Open the tables; TableError where one is none, CheckError if there is nothing to compare.

        The scorer's model is loaded if a table lacks scores or has the target, and every feature is there.
        """
        self.options: Final = options or CheckOptions()
        if self.options.every is not None and self.options.time is None:
            span = self.options.every.name
            raise CheckError(f"periods of {span} need times: name the column that holds them (--time)")
        if baseline.is_by_hour and self.options.time is None:
            raise CheckError("the baseline tells hours of the day apart: name the column of times (--time)")
        self._streams: Final = [TableStream(path, self.options.bytes_at_once) for path in tables]
        self._require_known(baseline, self.options.ignore)
        absent = self._absent_scores(baseline)
        self.not_predicted = ""
        """Why the model was not asked, although it could have been of use."""
        self._scorer: Final = self._opened(scorer, absent)
        self.predicted: Final = absent if self._scorer else ()
        """Score columns that are not in every table, and given by the model where they are not."""
        self.left_out: Final = () if self._scorer else absent
        """Score columns of the baseline that are not in every table, and not compared."""
        leaving = {*self.options.ignore, *self.left_out}
        self.baseline: Final = restricted(baseline, [name for name in baseline.names if name not in leaving])
        """The columns that are compared."""
        if not self.baseline.columns:
            raise CheckError("there is no column to compare: all of the baseline's are ignored or absent")
        self._reader: Final = RowReader(self.baseline, self.options.time, self._scorer)
        for stream in self._streams:
            stream.require(self._reader.asked(stream))

    def _opened(self, scorer: Scorer | None, absent: Sequence[str]) -> Scorer | None:
        """Return the scorer with its model loaded, None if it is of no use or cannot be."""
        if scorer is None or not all(
            name in stream.column_names for stream in self._streams for name in scorer.features
        ):
            return None
        if not absent and not any(scorer.info.target in stream.column_names for stream in self._streams):
            return None
        try:
            scorer.open()
        except BundleError as error:
            self.not_predicted = str(error)
            return None
        return scorer

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
        for filling, grades in self._filled(weighing, read or (lambda _: None)):
            window = filling.window()
            observed += window.rows
            policy = replace(self.options.policy, windows=(window.rows,), time_windows=())
            at = now if window.end is None else window.end
            memory = replace(memory, evidence=weighing.ended(window, at))
            report, memory = evaluate(self.baseline, [window], observed, memory, policy, at)
            drifting = [verdict.name for verdict in report.verdicts if verdict.status is Status.DRIFT_DETECTED]
            began = {name: began.get(name, window.name) for name in drifting}
            judged = Judged(
                window.name,
                tuple(filling.tables),
                report,
                began,
                filling.held,
                performance=None if grades is None else grades.performance(),
                unanswered_rows=0 if grades is None else grades.unanswered,
            )
            del filling, window, grades  # its rows make room for those of the next
            yield judged

    def _absent_scores(self, baseline: Baseline) -> tuple[str, ...]:
        scores = [name for name in RESERVED if name in baseline.names and name not in self.options.ignore]
        return tuple(name for name in scores if any(name not in stream.column_names for stream in self._streams))

    def _require_known(self, baseline: Baseline, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in baseline.names]
        if unknown:
            raise CheckError(f"the baseline has no column {', '.join(unknown)}; it has {listed(baseline.names)}")

    def _filled(
        self, weighing: Weighing, read: Callable[[int], object]
    ) -> Iterator[tuple[WindowBuilder, Grades | None]]:
        """Yield the windows, each when all of its rows have been read."""
        names = _unique([stream.name for stream in self._streams])
        filling: WindowBuilder | None = None
        grades: Grades | None = None
        before = 0
        for place, stream in enumerate(self._streams):
            found = 0
            for part in stream.parts(self._reader.asked(stream)):
                rows = self._reader.read(stream, part)
                found += len(rows.values)
                for run, key in self._runs(rows.at, len(rows.values), place, stream, filling):
                    if filling is None or filling.key != key:
                        if filling is not None:
                            yield filling, grades
                        filling, grades = self._filling(key, names[place]), self._grades()
                    self._add(rows, run, filling, grades, weighing, stream.path)
                read(before + part.bytes_read)
            if found == 0:
                raise TableError(f"{stream.path} has no rows")
            before += stream.bytes
        if filling is not None:
            yield filling, grades

    def _add(
        self, rows: Rows, run: slice, filling: WindowBuilder, grades: Grades | None, weighing: Weighing, path: Path
    ) -> None:
        codes = self.baseline.binner.codes(rows.values[run])
        filling.add(rows.values[run], codes, None if rows.at is None else rows.at[run], path)
        if rows.at is not None:
            weighing.add(codes, rows.at[run])
        if grades is not None and rows.answers is not None:
            grades.add(rows.answers, run)

    def _grades(self) -> Grades | None:
        return None if self._scorer is None else Grades(self._scorer.info, self.options.held_rows)

    def _runs(
        self, at: FloatArray | None, rows: int, place: int, stream: TableStream, filling: WindowBuilder | None
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

    def _filling(self, key: int, stem: str) -> WindowBuilder:
        name = stem if self.is_history else "table"
        if self.options.every is not None:
            name = moment(key * self.options.every.seconds, whole_days=self.options.every.seconds % _DAY_SECONDS == 0)
        most = max(1, min(self.options.held_rows, self.options.held_cells // len(self.baseline.columns)))
        return WindowBuilder(key, name, self.baseline, most)


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
