"""Blocks: consecutive rows by which evidence is advanced at once.

Where a block ends depends on the number of rows and the hour of the day, never on what the rows hold.
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
"""Reference rows of an hour of the day below which the whole reference is used instead."""
_HOUR_SECONDS: Final = 3_600
_MANY_COLUMNS: Final = 100
_FEW_COLUMN_ROWS: Final = 50
_MANY_COLUMN_ROWS: Final = 250

CountArray = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Blocks:
    """Rows in order, counted in blocks."""

    counts: IntArray
    """Rows in each bin, shape [blocks, columns, K]."""
    hours: IntArray
    """The hour of the day (UTC) of each block's rows, shape [blocks]; only used by hour."""
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


def step_rows(columns: int) -> int:
    """Return the rows of a block: larger blocks cost less per row and delay detection."""
    return _FEW_COLUMN_ROWS if columns <= _MANY_COLUMNS else _MANY_COLUMN_ROWS


def hours_of(at: FloatArray) -> IntArray:
    """Return the hour of the day (UTC) of times in seconds since 1970, shape as given."""
    return (np.floor_divide(at, _HOUR_SECONDS) % HOURS).astype(np.int64)


def rows_by_hour(at: FloatArray) -> IntArray:
    """Count times (seconds since 1970) by hour of the day, shape [24]."""
    return np.bincount(hours_of(at[np.isfinite(at)]), minlength=HOURS)


def block_ends(first: int, rows: int, step: int, hours: IntArray | None = None) -> tuple[IntArray, IntArray]:
    """Return after how many rows each block ends, and its hour, shapes [ends].

    The rows are those from number `first` on. A block ends after every `step` rows since the beginning and, with
    `hours` (shape [rows]), before the first row of another hour.
    """
    if hours is None:
        ends = np.arange(step - first % step, rows + 1, step)
        return ends, np.zeros(len(ends), dtype=np.int64)
    behind = np.arange(1, rows + 1)
    last = (first + behind) % step == 0
    last[:-1] |= hours[1:] != hours[:-1]
    return behind[last], hours[last]


def counted_blocks(binner: Binner, codes: CodeArray, ends: IntArray, hours: IntArray, at: FloatArray) -> Blocks:
    """Count codes of shape [n, columns] in blocks; rows after the last end are ignored."""
    rows = int(ends[-1]) if ends.size else 0
    group = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    return Blocks(binner.counts_by(codes[:rows], group, len(ends)), hours, at)


@dataclass(frozen=True)
class Head:
    """Totals of all rows counted so far, from which the next block continues."""

    rows: int
    ended: int
    """Blocks that have ended."""
    hour: int
    """The hour of the day of the last row; 0 unless by hour."""
    at: float
    """The latest time so far, seconds since 1970; -inf without rows."""
    total: IntArray
    """All rows in each bin, shape [columns, K]."""

    @classmethod
    def start(cls, columns: int, bins: int) -> Head:
        """Return the head before the first row."""
        return cls(0, 0, 0, -np.inf, np.zeros((columns, bins), dtype=np.int64))


@dataclass(frozen=True)
class Ends:
    """Ends of blocks, with the counts up to each."""

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

    def blocks(self, before: CountArray) -> Blocks:
        """Return the blocks with these ends; the first starts after the counts `before`, shape [columns, K]."""
        # Unsigned differences are right even where a count has gone round.
        counts = np.diff(self.upto, axis=0, prepend=before[None]).astype(np.int64)
        return Blocks(counts, self.hours, self.at)

    def then(self, later: Ends) -> Ends:
        """Return these ends followed by later ones."""
        if not (len(self) and len(later)):
            return self if len(self) else later
        return Ends(
            np.concatenate([self.upto, later.upto]),
            np.concatenate([self.hours, later.hours]),
            np.concatenate([self.at, later.at]),
        )

    def part(self, which: slice) -> Ends:
        """Return some of the ends."""
        return Ends(self.upto[which], self.hours[which], self.at[which])


def cut_blocks(binner: Binner, head: Head, codes: CodeArray, at: FloatArray, *, by_hour: bool) -> tuple[Ends, Head]:
    """Cut the rows after a head into blocks; return their ends and the head after the rows.

    `codes` have shape [n, columns], `at` [n]. With `by_hour` no block spans two hours of the day.
    """
    rows, step = len(codes), step_rows(binner.columns)
    if rows == 0:
        return Ends.none(*head.total.shape), head
    hours = hours_of(at) if by_hour else None
    turned = hours is not None and head.rows % step != 0 and int(hours[0]) != head.hour
    ends, in_hour = block_ends(head.rows, rows, step, hours)
    group = np.zeros(rows, dtype=np.int64)
    group[ends[ends < rows]] = 1
    by_block = binner.counts_by(codes, np.cumsum(group), len(ends) + 1)
    clock = np.maximum(np.maximum.accumulate(at), head.at)
    upto = (head.total + np.cumsum(by_block[:-1], axis=0)).astype(np.uint32)
    ended = Ends(upto, in_hour, clock[ends - 1])
    if turned:  # the block before it ended with its hour
        ended = end_at(head).then(ended)
    return ended, Head(
        rows=head.rows + rows,
        ended=head.ended + len(ended),
        hour=0 if hours is None else int(hours[-1]),
        at=float(clock[-1]),
        total=head.total + by_block.sum(axis=0),
    )


def end_at(head: Head) -> Ends:
    """Return an end right after the rows of a head."""
    return Ends(head.total.astype(np.uint32)[None], np.array([head.hour]), np.array([head.at]))
