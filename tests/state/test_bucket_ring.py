from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.windows.time_spans import (
    Block,
    Summing,
    TimeSpan,
    Totals,
)
from driftgauge.state.bucket_ring import NEVER, Ring, bucket_shapes
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples

NOON = 1_750_000_000.0

# ---------------------------------------------------------------- rings against a recount


def _baseline() -> Baseline:
    rng = np.random.default_rng(0)
    return build_baseline(
        {
            "x": rng.normal(3.0, 2.0, 500),
            "letter": Categories(rng.integers(-1, 2, 500), ("a", "b")),
            "flag": (rng.random(500) < 0.2).astype(np.float64),
        },
        created="",
    )


BASELINE = _baseline()
WIDTH = BASELINE.binner.width


def _block(values: FloatArray, at: FloatArray) -> Block:
    codes = BASELINE.binner.codes(values)
    counts = BASELINE.binner.counts(codes).astype(np.uint32)
    return Block(values, codes, at, counts, Summing(BASELINE.scales)(values))


class _Counted:
    """A ring and, beside it, every row that was ever added, each time in a step of its own."""

    def __init__(self, span: TimeSpan) -> None:
        self.arrays = [np.zeros(shape, dtype) for _, dtype, shape in bucket_shapes([span], 3, WIDTH)]
        self.index, self.counts, self.sums, self.stamps = self.arrays
        self.ring = Ring(span, BASELINE.binner, Summing(BASELINE.scales), *self.arrays)
        self.ring.clear()
        self.span = span
        self.step = 0
        self.newest = -math.inf
        self.rows: list[tuple[int, tuple[int, ...], FloatArray]] = []

    def add(self, values: FloatArray, at: FloatArray) -> tuple[int, int]:
        """Add rows to both; returns how many the ring says are too late, and how many are."""
        self.step += 1
        found = self.ring.add(_block(values, at), self.step)
        codes = BASELINE.binner.codes(values)
        standardised = np.nan_to_num(BASELINE.scales.standardised(values))
        buckets = [math.floor(moment / self.span.width) for moment in at.tolist()]
        late, newest = 0, max(self.newest, *buckets)
        for bucket, own, z in zip(buckets, codes.tolist(), standardised, strict=True):
            self.newest = max(self.newest, bucket)
            late += bucket <= self.newest - self.span.buckets  # too old as it came
            if bucket > newest - self.span.buckets:
                self.rows.append((bucket, tuple(own), z))
        return found, late

    def totals(self, now: float) -> Totals:
        """Return what the ring says the window holds, of all steps."""
        return self.ring.totals(now, self.step)

    def moments(self, now: float, at: FloatArray) -> list[float]:
        """Return moments at which all is told that the ring holds, at a time and after some times of rows."""
        asked = (now, float(at.max()), now + 30.0, now + 10_000.0)
        return [moment for moment in asked if math.floor(moment / self.span.width) >= self.newest]

    def expected(self, now: float) -> tuple[int, FloatArray, FloatArray]:
        """Return rows, counts and sums of what the window holds, of all rows ever added."""
        current = math.floor(now / self.span.width)
        oldest = max(current, self.newest) - self.span.buckets + 1  # what came later has taken the older ones' place
        oldest = max(oldest, current - self.span.buckets + 1)
        held = [row for row in self.rows if oldest <= row[0] <= current]
        counts, sums = np.zeros((3, WIDTH)), np.zeros((2, 3))
        for _, codes, z in held:
            counts[np.arange(3), codes] += 1
            sums += np.stack([z, z**2])
        return len(held), counts, sums

    def expected_hours(self, now: float) -> list[int]:
        """Return in how many rows of the window it was which hour of the day (UTC)."""
        current = math.floor(now / self.span.width)
        oldest = max(current, self.newest) - self.span.buckets + 1
        held = [bucket for bucket, *_ in self.rows if max(oldest, current - self.span.buckets + 1) <= bucket <= current]
        hours = [datetime.fromtimestamp(bucket * self.span.width, UTC).hour for bucket in held]
        return [hours.count(hour) for hour in range(24)]

    def check(self, totals: Totals, now: float) -> None:
        rows, counts, sums = self.expected(now)
        assert totals.rows == rows
        assert totals.hours.tolist() == self.expected_hours(now)
        np.testing.assert_array_equal(totals.counts, counts)
        np.testing.assert_allclose(totals.sums, sums, rtol=1e-9, atol=1e-9)
        assert totals.start == (math.floor(now / self.span.width) - self.span.buckets + 1) * self.span.width
        assert totals.start % self.span.width == 0
        assert now - self.span.seconds - self.span.width < totals.start <= now - self.span.seconds + self.span.width


def _rows(rng: np.random.Generator, size: int) -> FloatArray:
    values = np.stack(
        [rng.normal(3.0, 4.0, size), rng.integers(0, 3, size).astype(float), rng.choice([0.0, 1.0, 2.0], size)], axis=1
    )
    values[rng.random((size, 3)) < 0.1] = math.nan
    values[rng.random(size) < 0.05, 0] = rng.choice([math.inf, -math.inf, 1e300])
    return values


# How far the clock goes on before a block, and over how many seconds its rows are strewn.
steps = st.sampled_from([0.0, 0.3, 1.0, 7.0, 61.0, 119.9, 120.0, 500.0, 100_000.0, -3.0, -100.0, -500.0])
spreads = st.sampled_from([0.0, 0.5, 10.0, 119.0, 300.0, 5_000.0])
blocks = st.lists(st.tuples(st.integers(1, 30), steps, spreads), min_size=1, max_size=12)


@settings(deadline=None, max_examples=examples(120))
@given(st.sampled_from(["10s", "1m", "2m", "7m", "1h"]), blocks, st.integers(0, 1_000), st.booleans())
def test_a_ring_holds_what_a_recount_of_all_rows_gives(
    text: str, chosen: list[tuple[int, float, float]], seed: int, ordered: bool
) -> None:
    rng = np.random.default_rng(seed)
    counted = _Counted(TimeSpan.named(text))
    now = NOON
    for size, step, spread in chosen:
        now += step
        at = now + rng.uniform(0.0, spread, size)
        found, late = counted.add(_rows(rng, size), np.sort(at) if ordered else at)
        assert found == late
        for moment in counted.moments(now, at):
            counted.check(counted.totals(moment), moment)


def test_rows_later_than_the_moment_are_left_out() -> None:
    counted = _Counted(TimeSpan.named("2m"))
    counted.add(_rows(np.random.default_rng(1), 40), np.arange(40.0) + NOON)
    for seconds in range(40):
        rows = counted.totals(NOON + seconds).rows
        assert rows == sum(math.floor(NOON + at) // 2 <= math.floor(NOON + seconds) // 2 for at in range(40))


def test_a_day_goes_by_bucket_by_bucket() -> None:
    rng = np.random.default_rng(2)
    counted = _Counted(TimeSpan.named("24h"))
    minutes = NOON + 60.0 * np.arange(3_600.0)  # two days and a half
    for first in range(0, len(minutes), 45):
        at = minutes[first : first + 45]
        assert counted.add(_rows(rng, len(at)), at) == (0, 0)
    for now in (minutes[-1], minutes[-1] + 3_600.0, minutes[-1] + 86_400.0):
        counted.check(counted.totals(float(now)), float(now))
    # Exact to the one bucket that has just begun.
    assert 24 * 60 - 15 <= counted.totals(float(minutes[-1])).rows <= 24 * 60


def test_late_rows_are_counted_where_they_belong_or_returned_as_too_late() -> None:
    counted = _Counted(TimeSpan.named("2m"))
    rng = np.random.default_rng(3)
    assert counted.add(_rows(rng, 5), np.full(5, NOON)) == (0, 0)
    assert counted.add(_rows(rng, 4), np.full(4, NOON - 60.0)) == (0, 0)
    assert counted.add(_rows(rng, 3), np.full(3, NOON - 121.0)) == (3, 3)
    assert counted.add(_rows(rng, 3), np.array([NOON - 900.0, NOON, NOON - 30.0])) == (1, 1)
    assert counted.totals(NOON).rows == 11
    # Of these the first comes in time, and is left behind by the second; the third comes too late.
    assert counted.add(_rows(rng, 3), np.array([NOON, NOON + 500.0, NOON])) == (1, 1)
    assert counted.totals(NOON + 500.0).rows == 1


def test_a_jump_forward_forgets_what_is_older_than_the_window() -> None:
    counted = _Counted(TimeSpan.named("2m"))
    rng = np.random.default_rng(4)
    counted.add(_rows(rng, 20), NOON + np.arange(20.0))
    counted.add(_rows(rng, 3), np.full(3, NOON + 1e6))
    assert counted.totals(NOON + 1e6).rows == 3
    # What went before would be counted twice in a window that reaches back: it is gone.
    assert counted.add(_rows(rng, 2), np.full(2, NOON)) == (2, 2)


def test_without_rows_a_ring_holds_nothing() -> None:
    counted = _Counted(TimeSpan.named("1h"))
    counted.check(counted.totals(NOON), NOON)
    counted.add(_rows(np.random.default_rng(5), 9), np.full(9, NOON))
    counted.ring.clear()
    assert counted.totals(NOON).rows == 0


def test_times_before_1970_have_buckets_too() -> None:
    counted = _Counted(TimeSpan.named("2m"))
    counted.add(_rows(np.random.default_rng(6), 30), np.linspace(-60.0, 60.0, 30))
    counted.check(counted.totals(60.0), 60.0)


def test_a_bucket_counts_to_four_thousand_million() -> None:
    counted = _Counted(TimeSpan.named("1h"))
    values = np.array([[3.0, 0.0, 1.0]])
    counted.add(values, np.array([NOON]))
    assert counted.counts.dtype == np.uint32
    counted.counts[counted.counts > 0] = 4_294_967_294
    counted.add(values, np.array([NOON]))
    assert counted.totals(NOON).rows == 4_294_967_295


def test_the_arrays_are_named_after_their_window() -> None:
    shapes = bucket_shapes([TimeSpan.named("1h"), TimeSpan.named("24h")], 3, 7)
    assert shapes == [
        ("bucket_1h", "i8", (2, 60)),
        ("counts_1h", "u4", (2, 60, 3, 7)),
        ("sums_1h", "f8", (2, 60, 2, 3)),
        ("stamps_1h", "i8", (2, 60)),
        ("bucket_24h", "i8", (2, 96)),
        ("counts_24h", "u4", (2, 96, 3, 7)),
        ("sums_24h", "f8", (2, 96, 2, 3)),
        ("stamps_24h", "i8", (2, 96)),
    ]
    assert len({name for name, _, _ in shapes}) == 8
    assert int(NEVER) == -(2**63)


# ---------------------------------------------------------------- steps

spans = st.sampled_from(["10s", "1m", "2m", "7m", "1h"]).map(TimeSpan.named)


def _times(rng: np.random.Generator, now: float, size: int, spread: float, ordered: bool) -> FloatArray:
    at = now + rng.uniform(0.0, spread, size)
    return np.sort(at) if ordered else at


@settings(deadline=None, max_examples=examples(120))
@given(spans, blocks, st.integers(0, 1_000), st.booleans())
def test_as_of_a_step_nothing_is_seen_of_the_next_one(
    span: TimeSpan, chosen: list[tuple[int, float, float]], seed: int, ordered: bool
) -> None:
    rng = np.random.default_rng(seed)
    counted = _Counted(span)
    now = NOON
    for size, step, spread in chosen:
        now += step
        at = _times(rng, now, size, spread, ordered)
        moments = counted.moments(now, at)
        before = [(counted.totals(moment), counted.expected(moment)) for moment in moments]
        counted.add(_rows(rng, size), at)
        for moment, (totals, (rows, counts, sums)) in zip(moments, before, strict=True):
            found = counted.ring.totals(moment, counted.step - 1)
            np.testing.assert_equal(vars(found), vars(totals))
            assert found.rows == rows
            np.testing.assert_array_equal(found.counts, counts)
            np.testing.assert_allclose(found.sums, sums, rtol=1e-9, atol=1e-9)
        for moment in counted.moments(now, at):
            counted.check(counted.totals(moment), moment)


def _tear(counted: _Counted, before: list[IntArray | FloatArray], rng: np.random.Generator) -> None:
    """Leave of a step what a writer leaves that was killed in it: some of the stamps, or these and some of the rest."""
    written = (counted.stamps == counted.step) & (before[-1] != counted.step)
    half = rng.random(written.shape) < rng.random()
    if rng.random() < 0.3:
        for array, old in zip(counted.arrays[:-1], before, strict=False):
            array[written] = old[written]
        counted.stamps[written & half] = before[-1][written & half]
    else:
        for array, old in zip(counted.arrays[:-1], before, strict=False):
            which = written & (rng.random(written.shape) < rng.random())
            array[which] = old[which]
        counts, cells = counted.counts, rng.random(counted.counts.shape) < 0.5
        cells &= (written & half)[..., None, None]
        counts[cells] = before[1][cells]


@settings(deadline=None, max_examples=examples(150))
@given(spans, blocks, st.integers(0, 1_000), st.booleans())
def test_a_step_that_was_never_finished_is_forgotten_and_can_be_done_again(
    span: TimeSpan, chosen: list[tuple[int, float, float]], seed: int, ordered: bool
) -> None:
    rng = np.random.default_rng(seed)
    counted = _Counted(span)
    now = NOON
    for size, step, spread in chosen:
        now += step
        at, values = _times(rng, now, size, spread, ordered), _rows(rng, size)
        moments = counted.moments(now, at)
        finished = counted.step
        totals = [counted.totals(moment) for moment in moments]
        before = [array.copy() for array in counted.arrays]
        kept = counted.newest, list(counted.rows)
        if rng.random() < 0.7:
            counted.add(values, at)
            _tear(counted, before, rng)
            for moment, expected in zip(moments, totals, strict=True):
                np.testing.assert_equal(vars(counted.ring.totals(moment, finished)), vars(expected))
            counted.ring.forget_after(finished)
            assert counted.ring.is_sound
            for moment, expected in zip(moments, totals, strict=True):
                for asked in (finished, finished + 1, finished + 100):
                    np.testing.assert_equal(vars(counted.ring.totals(moment, asked)), vars(expected))
            counted.step, (counted.newest, counted.rows) = finished, kept
        found, late = counted.add(values, at)
        assert found == late
        assert counted.step == finished + 1
        for moment in counted.moments(now, at):
            counted.check(counted.totals(moment), moment)


@settings(deadline=None, max_examples=examples(120))
@given(spans, blocks, st.integers(0, 1_000), st.booleans())
def test_rows_in_no_bucket_yet_and_the_buckets_make_what_the_buckets_then_hold(
    span: TimeSpan, chosen: list[tuple[int, float, float]], seed: int, ordered: bool
) -> None:
    rng = np.random.default_rng(seed)
    counted = _Counted(span)
    now = NOON
    for size, step, spread in chosen:
        now += step
        at, values = _times(rng, now, size, spread, ordered), _rows(rng, size)
        asked = (now, float(at.max()), now + 30.0, now + 10_000.0)
        block = _block(values, at)
        totals = [counted.totals(moment) + counted.ring.totals_of(block, moment) for moment in asked]
        counted.add(values, at)
        told = counted.moments(now, at)
        for moment, together in zip(asked, totals, strict=True):
            if moment in told:
                counted.check(together, moment)
                after = counted.totals(moment)
                assert (together.span, together.start, together.rows) == (after.span, after.start, after.rows)
                np.testing.assert_array_equal(together.counts, after.counts)
                np.testing.assert_array_equal(together.hours, after.hours)


class _Compared(np.ndarray[Any, np.dtype[np.int64]]):
    """Numbers that somebody else writes to as soon as they have been compared with another."""

    strike: Callable[[], object] | None = None

    def __le__(self, other: Any) -> Any:
        return self._struck(np.asarray(self) <= other)

    def __gt__(self, other: Any) -> Any:
        return self._struck(np.asarray(self) > other)

    def _struck(self, found: Any) -> Any:
        strike, _Compared.strike = _Compared.strike, None
        if strike:
            strike()
        return found


def test_a_step_that_is_taken_while_a_reader_chooses_versions_is_not_seen() -> None:
    span, summing, rng = TimeSpan.named("2m"), Summing(BASELINE.scales), np.random.default_rng(1)
    index, counts, sums, stamps = (np.zeros(shape, dtype) for _, dtype, shape in bucket_shapes([span], 3, WIDTH))
    writer = Ring(span, BASELINE.binner, summing, index, counts, sums, stamps)
    reader = Ring(span, BASELINE.binner, summing, index, counts, sums, stamps.view(_Compared))
    writer.clear()
    first, second, third = (_block(_rows(rng, 5), np.full(5, NOON)) for _ in range(3))
    writer.add(first, 1)
    writer.add(second, 2)
    _Compared.strike = lambda: writer.add(third, 3)
    assert reader.totals(NOON, 2).rows == 10
    assert _Compared.strike is None
    assert reader.totals(NOON, 3).rows == 15


@settings(deadline=None, max_examples=examples(60))
@given(spans, blocks, st.integers(1, 2**32 - 1), st.integers(0, 1_000))
def test_a_ring_is_sound_until_one_count_is_another(
    span: TimeSpan, chosen: list[tuple[int, float, float]], other: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    counted = _Counted(span)
    assert counted.ring.is_sound
    now = NOON
    for size, step, spread in chosen:
        now += step
        counted.add(_rows(rng, size), _times(rng, now, size, spread, ordered=False))
        assert counted.ring.is_sound
    # Whichever bucket is read now.
    version = (counted.stamps[1] > counted.stamps[0]).astype(np.int64)
    held = np.flatnonzero(counted.index[version, np.arange(span.buckets)] != NEVER)
    place = rng.choice(held)
    cell = version[place], place, rng.integers(0, 3), rng.integers(0, WIDTH)
    counted.counts[cell] ^= np.uint32(other)
    assert not counted.ring.is_sound
    counted.counts[cell] ^= np.uint32(other)
    assert counted.ring.is_sound
