"""Blocks: consecutive rows that evidence is advanced by at once.

Where a block ends depends on how many rows there were and on the hour of the day, never on what they hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import CodeArray, FloatArray, IntArray

HOURS: Final = 24
FEWEST_HOUR_ROWS: Final = 200
"""Reference rows of an hour of the day that bets against it are made of; with fewer the whole reference is taken."""
_HOUR_SECONDS: Final = 3_600
_MANY_COLUMNS: Final = 100
_FEW_COLUMN_ROWS: Final = 50
_MANY_COLUMN_ROWS: Final = 250
_RING_BYTES: Final = 16_777_216
_RING_BLOCKS: Final = (64, 4_096)

CountArray = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Blocks:
    """Rows in order, counted in blocks."""

    counts: IntArray
    """Rows in each bin, shape [blocks, columns, K]."""
    hours: IntArray
    """The hour of the day (UTC) of each block's rows, shape [blocks]; of no matter where hours are not told apart."""
    at: FloatArray
    """When each block ended, seconds since 1970, shape [blocks]."""

    def __len__(self) -> int:
        return len(self.at)

    @property
    def rows(self) -> FloatArray:
        """Rows of each block, shape [blocks]."""
        rows: FloatArray = self.counts[:, 0].sum(axis=1).astype(np.float64)
        return rows

    def part(self, which: slice | IntArray) -> Blocks:
        """Return some of the blocks."""
        return Blocks(self.counts[which], self.hours[which], self.at[which])


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


def step_rows(columns: int) -> int:
    """Return the rows of a block: the more, the cheaper a row and the later what is found."""
    return _FEW_COLUMN_ROWS if columns <= _MANY_COLUMNS else _MANY_COLUMN_ROWS


def hours_of(at: FloatArray) -> IntArray:
    """Return the hour of the day (UTC) of times in seconds since 1970, shape as given."""
    return (np.floor_divide(at, _HOUR_SECONDS) % HOURS).astype(np.int64)


def rows_by_hour(at: FloatArray) -> IntArray:
    """Return how many of some times (seconds since 1970) lie in each hour of the day, shape [24]."""
    return np.bincount(hours_of(at[np.isfinite(at)]), minlength=HOURS)


def block_ends(first: int, rows: int, step: int, hours: IntArray | None = None) -> tuple[IntArray, IntArray]:
    """Return behind how many of some rows a block ends, and the hour of each, shapes [ends].

    The rows are those from place `first` on; a block ends behind every `step` rows since the beginning
    and, with `hours` (shape [rows]), before the first of another hour.
    """
    if hours is None:
        ends = np.arange(step - first % step, rows + 1, step)
        return ends, np.zeros(len(ends), dtype=np.int64)
    behind = np.arange(1, rows + 1)
    last = (first + behind) % step == 0
    last[:-1] |= hours[1:] != hours[:-1]
    return behind[last], hours[last]


def counted_blocks(binner: Binner, codes: CodeArray, ends: IntArray, hours: IntArray, at: FloatArray) -> Blocks:
    """Count rows, codes of shape [n, columns], in blocks that end there; rows behind the last end are left out."""
    rows = int(ends[-1]) if ends.size else 0
    group = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    return Blocks(binner.counts_by(codes[:rows], group, len(ends)), hours, at)


@dataclass(frozen=True)
class Head:
    """What is known of all rows counted so far: the next block goes on from here."""

    rows: int
    ended: int
    """Blocks that have ended."""
    hour: int
    """The hour of the day of the last row; 0 where hours are not told apart."""
    at: float
    """The latest time so far, seconds since 1970; -inf without rows."""
    total: IntArray
    """All rows in each bin, shape [columns, K]."""

    @classmethod
    def start(cls, columns: int, bins: int) -> Head:
        """Return what is known before the first row."""
        return cls(0, 0, 0, -np.inf, np.zeros((columns, bins), dtype=np.int64))


@dataclass(frozen=True)
class Ends:
    """Blocks that end within some rows."""

    upto: CountArray
    """All counts up to each, modulo 2**32, shape [blocks, columns, K]."""
    hours: IntArray
    """Shape [blocks]."""
    at: FloatArray
    """Shape [blocks]."""

    @classmethod
    def none(cls, columns: int, bins: int) -> Ends:
        """Return no blocks."""
        return cls(np.empty((0, columns, bins), np.uint32), np.empty(0, np.int64), np.empty(0))

    def __len__(self) -> int:
        return len(self.at)

    def then(self, later: Ends) -> Ends:
        """Return these and later ones."""
        if not (len(self) and len(later)):
            return self if len(self) else later
        return Ends(
            np.concatenate([self.upto, later.upto]),
            np.concatenate([self.hours, later.hours]),
            np.concatenate([self.at, later.at]),
        )

    def part(self, which: slice) -> Ends:
        """Return some of them."""
        return Ends(self.upto[which], self.hours[which], self.at[which])


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

    @classmethod
    def in_memory(cls, binner: Binner, *, by_hour: bool) -> BlockRing:
        """Return an empty ring with arrays of its own."""
        shapes = block_shapes(binner.columns, binner.width)
        return cls(binner, *(np.zeros(shape, dtype) for _, dtype, shape in shapes), by_hour=by_hour)

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
        rows = len(codes)
        if rows == 0:
            return Ends.none(*head.total.shape), head
        hours = hours_of(at) if self._by_hour else None
        turned = hours is not None and head.rows % self._step != 0 and int(hours[0]) != head.hour
        ends, in_hour = block_ends(head.rows, rows, self._step, hours)
        group = np.zeros(rows, dtype=np.int64)
        group[ends[ends < rows]] = 1
        by_block = self._binner.counts_by(codes, np.cumsum(group), len(ends) + 1)
        clock = np.maximum(np.maximum.accumulate(at), head.at)
        upto = (head.total + np.cumsum(by_block[:-1], axis=0)).astype(np.uint32)
        ended = Ends(upto, in_hour, clock[ends - 1])
        if turned:  # the block before it ended with its hour
            ended = _end_at(head).then(ended)
        return ended, Head(
            rows=head.rows + rows,
            ended=head.ended + len(ended),
            hour=0 if hours is None else int(hours[-1]),
            at=float(clock[-1]),
            total=head.total + by_block.sum(axis=0),
        )

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
            ends = ends.then(_end_at(head))
        overrun = self._by_hour and read.blocks < oldest
        return Unread(read, head.ended, ends, overrun=overrun, first=max(read.blocks, oldest))


def _end_at(head: Head) -> Ends:
    """Return an end right behind the rows of a head."""
    return Ends(head.total.astype(np.uint32)[None], np.array([head.hour]), np.array([head.at]))


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
        upto = self.ends.upto
        if len(upto) == 0:
            return Blocks(upto.astype(np.int64), self.ends.hours, self.ends.at), self.read, 0
        # Unsigned differences are right even where a count has gone round.
        counts = np.diff(upto, axis=0, prepend=self.read.counts[None]).astype(np.int64)
        blocks = Blocks(counts, self.ends.hours, self.ends.at)
        after = Counted(self.ended, upto[-1].copy())
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
