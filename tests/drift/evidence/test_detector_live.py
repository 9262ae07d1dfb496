"""Evidence that is weighed by the dependence of the live rows."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.detector import OVERRULED, Detector
from driftgauge.drift.evidence.live_dependence import POWERS, LiveDependence
from driftgauge.drift.evidence.progress import Progress
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.windows.blocks import Blocks
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from tests.effort import examples
from tests.states import assert_same_evidence

COLUMNS = 3


def _waves(rows: int, phi: float, seed: int) -> FloatArray:
    """Return normal columns of variance 1, each row like the one before it."""
    noise = np.random.default_rng(seed).standard_normal((rows, COLUMNS)) * (1.0 - phi**2) ** 0.5
    noise[0] /= (1.0 - phi**2) ** 0.5
    waves: FloatArray = lfilter([1.0], [1.0, -phi], noise, axis=0)
    return waves


def _baseline(rows: int = 10_000, *, ordered_by: str | None = None) -> Baseline:
    values = _waves(rows, 0.0, 99)
    return build_baseline({f"f{i}": own for i, own in enumerate(values.T)}, created="", ordered_by=ordered_by)


BASELINE = _baseline()
DETECTOR = BASELINE.detector()


def _blocks(values: FloatArray) -> Blocks:
    count = len(values) // 50
    codes = BASELINE.binner.codes(values[: 50 * count])
    counts = BASELINE.binner.counts_by(codes, np.repeat(np.arange(count), 50), count)
    return Blocks(counts, np.zeros(count, np.int64), np.arange(1.0, count + 1.0))


@settings(deadline=None, max_examples=examples(40))
@given(st.lists(st.integers(0, 200), max_size=5), st.sampled_from([0.0, 0.9, 0.99]), st.integers(0, 500))
def test_evidence_is_the_same_however_blocks_come(cuts: list[int], phi: float, seed: int) -> None:
    blocks = _blocks(_waves(10_000, phi, seed))
    detector = BASELINE.detector()
    whole = detector.advance(detector.start(), blocks)
    seen, edges = DETECTOR.start(), [0, *sorted(cuts), len(blocks)]
    for first, end in pairwise(edges):
        seen = DETECTOR.advance(seen, blocks.part(slice(first, end)))
    assert_same_evidence(seen, whole)


def test_each_block_is_weighed_by_the_tau_measured_before_it() -> None:
    """Block by block with a detector of that tau, the wealth raised to t0 / t1 whenever tau rises."""
    blocks = _blocks(_waves(20_000, 0.9, 1))
    seen, taus = DETECTOR.start(), set()
    wealth, tau = seen.wealth, seen.tau
    for block in range(len(blocks)):
        assert seen.live is not None
        now = seen.live.tau
        fixed = Detector(BASELINE.bins, BASELINE.counts, tau=now)
        if fixed.bets == DETECTOR.bets:  # otherwise bets are idle: see test_bets
            weights, owners = DETECTOR._maker.weights, DETECTOR._maker.owners
            won = wealth / weights
            power = np.where((won > 1.0) & (now > tau)[owners], (tau / now)[owners], 1.0)
            before = replace(fixed.start(), wealth=weights * won**power)
            expected = fixed.advance(before, blocks.part(slice(block, block + 1)))
        seen = DETECTOR.advance(seen, blocks.part(slice(block, block + 1)))
        if fixed.bets == DETECTOR.bets:
            np.testing.assert_allclose(seen.wealth, expected.wealth, rtol=1e-9)
            np.testing.assert_array_equal(seen.tau, now)
            taus.add(float(now[0]))
        wealth, tau = seen.wealth, seen.tau
    assert len(taus) > 3


def test_dependent_rows_raise_no_evidence_that_lasts() -> None:
    blocks = _blocks(_waves(100_000, 0.9, 2))
    plain = Detector(BASELINE.bins, BASELINE.counts)
    without, alarms = plain.start(), 0
    seen = DETECTOR.start()
    for first in range(0, len(blocks), 20):
        lot = blocks.part(slice(first, first + 20))
        without, seen = plain.advance(without, lot), DETECTOR.advance(seen, lot)
        alarms += int(without.raised.any())
        assert first < 400 or not seen.raised.any()
    assert alarms > 50
    assert (seen.tau >= 19.0).all()


def test_a_true_shift_of_dependent_rows_is_found() -> None:
    values = _waves(60_000, 0.9, 3)
    values[40_000:, 0] += 1.5
    seen = DETECTOR.advance(DETECTOR.start(), _blocks(values))
    assert seen.raised.tolist() == [True, False, False]
    assert 800.0 < seen.since[0] < 1_200.0


def _live(tau: list[float]) -> LiveDependence:
    live = DETECTOR.start().live
    assert live is not None
    return replace(live, steps=np.searchsorted(POWERS, tau))


def test_the_reference_tau_holds_unless_the_live_one_is_far_larger() -> None:
    own = np.array([3.0, 3.0, 3.0])
    timed = Detector(BASELINE.bins, BASELINE.counts, tau=own, timed=np.ones(COLUMNS, np.bool_))
    np.testing.assert_array_equal(timed.tau_in_force(_live([1.0, 16.0, 32.0])), [3.0, 3.0, 32.0])
    assert 16.0 < OVERRULED * 3.0 < 32.0
    some = Detector(BASELINE.bins, BASELINE.counts, timed=np.array([True, False, False]))
    np.testing.assert_array_equal(some.tau_in_force(_live([4.0, 4.0, 1.0])), [1.0, 4.0, 1.0])


def test_the_reference_tau_holds_for_live_ones_that_the_reference_accounts_for() -> None:
    own, known = np.array([3.0, 3.0, 3.0]), np.array([64.0, 64.0, 0.0])
    timed = np.array([True, True, True])
    detector = Detector(BASELINE.bins, BASELINE.counts, tau=own, timed=timed, expected_live_tau=known)
    np.testing.assert_array_equal(detector.tau_in_force(_live([64.0, 128.0, 16.0])), [3.0, 128.0, 3.0])
    untimed = Detector(BASELINE.bins, BASELINE.counts, timed=~timed, expected_live_tau=known)
    np.testing.assert_array_equal(untimed.tau_in_force(_live([4.0, 2.0, 1.0])), [4.0, 2.0, 1.0])


def _cycle(rows: int, shift: float, seed: int) -> FloatArray:
    """Return a column with a daily cycle of 200 rows, moved by parts of a day."""
    day = 2.0 * np.pi * (np.arange(rows) / 200.0 + shift)
    values: FloatArray = np.sin(day) + 0.3 * np.random.default_rng(seed).standard_normal(rows)
    return values


def test_a_shift_of_a_column_with_a_daily_cycle_is_found_if_the_reference_has_times() -> None:
    """Such as an hour that arrives in another time zone: its live tau is far larger than the reference's."""
    built = build_baseline({"x": _cycle(40_000, 0.0, 1)}, created="", ordered_by="t")
    live = np.append(_cycle(20_000, 0.0, 2), _cycle(2_000, 0.0, 3) + 0.5)
    counts = built.binner.counts_by(built.binner.codes(live[:, None]), np.repeat(np.arange(440), 50), 440)
    blocks = Blocks(counts, np.zeros(440, np.int64), np.arange(1.0, 441.0))
    (column,) = built.columns
    without = replace(built, columns=(replace(column, expected_live_tau=None),))
    for baseline, is_found in ((built, True), (without, False)):
        detector = baseline.detector()
        quiet = detector.advance(detector.start(), blocks.part(slice(0, 400)))
        assert quiet.live is not None
        assert quiet.live.tau[0] > OVERRULED * baseline.tau[0]
        assert not quiet.raised.any()
        seen = detector.advance(quiet, blocks.part(slice(400, 440)))
        assert bool(seen.raised[0]) == is_found


def test_whose_tau_has_times_is_known_from_the_baseline() -> None:
    assert not BASELINE.timed.any()
    assert _baseline(2_000, ordered_by="time").timed.all()


def test_nothing_is_measured_unless_asked_for() -> None:
    plain = Detector(BASELINE.bins, BASELINE.counts)
    assert plain.start().live is None
    seen = plain.advance(plain.start(), _blocks(_waves(20_000, 0.9, 1)))
    assert seen.live is None
    assert (seen.tau == 1.0).all()


def test_by_hour_nothing_is_measured_live() -> None:
    values = _waves(6_000, 0.0, 4)
    hours = np.repeat([1, 2], 3_000)
    baseline = build_baseline({"x": values[:, 0]}, created="", ordered_by="t", hours=hours)
    assert baseline.detector().start().live is None


def test_what_is_kept_of_the_last_tau_changes_nothing() -> None:
    """Two streams of different dependence take turns with one detector."""
    slow, fast = _blocks(_waves(20_000, 0.95, 5)), _blocks(_waves(20_000, 0.3, 6))
    one, two = DETECTOR.start(), DETECTOR.start()
    for first in range(0, len(slow), 10):
        part = slice(first, first + 10)
        one, two = DETECTOR.advance(one, slow.part(part)), DETECTOR.advance(two, fast.part(part))
    for own, blocks in ((one, slow), (two, fast)):
        alone = BASELINE.detector()
        assert_same_evidence(own, alone.advance(alone.start(), blocks))


def test_a_clock_that_was_ahead_is_set_back() -> None:
    progress = Progress.start(BASELINE.binner, DETECTOR)
    codes = BASELINE.binner.codes(_waves(200, 0.0, 7))
    progress = progress.after(BASELINE.binner, DETECTOR, codes, np.full(200, 5_000.0))
    back = progress.up_to(1_000.0).evidence.live
    assert back is not None
    assert (back.since == 1_000.0).all()
