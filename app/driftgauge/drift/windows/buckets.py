"""Buckets of time: rows grouped by the buckets that a time window consists of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

import numpy as np

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.windows.blocks import HOURS, CountArray, hours_of
from driftgauge.drift.windows.days import days_of
from driftgauge.drift.windows.time_spans import Block, Summing, TimeSpan, Totals

NEVER: Final = int(np.iinfo(np.int64).min)
"""The number of a bucket that is empty."""
_ROWS_APART: Final = 32
"""Rows a bucket from which it is faster to count each bucket by itself."""


@dataclass(frozen=True)
class Buckets:
    """What some buckets hold; bucket b begins b widths after 1970."""

    numbers: IntArray
    """Shape [buckets]."""
    counts: CountArray
    """Rows in each bin, shape [buckets, columns, K]."""
    sums: FloatArray
    """Sums of values and squares as `Summing` gives them, shape [buckets, 2, columns]."""
    hours: CountArray | None = None
    """Rows in each hour of the day (UTC), shape [buckets, 24]; only used where a bucket crosses hours."""

    def add(self, earlier: Buckets, where: IntArray) -> None:
        """Add what some of the buckets held before, in place; `where` are their positions among these."""
        self.counts[where] += earlier.counts
        self.sums[where] += earlier.sums
        if self.hours is not None and earlier.hours is not None:
            self.hours[where] += earlier.hours

    def pages(self) -> Iterator[tuple[int, dict[str, CountArray | FloatArray]]]:
        """Yield the number of each bucket and what it holds."""
        hours = np.zeros((len(self.numbers), HOURS), np.uint32) if self.hours is None else self.hours
        for number, counts, sums, by_hour in zip(self.numbers.tolist(), self.counts, self.sums, hours, strict=True):
            yield number, {"counts": counts, "sums": sums, "hours": by_hour}

    def totals(self, span: TimeSpan, now: float) -> Totals:
        """Return the totals of a window that ends with the bucket of `now` and contains these buckets."""
        rows = self.counts[:, 0].sum(axis=1)
        return Totals(
            span=span,
            start=float(first_bucket(span, now) * span.width),
            rows=int(rows.sum()),
            counts=self.counts.sum(axis=0, dtype=np.int64),
            sums=self.sums.sum(axis=0),
            hours=self._hours(span, rows),
            days=days_of(span, self.numbers, self.counts, now) if span.is_judged else None,
        )

    def _hours(self, span: TimeSpan, rows: IntArray) -> IntArray:
        """Return the rows in each hour of the day, shape [24]; `rows` are those of each bucket."""
        if span.crosses_hours and self.hours is not None:
            by_hour: IntArray = self.hours.sum(axis=0, dtype=np.int64)
            return by_hour
        hours = hours_of((self.numbers * span.width).astype(np.float64))
        return np.bincount(hours, weights=rows, minlength=HOURS).astype(np.int64)


def first_bucket(span: TimeSpan, now: float) -> int:
    """Return the number of the oldest bucket of a window at a moment, seconds since 1970."""
    return math.floor(now / span.width) - span.buckets + 1


class Rings:
    """The places of buckets: a ring of them for each time window, one ring behind the other."""

    def __init__(self, spans: Sequence[TimeSpan]) -> None:
        self._spans = spans
        *firsts, self.places = accumulate((span.buckets for span in spans), initial=0)
        self._first = dict(zip(spans, firsts, strict=True))

    def place(self, span: TimeSpan, numbers: IntArray) -> IntArray:
        """Return the places of buckets of a window by their numbers, shape as given."""
        return self._first[span] + numbers % span.buckets

    def part(self, span: TimeSpan, buckets: IntArray) -> IntArray:
        """Return the numbers of a window's buckets out of those of all places; NEVER for empty ones."""
        return buckets[self._first[span] : self._first[span] + span.buckets]

    def held(self, span: TimeSpan, buckets: IntArray, now: float) -> IntArray:
        """Return the places of the buckets that a window holds at a moment, seconds since 1970."""
        numbers, oldest = self.part(span, buckets), first_bucket(span, now)
        return self._first[span] + np.flatnonzero((numbers >= oldest) & (numbers < oldest + span.buckets))

    def later(self, buckets: IntArray, now: float) -> IntArray:
        """Return the places of all buckets that begin after a moment."""
        later = (self.part(span, buckets) > math.floor(now / span.width) for span in self._spans)
        return np.flatnonzero(np.concatenate([np.empty(0, np.bool_), *later]))


def bucketed(span: TimeSpan, block: Block, newest: int, binner: Binner, summing: Summing) -> tuple[Buckets, int]:
    """Group rows by bucket; return the buckets that the window still holds, and how many rows came too late.

    `newest` is the number of the newest bucket before these rows. A row that a later one of its own block leaves
    behind came in time.
    """
    first, last = math.floor(block.first / span.width), math.floor(block.last / span.width)
    if first == last and last > newest - span.buckets:  # as a rule: one bucket for all rows
        hours = block.hours[None].astype(np.uint32) if span.crosses_hours else None
        return Buckets(np.array([last]), block.counts[None].copy(), block.sums[None].copy(), hours), 0
    number = np.floor(block.at / span.width).astype(np.int64)
    late = int((number <= np.maximum.accumulate(np.maximum(number, newest)) - span.buckets).sum())
    held = np.flatnonzero(number > max(newest, last) - span.buckets)
    held = held[np.argsort(number[held], kind="stable")]
    if held.size == 0:
        none = np.zeros((0, HOURS), np.uint32) if span.crosses_hours else None
        return Buckets(number[:0], block.counts[None][:0], block.sums[None][:0], none), late
    numbers, starts, group = np.unique(number[held], return_index=True, return_inverse=True)
    values, codes = block.values, block.codes
    if held.size < len(values) or (np.diff(held) < 0).any():
        values, codes = values[held], codes[held]
    if len(numbers) * _ROWS_APART <= held.size:
        parts = [slice(*ends) for ends in pairwise([*starts.tolist(), held.size])]
        sums = np.stack([summing(values[part]) for part in parts])
        counts = np.stack([binner.counts(codes[part]) for part in parts])
    else:
        z = summing.standardised(values)
        sums = np.stack([np.add.reduceat(z, starts), np.add.reduceat(z * z, starts)], axis=1)
        counts = binner.counts_by(codes, group, len(numbers))
    hours = _by_hour(block.at[held], group, len(numbers)) if span.crosses_hours else None
    return Buckets(numbers, counts.astype(np.uint32), sums, hours), late


def _by_hour(at: FloatArray, group: IntArray, groups: int) -> CountArray:
    """Return the rows of each group in each hour of the day, shape [groups, 24]."""
    places = group * HOURS + hours_of(at)
    return np.bincount(places, minlength=groups * HOURS).reshape(groups, HOURS).astype(np.uint32)
