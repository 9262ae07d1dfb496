"""Ring of the newest blocks of rows, in arrays of a state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import CodeArray, FloatArray, IntArray
from driftgauge.drift.windows.blocks import Blocks, CountArray, Ends, Head, cut_blocks, end_at, step_rows

_RING_BYTES: Final = 16_777_216
_RING_BLOCKS: Final = (64, 4_096)


@dataclass(frozen=True)
class Counted:
    """How far a reader of a ring of blocks has come."""

    blocks: int
    """Blocks that had ended."""
    counts: CountArray
    """All rows in each bin that it has read, modulo 2**32, shape [columns, K]."""

    @classmethod
    def upto(cls, head: Head) -> Counted:
        """Return how far a reader has come that has read all rows of a head."""
        return cls(head.ended, head.total.astype(np.uint32))


class BlockRing:
    """The counts of all rows so far as they were at the end of each block, the newest blocks in a ring.

    The arrays belong to the caller, who also keeps the head. Because the counts are cumulative, a
    reader that comes late finds one large block where it was overrun, and loses nothing. Rows that are
    counted once more from the same head write the same, so that whoever stopped half way can begin again.
    """

    def __init__(
        self,
        binner: Binner,
        reserved: IntArray,
        counts: CountArray,
        hours: IntArray,
        at: FloatArray,
        *,
        by_hour: bool,
    ) -> None:
        """Take arrays as `block_shapes` describes them; with `by_hour` no block spans two hours of the day."""
        self._binner = binner
        self._reserved = reserved
        self._counts = counts
        self._hours = hours
        self._at = at
        self._by_hour = by_hour
        self._step = step_rows(binner.columns)

    def start(self) -> Head:
        """Return the head of a ring without rows."""
        return Head.start(self._binner.columns, self._binner.width)

    def room(self, head: Head, read: int) -> int:
        """Return how many more rows surely overrun no block that a reader of so many blocks has not read.

        Where no block is of two hours each row can end one, and the first of them that before it as well.
        """
        blocks = len(self._at) - (head.ended - read) - 1
        return blocks if self._by_hour else blocks * self._step

    def holds(self, block: int) -> bool:
        """Say whether a block is not overwritten, or about to be."""
        return int(self._reserved[0]) - block <= len(self._at)

    def is_sound(self, head: Head) -> bool:
        """Say whether each end that is held counts as many rows in every column."""
        places = np.arange(max(0, int(self._reserved[0]) - len(self._at), head.ended - len(self._at)), head.ended)
        rows = self._counts[places % len(self._at)].sum(axis=2, dtype=np.uint32)
        return bool((rows == rows[:, :1]).all())

    def add(self, head: Head, codes: CodeArray, at: FloatArray) -> tuple[Head, IntArray]:
        """Count rows, codes of shape [n, columns], their times of shape [n]; returns the head and their counts."""
        ends, after = self.ahead(head, codes, at)
        self._reserved[0] = after.ended
        held = ends.part(slice(max(0, len(ends) - len(self._at)), None))
        places = np.arange(after.ended - len(held), after.ended) % len(self._at)
        self._counts[places] = held.upto
        self._hours[places] = held.hours
        self._at[places] = held.at
        return after, after.total - head.total

    def ahead(self, head: Head, codes: CodeArray, at: FloatArray) -> tuple[Ends, Head]:
        """Return the blocks that end within rows, and the head behind them; nothing is written."""
        return cut_blocks(self._binner, head, codes, at, by_hour=self._by_hour)

    def since(
        self,
        head: Head,
        read: Counted,
        *,
        unended: bool,
        waiting: tuple[Ends, Head] | None = None,
    ) -> Unread:
        """Return a copy of the counts at the ends of the blocks that a reader has not read.

        With `unended` the rows behind the last end are a block too. `waiting` is what `ahead` says of rows behind
        the head that are read with the others though they are not in the ring.
        """
        oldest = max(head.ended, int(self._reserved[0])) - len(self._at)
        places = np.arange(max(read.blocks, oldest), head.ended) % len(self._at)
        ends = Ends(self._counts[places], self._hours[places], self._at[places])
        if waiting is not None:
            more, after = waiting
            ends, head = ends.then(more.part(slice(max(0, read.blocks - head.ended), None))), after
        if unended:
            ends = ends.then(end_at(head))
        overrun = self._by_hour and read.blocks < oldest
        return Unread(read, head.ended, ends, overrun=overrun, first=max(read.blocks, oldest))


@dataclass(frozen=True)
class Unread:
    """What a reader has not read of a ring, copied, so that it can be counted without holding up the writer."""

    read: Counted
    ended: int
    """Blocks that had ended."""
    ends: Ends
    overrun: bool
    """Whether the first block stands for several, whose hours matter and are lost."""
    first: int
    """The number of the first block."""

    def counted(self) -> tuple[Blocks, Counted, int]:
        """Return the blocks, how far the reader has come with them, and the rows that it has to skip."""
        blocks = self.ends.blocks(self.read.counts)
        if len(blocks) == 0:
            return blocks, self.read, 0
        after = Counted(self.ended, self.ends.upto[-1].copy())
        return (blocks.part(slice(1, None)), after, int(blocks.rows[0])) if self.overrun else (blocks, after, 0)


def block_shapes(columns: int, bins: int) -> list[tuple[str, str, tuple[int, ...]]]:
    """Return the name, type and shape of each array that a ring of blocks needs."""
    fewest, most = _RING_BLOCKS
    blocks = min(most, max(fewest, _RING_BYTES // max(1, 4 * columns * bins)))
    return [
        ("block_reserved", "i8", (1,)),
        ("block_counts", "u4", (blocks, columns, bins)),
        ("block_hours", "i8", (blocks,)),
        ("block_at", "f8", (blocks,)),
    ]
