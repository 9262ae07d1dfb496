from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.evidence.detector import CAP, CLEARED, FEWEST_FALSE_ALARM_ROWS, Detector, Evidence, Rate
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.windows.blocks import Blocks, hours_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples

HOUR = 3_600.0
DAY = 24 * HOUR


def _baseline(rows: int = 5_000, seed: int = 0) -> Baseline:
    rng = np.random.default_rng(seed)
    table: dict[str, FloatArray | Categories] = {
        "normal": rng.standard_normal(rows),
        "holes": np.where(rng.random(rows) < 0.03, np.nan, rng.exponential(size=rows)),
        "category": Categories(rng.integers(0, 4, rows), ("a", "b", "c", "d")),
        "constant": np.full(rows, 2.0),
    }
    return build_baseline(table, created="2026-01-01T00:00:00Z")


BASELINE = _baseline()


def _blocks(baseline: Baseline, sizes: list[int], seed: int, shift: float = 0.0) -> Blocks:
    """Return blocks of rows like the reference's, the first column shifted."""
    rng = np.random.default_rng(seed)
    counts = []
    for size in sizes:
        cells = np.stack(
            [
                rng.standard_normal(size) + shift,
                np.where(rng.random(size) < 0.03, np.nan, rng.exponential(size=size)),
                rng.integers(0, 4, size).astype(np.float64),
                np.full(size, 2.0),
            ],
            axis=1,
        )
        counts.append(baseline.binner.counts(baseline.binner.codes(cells)))
    shape = (len(sizes), *baseline.counts.shape)
    at = np.cumsum(np.array(sizes, dtype=np.float64))
    return Blocks(np.array(counts, dtype=np.int64).reshape(shape), np.zeros(len(sizes), dtype=np.int64), at)


def _naive(detector: Detector, blocks: Blocks) -> FloatArray:
    """Return E of each column after each block: the recursion in logarithms, bet by bet."""
    maker, columns = detector._maker, blocks.counts.shape[1]
    budget = detector.budget.false_alarm_rows * columns
    owner = [*np.repeat(np.arange(columns), 12), *np.repeat(np.arange(columns), maker.singles)]
    log_m = np.full(len(maker.weights), -math.inf)
    history = []
    for counts in blocks.counts:
        rows = counts[0].sum()
        if rows > 0:
            for bet, factor in enumerate(maker.bets.log_factors(counts[None].astype(np.float64))[0]):
                if maker.weights[bet] > 0:
                    log_m[bet] = factor + np.logaddexp(log_m[bet], math.log(rows))
                    log_m[bet] = min(log_m[bet], math.log(CAP * budget / maker.weights[bet]))
        e = np.zeros(columns)
        for bet, column in enumerate(owner):
            e[column] += maker.weights[bet] * math.exp(log_m[bet]) if maker.weights[bet] > 0 else 0.0
        history.append(e)
    return np.array(history)


sizes = st.lists(st.sampled_from([0, 1, 7, 50, 51, 400]), min_size=1, max_size=12)


@settings(deadline=None, max_examples=examples(40))
@given(sizes, st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 3.0]))
def test_evidence_is_that_of_the_recursion(sizes: list[int], seed: int, shift: float) -> None:
    detector = Detector(BASELINE.bins, BASELINE.counts, Budget(1_000.0))
    blocks = _blocks(BASELINE, sizes, seed, shift)
    expected = _naive(detector, blocks)
    seen = detector.start()
    for place in range(len(blocks)):
        seen = detector.advance(seen, blocks.part(slice(place, place + 1)))
        np.testing.assert_allclose(seen.values, expected[place], rtol=1e-9, atol=1e-300)


@settings(deadline=None, max_examples=examples(40))
@given(sizes, st.integers(0, 10_000), st.sampled_from([0.0, 1.0]), st.lists(st.integers(0, 12), max_size=4))
def test_evidence_is_the_same_in_whatever_lots_blocks_come(
    sizes: list[int], seed: int, shift: float, cuts: list[int]
) -> None:
    detector = Detector(BASELINE.bins, BASELINE.counts, Budget(1_000.0))
    blocks = _blocks(BASELINE, sizes, seed, shift)
    at_once = detector.advance(detector.start(), blocks)
    in_lots = detector.start()
    for first, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(blocks)], strict=True):
        in_lots = detector.advance(in_lots, blocks.part(slice(first, end)))
    for name in ("wealth", "values", "raised", "since"):
        np.testing.assert_array_equal(getattr(at_once, name), getattr(in_lots, name))


def test_memory_is_bounded_by_working_in_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Detector(BASELINE.bins, BASELINE.counts)
    blocks = _blocks(BASELINE, [50] * 40, 3, 0.3)
    at_once = detector.advance(detector.start(), blocks)
    monkeypatch.setattr("driftgauge.drift.evidence.detector._FACTORS_AT_ONCE", 3 * detector.bets)
    np.testing.assert_array_equal(detector.advance(detector.start(), blocks).wealth, at_once.wealth)
    assert detector.peaks([blocks])[0] >= at_once.values[0]


def _joined(*parts: Blocks) -> Blocks:
    """Return blocks one after the other, whose time is their place."""
    counts = np.concatenate([part.counts for part in parts])
    return Blocks(counts, np.zeros(len(counts), dtype=np.int64), np.arange(float(len(counts))))


DRIFTING, NORMAL = _blocks(BASELINE, [50] * 40, 0, 1.0), _blocks(BASELINE, [50] * 200, 1)


def _walk(detector: Detector, blocks: Blocks) -> list[Evidence]:
    seen, walked = detector.start(), []
    for place in range(len(blocks)):
        seen = detector.advance(seen, blocks.part(slice(place, place + 1)))
        walked.append(seen)
    return walked


def test_raised_at_the_threshold_held_above_a_tenth_of_it_and_cleared_below() -> None:
    detector = Detector(BASELINE.bins, BASELINE.counts)
    blocks = _joined(NORMAL, DRIFTING, NORMAL)
    walked = _walk(detector, blocks)
    raised, since = False, math.nan
    changes = 0
    for at, seen in enumerate(walked):
        value = seen.values[0]
        was = raised
        raised = value >= seen.threshold or (raised and value >= CLEARED * seen.threshold)
        since = (since if was else float(at)) if raised else math.nan
        changes += raised != was
        assert seen.raised[0] == raised
        assert seen.since[0] == since or (math.isnan(seen.since[0]) and math.isnan(since))
    assert changes == 2  # once raised, once cleared: no flapping
    assert 200 <= next(i for i, seen in enumerate(walked) if seen.raised[0]) < 204
    assert not any(seen.raised[1:].any() for seen in walked)
    at_once = detector.advance(detector.start(), blocks.part(slice(0, 230)))
    np.testing.assert_array_equal(at_once.raised, walked[229].raised)
    np.testing.assert_array_equal(at_once.since, walked[229].since)
    assert at_once.since[0] == next(i for i, seen in enumerate(walked) if seen.raised[0])


def test_since_is_when_it_was_raised_last() -> None:
    detector = Detector(BASELINE.bins, BASELINE.counts)
    blocks = _joined(DRIFTING, NORMAL, DRIFTING)
    walked = _walk(detector, blocks)
    assert not walked[239].raised[0]
    begun = next(i for i in range(240, 280) if walked[i].raised[0])
    assert detector.advance(detector.start(), blocks).since[0] == begun


def test_evidence_falls_off_soon_after_a_long_drift() -> None:
    detector = Detector(BASELINE.bins, BASELINE.counts)
    drifting = _blocks(BASELINE, [50] * 1_000, 0, 2.0)
    seen = detector.advance(detector.start(), drifting)
    # Each bet is capped, so that there is no more to wear off than after a short one.
    assert seen.values[0] <= CAP * seen.threshold * detector.bets
    seen = detector.advance(seen, _blocks(BASELINE, [50] * 100, 1))
    assert not seen.raised.any()


@pytest.mark.parametrize("shift", [0.5, -0.5, 1.0])
def test_a_shift_is_found_soon(shift: float) -> None:
    detector = Detector(BASELINE.bins, BASELINE.counts)
    seen = detector.advance(detector.start(), _blocks(BASELINE, [50] * 20, 5))
    assert not seen.raised.any()
    seen = detector.advance(seen, _blocks(BASELINE, [50] * 12, 6, shift))
    assert seen.raised.tolist() == [True, False, False, False]


def test_one_row_beyond_the_reference_raises_nothing_and_a_burst_does() -> None:
    detector = BASELINE.detector()
    above = BASELINE.columns[0].bins.special["above"]
    first = BASELINE.columns[0].bins.ordinary.start
    blocks = _blocks(BASELINE, [50] * 4, 2)
    for rows, raises in ((1, False), (2, False), (12, True)):
        counts = blocks.counts.copy()
        moved = min(rows, counts[3, 0, first:above].sum())
        counts[3, 0, :] = 0
        counts[3, 0, above], counts[3, 0, first + 4] = moved, 50 - moved
        alike = Blocks(counts, blocks.hours, blocks.at)
        if not raises:  # apart from what is above, rows are like the reference's
            counts[3, 0] = blocks.counts[3, 0]
            fullest = int(counts[3, 0].argmax())
            counts[3, 0, fullest] -= rows
            counts[3, 0, above] += rows
        assert detector.advance(detector.start(), alike).raised[0] == raises


def test_on_average_evidence_is_no_more_than_the_rows_that_made_it() -> None:
    """The guarantee itself: E less the rows never rises on average, whatever one column has to do with another."""
    rng = np.random.default_rng(11)
    reference = np.array([0.0, *[20_000.0] * 10, 0.0, 0.0])
    column = build_baseline({"x": np.arange(200_000.0)}, created="").columns[0]
    rows, block = 400, 50
    shares = reference / reference.sum()
    detector = Detector([column.bins] * 2_000, np.tile(reference, (2_000, 1)), Budget(tolerance=0.0))
    seen = detector.start()
    for _ in range(rows // block):
        counts = rng.multinomial(block, shares, size=2_000)[None]
        seen = detector.advance(seen, Blocks(counts, np.zeros(1, dtype=np.int64), np.zeros(1)))
    assert 0.0 < seen.values.mean() <= rows
    assert not seen.raised.any()


# ---------------------------------------------------------------- who has a detector


def test_columns_that_are_not_watched_have_no_evidence_and_take_no_part_in_the_budget() -> None:
    watched = np.array([True, False, True, False])
    detector = Detector(BASELINE.bins, BASELINE.counts, Budget(1e5), watched=watched)
    seen = detector.advance(detector.start(), _blocks(BASELINE, [50] * 10, 0, 2.0))
    assert seen.threshold == 2e5
    assert seen.watched == 2
    assert np.isnan(seen.values).tolist() == (~watched).tolist()
    assert seen.raised.tolist() == [True, False, False, False]
    assert seen.threshold_log10 == pytest.approx(math.log10(2e5))


def test_a_detector_without_any_column_to_watch_raises_nothing() -> None:
    detector = Detector(BASELINE.bins, BASELINE.counts, watched=np.zeros(4, dtype=bool))
    seen = detector.advance(detector.start(), _blocks(BASELINE, [50] * 4, 0, 5.0))
    assert not seen.raised.any()
    assert np.isnan(seen.log10).all()


def test_evidence_that_is_none_has_a_logarithm_of_zero() -> None:
    seen = BASELINE.detector().start()
    assert seen.log10.tolist() == [0.0] * 4
    assert np.isnan(seen.since).all()


# ---------------------------------------------------------------- dependence and hours


def test_dependence_divides_the_logarithms_and_the_rows_of_the_reference() -> None:
    tau = np.array([4.0, 1.0, 2.0, 1.0])
    plain = Detector(BASELINE.bins, BASELINE.counts / tau[:, None])
    slow = Detector(BASELINE.bins, BASELINE.counts, tau=tau)
    blocks = _blocks(BASELINE, [50], 0, 1.0)
    logs = np.log(plain._factors(blocks, plain.tau))[0]
    split = len(BASELINE.bins) * 12
    maker = slow._maker
    np.testing.assert_array_equal(maker.weights, plain._maker.weights)
    owner = np.concatenate([np.repeat(np.arange(4), 12), np.repeat(np.arange(4), maker.singles)])
    assert len(owner) == split + maker.singles.sum()
    np.testing.assert_allclose(np.log(slow._factors(blocks, slow.tau))[0], logs / tau[owner], atol=1e-7)


def test_rows_are_weighed_against_the_reference_of_their_hour() -> None:
    """Two hours that differ by far: each row belongs to its own, a row of the other is found at once."""
    rng = np.random.default_rng(0)
    hours = np.repeat([3, 15], 4_000)
    values = rng.standard_normal(8_000) + np.where(hours == 3, -2.0, 2.0)
    baseline = build_baseline({"x": values}, created="", ordered_by="t", hours=hours)
    detector = baseline.detector()
    assert detector.by_hour
    assert baseline.columns[0].tau is not None
    assert baseline.columns[0].tau < 2.0

    def seen(hour: int, mean: float) -> Evidence:
        cells = rng.standard_normal((2_000, 1)) + mean
        codes = baseline.binner.codes(cells)
        counts = np.stack([baseline.binner.counts(part) for part in np.split(codes, 40)])
        return detector.advance(detector.start(), Blocks(counts, np.full(40, hour), np.arange(40.0)))

    assert not seen(3, -2.0).raised[0]
    assert not seen(15, 2.0).raised[0]
    assert seen(3, 2.0).raised[0]
    assert seen(15, -2.0).raised[0]
    # An hour that the reference does not have is compared with all of it: half of the rows have left.
    assert seen(9, 2.0).raised[0]


def test_each_hour_gives_the_evidence_of_a_detector_of_that_hour_alone() -> None:
    rng = np.random.default_rng(1)
    hours = np.repeat([3, 15], 4_000)
    table = {"x": rng.standard_normal(8_000) + hours}
    baseline = build_baseline(table, created="", hours=hours)
    blocks = _blocks(BASELINE, [50] * 6, 0)
    codes = baseline.binner.codes(rng.standard_normal((300, 1)) + 3.0)
    counts = np.stack([baseline.binner.counts(part) for part in np.split(codes, 6)])
    blocks = Blocks(counts, np.full(6, 3), np.arange(6.0))
    both, alone = baseline.detector(), Detector(baseline.bins, baseline.counts_by_hour[3])
    np.testing.assert_allclose(
        both._factors(blocks, both.tau)[:, :12], alone._factors(blocks, alone.tau)[:, :12], rtol=1e-9
    )


def test_the_hour_of_a_time_is_that_of_utc() -> None:
    assert hours_of(np.array([0.0, HOUR - 0.001, HOUR, DAY - 1.0, DAY, -1.0])).tolist() == [0, 0, 1, 23, 0, 23]


# ---------------------------------------------------------------- a budget as a time


def test_a_rate_is_that_of_the_last_day() -> None:
    rate = Rate()
    assert rate.per_second is None
    for second in range(0, 7_200, 10):
        rate = rate.after(50.0, float(second))
        if second < HOUR:
            assert rate.per_second is None
    assert rate.per_second == pytest.approx(5.0, rel=1e-3)
    for second in range(7_200, int(7_200 + 4 * DAY), 10):
        rate = rate.after(500.0, float(second))
    assert rate.per_second == pytest.approx(50.0, rel=0.03)
    # A clock that goes back counts as one that stands still.
    assert rate.after(100.0, 0.0).per_second == pytest.approx(50.0, rel=0.03)


def test_a_budget_given_as_a_time_follows_the_rate() -> None:
    budget = Budget(1e6, false_alarm_interval_seconds=30 * DAY)
    detector = Detector(BASELINE.bins, BASELINE.counts, budget)
    assert detector.start().threshold == 4e6  # until the rate is known
    blocks = _blocks(BASELINE, [50] * 200, 0)
    slowly = Blocks(blocks.counts, blocks.hours, np.arange(0.0, 10_000.0, 50.0))  # one row a second
    seen = detector.advance(detector.start(), slowly)
    assert seen.threshold == pytest.approx(4 * 30 * DAY, rel=1e-3)
    rarely = Blocks(blocks.counts, blocks.hours, np.arange(0.0, 200 * DAY, DAY))
    assert detector.advance(detector.start(), rarely).threshold == 4 * FEWEST_FALSE_ALARM_ROWS


@pytest.mark.parametrize("rows", [5_000, 1_000_000])
def test_a_block_of_any_size_far_off_leaves_numbers(rows: int) -> None:
    """All rows in one bin that was all but empty: a factor beyond any number."""
    counts = np.zeros((1, *BASELINE.counts.shape), dtype=np.int64)
    counts[0, :, 0] = rows
    detector = Detector(BASELINE.bins, BASELINE.counts, watched=np.array([True, True, True, False]))
    blocks = Blocks(counts, np.zeros(1, dtype=np.int64), np.zeros(1))
    seen = detector.advance(detector.start(), blocks)
    assert np.isfinite(seen.wealth).all()
    assert seen.raised[0]
    assert np.isfinite(detector.advance(seen, _blocks(BASELINE, [50] * 5, 0)).wealth).all()
