"""Tables cut into windows: one for each table, or one for each period."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.checks.options import CheckOptions
from driftgauge.checks.quality import TableChecker, TableQuality
from driftgauge.checks.rows import RowReader, Rows
from driftgauge.checks.scoring import PerformanceSample, Scorer
from driftgauge.checks.window_builder import EvidenceAccumulator, WindowBuilder
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.errors import TableError
from driftgauge.tables.stream import TableSource

_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True)
class WindowRows:
    """The rows of a window, and those of them with a known target."""

    builder: WindowBuilder
    sample: PerformanceSample | None
    """None without the model."""
    quality: TableQuality | None = None
    """None without constraints."""


class WindowReader:
    """Reads tables in order and cuts their rows into windows."""

    def __init__(
        self,
        reader: RowReader,
        streams: Sequence[TableSource],
        options: CheckOptions,
        scorer: Scorer | None,
        is_history: bool,
        quality: TableChecker | None = None,
    ) -> None:
        self._reader = reader
        self._streams = streams
        self._options = options
        self._period = options.period
        self._scorer = scorer
        self._is_history = is_history
        self._quality = quality

    def windows(self, evidence: EvidenceAccumulator, progress: Callable[[int], object]) -> Iterator[WindowRows]:
        """Yield each window once all of its rows are read and their evidence is counted."""
        names = unique([stream.name for stream in self._streams])
        current: WindowRows | None = None
        before = 0
        for index, stream in enumerate(self._streams):
            total = 0
            for part in stream.parts(self._reader.needed(stream)):
                rows = self._reader.read(stream, part)
                total += len(rows.values)
                for run, key in self._runs(rows, index, stream, current):
                    if current is None or current.builder.key != key:
                        if current is not None:
                            yield current
                        current = self._started(key, names[index])
                    self._add(rows, run, current, evidence, stream)
                progress(before + part.bytes_read)
            if total == 0:
                raise TableError(f"{stream.label} has no rows")
            before += stream.bytes
        if current is not None:
            yield current

    def _add(
        self, rows: Rows, run: slice, current: WindowRows, evidence: EvidenceAccumulator, stream: TableSource
    ) -> None:
        values = rows.values[run]
        codes = self._reader.baseline.binner.codes(values)
        current.builder.add(values, codes, None if rows.at is None else rows.at[run], stream.path)
        if current.quality is not None:
            at = np.full(len(values), np.nan) if rows.at is None else rows.at[run]
            current.quality.add(stream.column_names, values, codes, at, rows.first + run.start)
        if rows.at is not None:
            evidence.add(codes, rows.at[run])
        if current.sample is not None and rows.answers is not None:
            current.sample.add(rows.answers, run)

    def _runs(
        self, rows: Rows, table: int, stream: TableSource, current: WindowRows | None
    ) -> Iterator[tuple[slice, int]]:
        """Yield consecutive rows of one window, with the window's key: its table or period."""
        if self._period is None or rows.at is None:
            yield slice(0, len(rows.values)), table
            return
        periods = np.floor(rows.at / self._period.seconds).astype(np.int64)
        before = periods[0] if current is None else current.builder.key
        newest = np.maximum.accumulate(np.append(before, periods))[1:]
        late = np.flatnonzero(periods < newest)
        if late.size:
            began = newest[late[0]] * float(self._period.seconds)
            raise unordered(stream.label, str(self._options.time), rows.at[late[0]], began)
        ends = [*np.flatnonzero(np.diff(periods)) + 1, len(periods)]
        for first, end in zip([0, *ends], ends, strict=False):
            yield slice(first, end), int(periods[first])

    def _started(self, key: int, table: str) -> WindowRows:
        name = table if self._is_history else "table"
        if self._period is not None:
            name = period_name(key, self._period.seconds)
        baseline, options = self._reader.baseline, self._options
        most = max(1, min(options.held_rows, options.held_cells // len(baseline.columns)))
        sample = None if self._scorer is None else PerformanceSample(self._scorer.info, options.held_rows)
        quality = None if self._quality is None else self._quality.begin()
        return WindowRows(WindowBuilder(key, name, baseline, most), sample, quality)


def period_name(key: int, seconds: float) -> str:
    """Return the name of a period: its start, of whole days the date.

    >>> period_name(20_484, 86_400)
    '2026-01-31'
    """
    name = rfc3339(key * seconds)
    return name.partition("T")[0] if seconds % _DAY_SECONDS == 0 else name


def partition_of(table: str, key: int, seconds: float) -> str:
    """Return the name of a table's partition of one period.

    >>> partition_of("orders.parquet", 20_484, 86_400)
    'orders.parquet#2026-01-31'
    """
    return f"{table}#{period_name(key, seconds)}"


def unordered(table: str, time: str, at: float, began: float) -> TableError:
    """Return the error of a row whose period is over; times are in seconds since 1970."""
    return TableError(
        f"{table}: {time} goes back to {rfc3339(at)} after the period of {rfc3339(began)} has begun: "
        f"sort the tables by {time}"
    )


def unique(names: Sequence[str]) -> list[str]:
    """Return names with a number appended to repeated ones.

    >>> unique(["t", "t"])
    ['t', 't-2']
    """
    found: list[str] = []
    for name in names:
        candidates = (name if count == 1 else f"{name}-{count}" for count in range(1, len(names) + 1))
        found.append(next(candidate for candidate in candidates if candidate not in found))
    return found
