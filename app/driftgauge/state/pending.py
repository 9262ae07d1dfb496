"""Rows that their worker has not binned yet, binned once by a reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.windows.blocks import Ends, Head
from driftgauge.drift.windows.time_spans import Block, Summing
from driftgauge.drift.windows.window import Rows
from driftgauge.state.block_ring import BlockRing

Copy = Callable[[int, int], tuple[FloatArray, FloatArray]]
"""Gives copies of the values and the times of rows from one number to another."""


@dataclass(frozen=True)
class Waiting:
    """Consecutive rows behind a head, and what is derived of them."""

    step: int
    """The one that the head is of."""
    before: Head
    rows: Rows
    ends: Ends
    """The blocks that end within the rows."""
    head: Head
    """What is known of all rows, these included."""
    sums: FloatArray
    """As `Summing` gives them, shape [2, columns]."""
    room: Rows | None
    """The arrays that the rows are the beginning of."""

    @classmethod
    def none(cls, step: int, head: Head) -> Waiting:
        """Return no rows behind a head."""
        columns, bins = head.total.shape
        return cls(step, head, _room(0, columns), Ends.none(columns, bins), head, np.zeros((2, columns)), None)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def block(self) -> Block:
        """The rows as time windows count them; there must be some."""
        counts = (self.head.total - self.before.total).astype(np.uint32)
        return Block(self.rows.values, self.rows.codes, self.rows.at, counts, self.sums)


class Ahead:
    """Bins rows that wait, and those alone that have come since it did so last; for one thread at a time.

    They are kept in arrays for as many rows as may wait. What was given away of these is never written again:
    later rows of the same step go behind it, those of another step into new arrays.
    """

    def __init__(self, binner: Binner, summing: Summing, blocks: BlockRing, most_rows: int) -> None:
        self.most_rows: Final = most_rows
        self._binner = binner
        self._summing = summing
        self._blocks = blocks
        self._last: Waiting | None = None

    def upto(self, end: int, head: Head, step: int, copy: Copy) -> Waiting:
        """Return the rows between a head, of a step, and row `end`; there must be no more than may wait."""
        last = self._last
        if last is None or last.step != step or last.head.rows > end:
            last = Waiting.none(step, head)
        if last.head.rows < end:
            last = self._further(last, *copy(last.head.rows, end))
        self._last = last
        return last

    def _further(self, last: Waiting, values: FloatArray, at: FloatArray) -> Waiting:
        codes = self._binner.codes(values)
        ends, head = self._blocks.ahead(last.head, codes, at)
        room = _room(self.most_rows, values.shape[1]) if last.room is None else last.room
        first, upto = len(last), len(last) + len(values)
        for kept, more in ((room.values, values), (room.codes, codes), (room.at, at)):
            kept[first:upto] = more
        rows = Rows(room.values[:upto], room.codes[:upto], room.at[:upto])
        sums = last.sums + self._summing(values)
        return Waiting(last.step, last.before, rows, last.ends.then(ends), head, sums, room)


def _room(rows: int, columns: int) -> Rows:
    return Rows(np.empty((rows, columns)), np.empty((rows, columns), np.uint8), np.empty(rows))
