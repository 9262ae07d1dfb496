from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.windows.buckets import NEVER, Buckets, Rings, bucketed, first_bucket
from driftgauge.drift.windows.time_spans import Block, Summing, TimeSpan, Totals
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples

NOON = 1_750_000_000.0


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
BINNER, SUMMING, WIDTH = BASELINE.binner, Summing(BASELINE.scales), BASELINE.binner.width


def _block(values: FloatArray, at: FloatArray) -> Block:
    codes = BINNER.codes(values)
    return Block(values, codes, at, BINNER.counts(codes).astype(np.uint32), SUMMING(values))


_Row = tuple[int, tuple[int, ...], FloatArray, float]
"""The number of its bucket, its codes, its standardised values and its time."""


class _Window:
    """A window that adds up what `bucketed` gives it, and beside it every row that was ever added."""

    def __init__(self, span: TimeSpan) -> None:
        self.span = span
        self.newest = NEVER
        self.held: dict[int, Buckets] = {}
        self.rows: list[_Row] = []

    def add(self, values: FloatArray, at: FloatArray) -> tuple[int, int]:
        """Add rows; return how many are said to be too late, and how many are."""
        found, said = bucketed(self.span, _block(values, at), self.newest, BINNER, SUMMING)
        for position, number in enumerate(found.numbers.tolist()):
            own = slice(position, position + 1)
            hours = None if found.hours is None else found.hours[own]
            self._keep(number, Buckets(found.numbers[own], found.counts[own], found.sums[own], hours))
        return said, self._recount(values, at)

    def _keep(self, number: int, one: Buckets) -> None:
        before = self.held.get(number)
        if before is not None:
            one.add(before, np.array([0]))
        self.held[number] = one

    def _recount(self, values: FloatArray, at: FloatArray) -> int:
        codes = BINNER.codes(values)
        standardised = np.nan_to_num(BASELINE.scales.standardised(values))
        buckets = [math.floor(moment / self.span.width) for moment in at.tolist()]
        late, last = 0, max(self.newest, *buckets)
        for bucket, own, z, moment in zip(buckets, codes.tolist(), standardised, at.tolist(), strict=True):
            self.newest = max(self.newest, bucket)
            late += bucket <= self.newest - self.span.buckets  # too old when it came
            if bucket > last - self.span.buckets:
                self.rows.append((bucket, tuple(own), z, moment))
        return late

    def totals(self, now: float) -> Totals:
        """Return what the window holds at a moment."""
        oldest = first_bucket(self.span, now)
        inside = [one for number, one in self.held.items() if oldest <= number < oldest + self.span.buckets]
        none = Buckets(np.empty(0, np.int64), np.empty((0, 3, WIDTH), np.uint32), np.empty((0, 2, 3)))
        names = ("numbers", "counts", "sums", *(["hours"] if inside and inside[0].hours is not None else []))
        kept = inside if len(names) == 4 else [none, *inside]
        return Buckets(*(np.concatenate([getattr(one, name) for one in kept]) for name in names)).totals(self.span, now)

    def assert_recounted(self, now: float) -> None:
        """Assert that the window holds at a moment what a recount of all rows gives."""
        totals, current = self.totals(now), math.floor(now / self.span.width)
        oldest = current - self.span.buckets + 1
        inside = [row for row in self.rows if oldest <= row[0] <= current]
        counts, sums = np.zeros((3, WIDTH)), np.zeros((2, 3))
        for _, codes, z, _ in inside:
            counts[np.arange(3), codes] += 1
            sums += np.stack([z, z**2])
        assert (totals.span, totals.rows, totals.start) == (self.span, len(inside), oldest * self.span.width)
        np.testing.assert_array_equal(totals.counts, counts)
        np.testing.assert_allclose(totals.sums, sums, rtol=1e-9, atol=1e-9)
        hours = [datetime.fromtimestamp(moment, UTC).hour for *_, moment in inside]
        assert totals.hours.tolist() == [hours.count(hour) for hour in range(24)]
        self._check_days(totals, inside, current)
        assert now - self.span.seconds - self.span.width < totals.start <= now - self.span.seconds + self.span.width

    def _check_days(self, totals: Totals, inside: Sequence[_Row], current: int) -> None:
        """Assert that the whole days of the window hold what a recount gives; short windows have none."""
        if self.span.seconds < 7 * 86_400:
            assert totals.days is None
            return
        assert totals.days is not None
        each = 86_400 // self.span.width
        days = np.zeros(((self.span.buckets - 1) // each, 3, WIDTH))
        for bucket, codes, _, _ in inside:
            day = len(days) - 1 - (current - 1 - bucket) // each
            if bucket < current and day >= 0:
                days[day, np.arange(3), codes] += 1
        np.testing.assert_array_equal(totals.days.counts, days)
        assert totals.days.end == current * self.span.width


def _rows(rng: np.random.Generator, size: int) -> FloatArray:
    values = np.stack(
        [rng.normal(3.0, 4.0, size), rng.integers(0, 3, size).astype(float), rng.choice([0.0, 1.0, 2.0], size)], axis=1
    )
    values[rng.random((size, 3)) < 0.1] = math.nan
    values[rng.random(size) < 0.05, 0] = rng.choice([math.inf, -math.inf, 1e300])
    return values


LENGTHS = ["10s", "1m", "2m", "7m", "1h", "7d", "14d", "30d"]
# How far the clock advances before a block, and over how many seconds its rows are spread.
steps = st.sampled_from([0.0, 0.3, 1.0, 7.0, 61.0, 119.9, 120.0, 500.0, 100_000.0, 1_500_000.0, -3.0, -100.0, -500.0])
spreads = st.sampled_from([0.0, 0.5, 10.0, 119.0, 300.0, 5_000.0, 400_000.0])
blocks = st.lists(st.tuples(st.integers(1, 30), steps, spreads), min_size=1, max_size=12)


@settings(deadline=None, max_examples=examples(120))
@given(st.sampled_from(LENGTHS), blocks, st.integers(0, 1_000), st.booleans())
def test_a_window_holds_what_a_recount_of_all_rows_gives(
    text: str, chosen: list[tuple[int, float, float]], seed: int, ordered: bool
) -> None:
    rng = np.random.default_rng(seed)
    window = _Window(TimeSpan.named(text))
    now = NOON
    for size, step, spread in chosen:
        now += step
        at = now + rng.uniform(0.0, spread, size)
        said, late = window.add(_rows(rng, size), np.sort(at) if ordered else at)
        assert said == late
        for moment in (now, float(at.max()), now + 30.0, now + 10_000.0):
            if math.floor(moment / window.span.width) >= window.newest:
                window.assert_recounted(moment)


def test_rows_later_than_the_moment_are_left_out() -> None:
    window = _Window(TimeSpan.named("2m"))
    window.add(_rows(np.random.default_rng(1), 40), np.arange(40.0) + NOON)
    for seconds in range(40):
        rows = window.totals(NOON + seconds).rows
        assert rows == sum(math.floor(NOON + at) // 2 <= math.floor(NOON + seconds) // 2 for at in range(40))


def test_a_day_passes_bucket_by_bucket() -> None:
    rng = np.random.default_rng(2)
    window = _Window(TimeSpan.named("24h"))
    minutes = NOON + 60.0 * np.arange(3_600.0)  # two days and a half
    for first in range(0, len(minutes), 45):
        at = minutes[first : first + 45]
        assert window.add(_rows(rng, len(at)), at) == (0, 0)
    for now in (minutes[-1], minutes[-1] + 3_600.0, minutes[-1] + 86_400.0):
        window.assert_recounted(float(now))
    # Exact to the bucket that has just begun.
    assert 24 * 60 - 15 <= window.totals(float(minutes[-1])).rows <= 24 * 60


def test_late_rows_are_counted_where_they_belong_or_returned_as_too_late() -> None:
    window = _Window(TimeSpan.named("2m"))
    rng = np.random.default_rng(3)
    assert window.add(_rows(rng, 5), np.full(5, NOON)) == (0, 0)
    assert window.add(_rows(rng, 4), np.full(4, NOON - 60.0)) == (0, 0)
    assert window.add(_rows(rng, 3), np.full(3, NOON - 121.0)) == (3, 3)
    assert window.add(_rows(rng, 3), np.array([NOON - 900.0, NOON, NOON - 30.0])) == (1, 1)
    assert window.totals(NOON).rows == 11
    # The first of these comes in time and is left behind by the second; the third comes too late.
    assert window.add(_rows(rng, 3), np.array([NOON, NOON + 500.0, NOON])) == (1, 1)
    assert window.totals(NOON + 500.0).rows == 1


def test_rows_that_all_came_too_late_give_no_bucket() -> None:
    window = _Window(TimeSpan.named("2m"))
    rng = np.random.default_rng(4)
    window.add(_rows(rng, 3), np.full(3, NOON + 1e6))
    found, late = bucketed(window.span, _block(_rows(rng, 2), np.full(2, NOON)), window.newest, BINNER, SUMMING)
    assert (len(found.numbers), found.counts.shape, found.sums.shape, late) == (0, (0, 3, WIDTH), (0, 2, 3), 2)


def test_times_before_1970_have_buckets_too() -> None:
    window = _Window(TimeSpan.named("2m"))
    window.add(_rows(np.random.default_rng(6), 30), np.linspace(-60.0, 60.0, 30))
    window.assert_recounted(60.0)


def test_without_buckets_a_window_holds_nothing() -> None:
    window = _Window(TimeSpan.named("1h"))
    window.assert_recounted(NOON)
    assert window.totals(NOON).hours.sum() == 0


def test_a_bucket_counts_to_four_thousand_million() -> None:
    span, counts = TimeSpan.named("1h"), np.zeros((2, 3, WIDTH), np.uint32)
    counts[:, :, 1] = 4_294_967_295
    number = math.floor(NOON / span.width)
    total = Buckets(np.array([number - 1, number]), counts, np.zeros((2, 2, 3))).totals(span, NOON)
    assert total.rows == total.hours.sum() == total.counts[2, 1] == 8_589_934_590
    block = _block(np.array([[3.0, 0.0, 1.0]]), np.array([NOON]))
    assert bucketed(span, block, NEVER, BINNER, SUMMING)[0].counts.dtype == np.uint32


@pytest.mark.parametrize("now", [0.0, -1.0, 59.9, 60.0, NOON])
@pytest.mark.parametrize("text", ["10s", "1h", "31d"])
def test_a_window_ends_with_the_bucket_of_the_moment(text: str, now: float) -> None:
    span = TimeSpan.named(text)
    last = first_bucket(span, now) + span.buckets - 1
    assert last * span.width <= now < (last + 1) * span.width


# ---------------------------------------------------------------- rings


def test_each_window_has_a_ring_of_its_own_places() -> None:
    spans = (TimeSpan("10s", 10), TimeSpan("2m", 120))
    rings, now = Rings(spans), math.floor(NOON)
    assert rings.places == sum(span.buckets for span in spans)
    buckets = np.full(rings.places, NEVER)
    taken: set[int] = set()
    for span in spans:
        numbers = first_bucket(span, now) + np.arange(span.buckets)
        places = rings.place(span, numbers)
        assert taken.isdisjoint(places.tolist())
        taken |= {*places.tolist()}
        buckets[places] = numbers
        assert sorted(rings.part(span, buckets)) == numbers.tolist()
        assert sorted(rings.held(span, buckets, now)) == sorted(places.tolist())
    assert taken == set(range(rings.places))


def test_a_window_holds_its_own_span_of_time_and_what_is_later_is_found() -> None:
    span = TimeSpan("2m", 120)
    rings, last = Rings((span,)), math.floor(NOON / span.width)
    buckets = np.full(rings.places, NEVER)
    numbers = np.array([last - span.buckets, last - 1, last, last + 2])
    buckets[rings.place(span, numbers)] = numbers
    held = rings.held(span, buckets, NOON)
    assert sorted(buckets[held]) == [last - 1, last]
    assert buckets[rings.later(buckets, NOON)].tolist() == [last + 2]
    assert Rings(()).later(np.empty(0, np.int64), NOON).size == 0
