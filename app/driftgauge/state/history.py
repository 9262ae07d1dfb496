"""History: the verdicts of the last hours, days and weeks, and the changes of severities, in one buffer.

The first report of each minute is kept. When a quarter of an hour or a day is over, its summary is made of the finer
records. A record that was never finished, or is damaged, is left out; the next report writes it again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np

from driftgauge.common.layout import Buffer, Field, Layout
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.verdict.history import STATISTICS, History, RankArray, joined, severity_levels, summary
from driftgauge.state.double_buffer import Damaged, DoubleBuffer, double_buffer_fields
from driftgauge.state.failpoints import Failpoint, no_failpoint
from driftgauge.state.rings import Records, Ring, ring_field

AHEAD_SECONDS: Final = 300.0
"""Records more than this later than a report are of a clock that was ahead."""
_FEWEST_CHANGES: Final = 1_000
_CHANGES_PER_COLUMN: Final = 4


@dataclass(frozen=True)
class Resolution:
    """How long a record lasts, and how many are kept."""

    name: str
    seconds: int
    records: int


RESOLUTIONS: Final = (
    Resolution("minutes", 60, 120),
    Resolution("quarters", 900, 192),
    Resolution("days", 86_400, 60),
)
"""From the finest; a record of each lasts a whole number of the one before."""


@dataclass(frozen=True)
class HistoryShape:
    """What decides what the bytes of a history mean."""

    columns: int

    @property
    def changes(self) -> int:
        """How many changes are kept."""
        return max(_FEWEST_CHANGES, _CHANGES_PER_COLUMN * (self.columns + 1))

    @cached_property
    def record(self) -> Layout:
        """The layout of a record."""
        model = Field("model", "f8", (3,))
        ranks, statistics = Field("ranks", "u1", (self.columns,)), ("f4", (len(STATISTICS), self.columns))
        return Layout([model, ranks, Field("statistics", *statistics)])

    @cached_property
    def change(self) -> Layout:
        """The layout of a change: when, the column's position (that of the model is behind them), both ranks."""
        return Layout([Field("at", "f8", (1,)), Field("moved", "i4", (3,))])

    @cached_property
    def head(self) -> Layout:
        """The layout of what is known of the last report: the ranks, that of the model last, and all changes."""
        return Layout([Field("ranks", "u1", (self.columns + 1,)), Field("changes", "i8", (1,))])

    @cached_property
    def layout(self) -> Layout:
        """The layout of a history."""
        rings = [ring_field(own.name, own.records, self.record) for own in RESOLUTIONS]
        changes = ring_field("changes", self.changes, self.change)
        return Layout([*double_buffer_fields("history", self.head), changes, *rings])


@dataclass(frozen=True)
class Changes:
    """Changes of severities, oldest first."""

    at: FloatArray
    """Shape [n], seconds since 1970."""
    column: IntArray
    """Positions of the columns, shape [n]; that of the model is behind them."""
    before: IntArray
    """Ranks, shape [n]."""
    after: IntArray
    dropped: int
    """Older changes that made room for these."""


class HistoryBuffer:
    """The history in a buffer; the holder of the evaluation lock writes, and anyone reads."""

    def __init__(self, shape: HistoryShape, buffer: Buffer | None = None, failpoint: Failpoint = no_failpoint) -> None:
        """See the history in a buffer, by default a new one in memory."""
        arrays = shape.layout.arrays(bytearray(shape.layout.size_bytes) if buffer is None else buffer)
        self._shape = shape
        self._failpoint = failpoint
        self._head = DoubleBuffer("history", shape.head, arrays, failpoint)
        self._changes = Ring(shape.change, arrays["changes"], failpoint)
        self._rings = [Ring(shape.record, arrays[own.name], failpoint) for own in RESOLUTIONS]

    # ------------------------------------------------------------ writing: the caller holds the evaluation lock

    def keep(self, report: History) -> None:
        """Keep one report: the changes that it shows, and all of it where it is the first of its minute."""
        self._log_changes(report)
        at = float(report.at[0])
        minute, newest = math.floor(at / RESOLUTIONS[0].seconds), self._rings[0].newest()
        if newest is not None and newest * RESOLUTIONS[0].seconds > at + AHEAD_SECONDS:
            self._drop_later(at)
            newest = self._rings[0].newest()
        if newest is None or newest < minute:
            self._summarise(report.names, at)
            self._write(0, minute, report)

    def _log_changes(self, report: History) -> None:
        ranks = np.append(report.ranks[0], report.rank)
        before, count = self._last()
        if before is not None:
            moved = severity_levels(before) != severity_levels(ranks)
            moved[-1] = before[-1] != ranks[-1]  # of the model also a change of the status alone
            places = np.flatnonzero(moved)
            if places.size:
                self._changes.write(count + np.arange(places.size), self._changed(places, before, ranks, report.at[0]))
                self._failpoint("history.changed")
                count += places.size
        if before is None or (before != ranks).any():
            self._head.write({"ranks": ranks, "changes": count})

    def _last(self) -> tuple[RankArray | None, int]:
        """Return the ranks of the last report, None if they are not known, and the number of changes."""
        try:
            head = self._head.read()[1]
        except Damaged:
            newest = self._changes.newest()
            return None, 0 if newest is None else newest + 1
        return head["ranks"], int(head["changes"][0])

    def _changed(self, places: IntArray, before: RankArray, after: RankArray, at: float) -> Any:
        rows = ({"at": at, "moved": [place, before[place], after[place]]} for place in places)
        return np.concatenate([self._changes.packed(row) for row in rows])

    def _drop_later(self, at: float) -> None:
        """Drop the records of a time that has not come yet; a summary is of a time that is over."""
        for level, (own, ring) in enumerate(zip(RESOLUTIONS, self._rings, strict=True)):
            now = math.floor(at / own.seconds)
            ring.empty(np.flatnonzero(ring.numbers() >= now + (level == 0)))

    def _summarise(self, names: tuple[str, ...], at: float) -> None:
        """Write the summary of each quarter or day that is over and holds finer records."""
        for level, (finer, coarser) in enumerate(pairwise(RESOLUTIONS), 1):
            parts, last = coarser.seconds // finer.seconds, self._rings[level - 1].newest()
            if last is None or last // parts >= math.floor(at / coarser.seconds):
                continue
            number = last // parts
            if not len(self._rings[level].find(np.array([number]))[0]):
                found = self._rings[level - 1].find(number * parts + np.arange(parts))
                self._write(level, number, summary(self._history(names, level - 1, *found), 0.0, 0.0))

    def _write(self, level: int, number: int, one: History) -> None:
        model = np.array([one.rank[0], one.rows[0], one.score_mean[0]])
        arrays = {"model": model, "ranks": one.ranks[0], "statistics": one.statistics[0]}
        self._rings[level].write(np.array([number]), self._rings[level].packed(arrays))

    # ------------------------------------------------------------ reading

    def read(self, names: tuple[str, ...], since: float = -math.inf) -> History:
        """Return the history, from `since` (seconds since 1970): each time in the finest resolution that holds it."""
        parts: list[History] = []
        finer, begin = np.empty(0), math.inf
        for level, own in enumerate(RESOLUTIONS):
            numbers, records = self._rings[level].held()
            held = self._history(names, level, numbers, records)
            is_needed = (held.at < begin) | ~np.isin(numbers, np.floor(finer / own.seconds))
            parts.append(held[is_needed & (held.at + held.seconds > since)])
            finer = np.concatenate([finer, held.at])
            begin = own.seconds * float(numbers[-1] - own.records + 1) if numbers.size else -math.inf
        found = joined(parts)
        return found[np.argsort(found.at, kind="stable")]

    def _history(self, names: tuple[str, ...], level: int, numbers: IntArray, records: Records) -> History:
        seconds, model = float(RESOLUTIONS[level].seconds), records["model"]
        return History(
            names=names,
            at=numbers.astype(np.float64) * seconds,
            seconds=np.full(len(numbers), seconds),
            rank=model[:, 0].astype(np.uint8),
            rows=model[:, 1],
            score_mean=model[:, 2],
            ranks=records["ranks"],
            statistics=records["statistics"],
        )

    def changes(self) -> Changes:
        """Return the changes that are kept."""
        count = self._last()[1]
        numbers = np.arange(max(0, count - self._changes.capacity), count)
        records = self._changes.find(numbers)[1]
        moved = records["moved"].astype(np.int64)
        return Changes(records["at"][:, 0], moved[:, 0], moved[:, 1], moved[:, 2], count - len(numbers))
