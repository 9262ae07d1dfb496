from __future__ import annotations

import math
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.evidence.live_dependence import (
    CARRIED_PERIODS,
    LEVELS,
    POWERS,
    Change,
    DependenceMeter,
    LiveDependence,
)
from driftgauge.drift.evidence.trimmed import _TABLE, KEPT_PAIRS, dropped
from driftgauge.drift.ordered_bins import NormalScores
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.windows.blocks import Blocks
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples

COLUMNS = 4


def _baseline() -> Baseline:
    rng = np.random.default_rng(0)
    return build_baseline(
        {
            "normal": rng.standard_normal(2_000),
            "holes": np.where(rng.random(2_000) < 0.03, np.nan, rng.exponential(size=2_000)),
            "category": Categories(rng.integers(0, 3, 2_000), ("a", "b", "c")),
            "constant": np.full(2_000, 2.0),
        },
        created="2026-01-01T00:00:00Z",
    )


BASELINE = _baseline()
METER = DependenceMeter(BASELINE.bins, BASELINE.counts)


def _blocks(sizes: list[int], phi: float, seed: int) -> Blocks:
    """Return blocks of rows whose columns follow slow waves of normal noise."""
    rng = np.random.default_rng(seed)
    rows = sum(sizes)
    noise = (1.0 - phi**2) ** 0.5 * rng.standard_normal((rows, COLUMNS))
    waves = np.empty_like(noise)
    last = rng.standard_normal(COLUMNS)
    for row, own in enumerate(noise):
        last = waves[row] = phi * last + own
    cells = np.stack(
        [waves[:, 0], np.exp(waves[:, 1]), np.digitize(waves[:, 2], [-0.4, 0.4]).astype(float), np.full(rows, 2.0)],
        axis=1,
    )
    codes = BASELINE.binner.codes(cells)
    counts = BASELINE.binner.counts_by(codes, np.repeat(np.arange(len(sizes)), sizes), len(sizes))
    return Blocks(counts, np.zeros(len(sizes), np.int64), np.cumsum(sizes).astype(np.float64))


class _Naive:
    """The definition, item by item and pair by pair, with all pairs kept."""

    def __init__(self) -> None:
        self.items: list[list[IntArray]] = [[] for _ in range(LEVELS + 1)]
        self.pairs: list[list[FloatArray]] = [[] for _ in range(LEVELS)]
        self.ratio = np.zeros((LEVELS, COLUMNS))
        self.steps = np.zeros(COLUMNS, np.int64)
        self.open = np.zeros(BASELINE.counts.shape, np.int64)

    def add(self, counts: IntArray) -> None:
        self.open = self.open + counts
        if self.open[0].sum() >= 50:
            self._item(0, self.open)
            self.open = np.zeros_like(counts)
            self._step()

    def _item(self, level: int, item: IntArray) -> None:
        self.items[level].append(item)
        if level == LEVELS or len(self.items[level]) == 1:
            return
        one, two = self.items[level][-2:]
        if len(self.items[level]) <= 6 or len(self.items[level]) % 2 == 0:
            self.pairs[level].append(np.array([_squares(i, one[i], two[i]) for i in range(COLUMNS)]))
            known = len(self.pairs[level])
            if known >= 5 and (known <= 16 or known % 4 == 0):
                self.ratio[level] = [max(self._ratio(level, i, kind) for kind in (0, 1)) for i in range(COLUMNS)]
        if len(self.items[level]) % 2 == 0:
            self._item(level + 1, one + two)

    def _ratio(self, level: int, column: int, kind: int) -> float:
        values = sorted(round(256 * pair[column, kind]) / 256 for pair in self.pairs[level][-KEPT_PAIRS:])
        kept = values[: len(values) - dropped(len(values))]
        mean, limit = _TABLE[len(values) - 5]
        ratio = math.fsum(kept) / len(kept) / mean
        return ratio if ratio > limit else 0.0

    def _step(self) -> None:
        for column in range(COLUMNS):
            tau = max(1.0, 1.2 * self.ratio[:, column].max())
            needed = math.ceil(round(2.0 * math.log2(tau), 9))
            if needed > self.steps[column] or needed <= self.steps[column] - 2:
                self.steps[column] = needed


def _squares(column: int, one: IntArray, two: IntArray) -> tuple[float, float]:
    """Return both statistics of a pair of items of one column, from their definitions."""
    shares = BASELINE.counts[column] / BASELINE.counts[column].sum()
    scores = np.nan_to_num(NormalScores(BASELINE.bins, BASELINE.binner.width)(BASELINE.counts))[column]
    scores = np.rint(np.clip(scores, -8.0, 8.0) * 1_024) / 1_024
    both = (one + two) / (one + two).sum()
    difference = two / two.sum() - one / one.sum()
    v = 1.0 / one.sum() + 1.0 / two.sum()
    spread = max(float(p @ scores**2 - (p @ scores) ** 2) for p in (shares, both))
    diversity = max(float(p @ (1.0 - p)) for p in (shares, both))
    a = float(difference @ scores) ** 2 / (spread * v) if spread > 1e-9 else 0.0
    b = float(difference @ difference) / (diversity * v) if diversity > 1e-9 else 0.0
    return a, b


def _straight(blocks: Blocks) -> tuple[LiveDependence, list[Change]]:
    return METER.after(METER.start(), blocks)


def _assert_same(one: LiveDependence, two: LiveDependence) -> None:
    np.testing.assert_equal(asdict(one), asdict(two))


SIZES = st.lists(st.one_of(st.just(50), st.integers(1, 120)), min_size=1, max_size=150)


@settings(deadline=None, max_examples=examples(60))
@given(SIZES, st.sampled_from([0.0, 0.5, 0.9, 0.99]), st.integers(0, 1_000))
def test_tau_is_that_of_the_definition(sizes: list[int], phi: float, seed: int) -> None:
    blocks = _blocks(sizes, phi, seed)
    naive = _Naive()
    expected = []
    for end, counts in enumerate(blocks.counts, start=1):
        before = naive.steps.copy()
        naive.add(counts)
        if (naive.steps != before).any():
            expected.append((end, naive.steps.tolist()))
    live, changes = _straight(blocks)
    assert [(end, steps.tolist()) for end, steps in changes] == expected
    np.testing.assert_array_equal(live.steps, naive.steps)
    np.testing.assert_allclose([level.ratio for level in live.levels], naive.ratio, rtol=1e-9)
    np.testing.assert_array_equal(live.unfinished, naive.open)
    assert [level.pairs for level in live.levels] == [len(pairs) for pairs in naive.pairs]
    assert live.rows == sum(sizes)
    assert live.since.tolist() == [sizes[0]] * COLUMNS


@settings(deadline=None, max_examples=examples(60))
@given(
    SIZES,
    st.lists(st.integers(0, 150), max_size=6),
    st.sampled_from([0.0, 0.9, 0.99]),
    st.integers(0, 1_000),
)
def test_the_result_is_the_same_however_blocks_come(sizes: list[int], cuts: list[int], phi: float, seed: int) -> None:
    blocks = _blocks(sizes, phi, seed)
    live, changes = METER.start(), []
    edges = [0, *sorted(min(cut, len(blocks)) for cut in cuts), len(blocks)]
    for first, end in pairwise(edges):
        kept, before = asdict(live), live
        live, own = METER.after(live, blocks.part(slice(first, end)))
        changes += [(first + place, steps.tolist()) for place, steps in own]
        np.testing.assert_equal(asdict(before), kept)  # nothing is written to
    whole, expected = _straight(blocks)
    _assert_same(live, whole)
    assert changes == [(end, steps.tolist()) for end, steps in expected]


def test_a_thousand_blocks_at_once_are_a_thousand_blocks_one_by_one() -> None:
    blocks = _blocks([50] * 1_000, 0.95, 1)
    live = METER.start()
    for block in range(1_000):
        live, _ = METER.after(live, blocks.part(slice(block, block + 1)))
    _assert_same(live, _straight(blocks)[0])
    assert live.levels[0].pairs == 5 + (1_000 - 6) // 2
    assert (live.tau[:3] > 4.0).all()


def test_independent_rows_have_a_tau_near_one() -> None:
    taus = np.array([_straight(_blocks([50] * 400, 0.0, seed))[0].tau for seed in range(20)])
    assert (taus == 1.0).mean() > 0.9
    assert taus.max() < 12.0


@pytest.mark.parametrize("phi", [0.5, 0.9])
def test_a_wave_has_about_its_own_tau(phi: float) -> None:
    """An AR(1) process has (1 + phi) / (1 - phi); the largest of the scales, with its margin, lies above."""
    taus = np.array([_straight(_blocks([50] * 1_000, phi, seed))[0].tau for seed in range(8)])
    true = (1.0 + phi) / (1.0 - phi)
    assert true <= np.median(taus[:, 0]) <= 4.0 * true
    assert 0.7 * true <= taus[:, 0].min()
    assert (taus[:, 3] == 1.0).all()


def test_one_step_is_not_dependence() -> None:
    blocks, shifted = _blocks([50] * 400, 0.0, 5), _blocks([50] * 400, 0.0, 6)
    moved = np.roll(shifted.counts[:, 0], 2, axis=-1)
    counts = blocks.counts.copy()
    counts[200:, 0] = moved[200:]
    tau = _straight(replace(blocks, counts=counts))[0].tau
    assert tau[0] == _straight(blocks)[0].tau[0] == 1.0


def test_rows_that_vary_more_than_the_reference_are_not_dependent() -> None:
    """Constant in the reference, a coin live; and holes in half of the rows instead of 3 %."""
    rng = np.random.default_rng(7)
    counts = _blocks([50] * 400, 0.0, 7).counts
    missing = rng.binomial(50, 0.5, 400)
    for column in (1, 3):
        bins = BASELINE.bins[column]
        counts[:, column] = 0
        counts[:, column, bins.special["missing"]] = missing
        counts[:, column, bins.ordinary.start] = 50 - missing
    blocks = Blocks(counts, np.zeros(400, np.int64), np.arange(400.0))
    assert _straight(blocks)[0].tau[[1, 3]].tolist() == [1.0, 1.0]


def test_pairs_take_eight_kilobytes_a_column() -> None:
    live, _ = _straight(_blocks([50] * 77 + [20], 0.9, 2))
    assert sum(level.squares.nbytes for level in live.levels) == 8 * 64 * 16 * COLUMNS


def test_a_new_baseline_begins_with_the_tau_of_its_columns_before() -> None:
    before, _ = _straight(_blocks([50] * 600, 0.9, 3))
    tau = np.array([before.tau[1], before.tau[0], np.nan, 1.0])
    start = METER.start().taken_over(tau, np.array([7.0, 8.0, np.nan, 9.0]))
    assert start.steps.tolist() == [before.steps[1], before.steps[0], 0, 0]
    assert start.rows == 0
    held = CARRIED_PERIODS * float(start.tau.max())
    live, blocks = start, _blocks([50] * 200, 0.0, 9)
    for block in range(200):
        live, _ = METER.after(live, blocks.part(slice(block, block + 1)))
        if live.rows < held:
            assert live.steps.max() >= start.steps.max()
    assert live.rows > held
    assert live.tau[:2].max() < start.tau.max()  # independent rows have been seen for long enough
    assert live.since.tolist() == [7.0, 8.0, 50.0, 9.0]


def test_tau_rises_at_once_and_falls_by_two_steps_or_more() -> None:
    live, waves = METER.start(), _blocks([50] * 200, 0.9, 3)
    seen = []
    for first in range(200):
        live, changes = METER.after(live, waves.part(slice(first, first + 1)))
        seen += [steps[0] for _, steps in changes]
    falls = [later - earlier for earlier, later in pairwise(seen) if later < earlier]
    assert all(fall <= -2 for fall in falls)
    assert POWERS[max(seen)] > 8.0
