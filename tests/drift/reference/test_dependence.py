from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import BoolArray, FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.reference.dependence import BATCHES, LARGEST_TAU, SIMILAR, dependence, smallest_silent_tau
from driftgauge.drift.verdict.wording import notes
from driftgauge.drift.windows.blocks import Blocks, block_ends, counted_blocks

from tests.references import normal_scores

ROWS = 40_000


def _ar(phi: float, rows: int = ROWS, seed: int = 0) -> FloatArray:
    """Return rows each of which remembers so much of the one before, with a variance of 1."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(rows)
    values = np.empty(rows)
    values[0] = noise[0]
    for row in range(1, rows):
        values[row] = phi * values[row - 1] + np.sqrt(1.0 - phi**2) * noise[row]
    return values


def _built(values: FloatArray | Categories, hours: IntArray | None = None) -> Baseline:
    return build_baseline({"x": values}, created="", ordered_by="time", hours=hours)


def _tau(values: FloatArray | Categories, hours: IntArray | None = None) -> float:
    tau = _built(values, hours).columns[0].tau
    assert tau is not None
    return tau


@pytest.mark.parametrize("phi", [0.5, 0.8])
def test_tau_is_the_variance_ratio_of_a_hundred_means(phi: float) -> None:
    values = _ar(phi)
    column = _built(values).columns[0]
    scores = normal_scores(column)
    z = scores[np.searchsorted(column.bins.edges, values, side="left")]
    means = z.reshape(BATCHES, -1).mean(axis=1)
    assert column.tau == pytest.approx(means.var(ddof=1) * (ROWS // BATCHES) / z.var(), rel=1e-9)


@pytest.mark.parametrize(("phi", "longrun"), [(0.5, 3.0), (0.9, 19.0)])
def test_tau_comes_near_the_variance_of_long_means_over_that_of_independent_rows(phi: float, longrun: float) -> None:
    found = np.mean([_tau(_ar(phi, seed=seed)) for seed in range(10)])
    assert 0.75 * longrun < found < 1.15 * longrun  # of ten bins, a mean remembers a little less than of the values


def _expected_live_tau(values: FloatArray, hours: IntArray | None = None) -> float | None:
    return _built(values, hours).columns[0].expected_live_tau


def test_a_reference_accounts_for_the_tau_that_its_own_rows_show_at_a_smaller_scale() -> None:
    day = np.sin(2.0 * np.pi * np.arange(ROWS) / 200.0)
    values = day + 0.3 * _ar(0.0)
    known = _expected_live_tau(values)
    assert known is not None
    assert 8.0 * _tau(values) < known <= ROWS / BATCHES
    assert _expected_live_tau(_ar(0.0)) == SIMILAR
    assert _expected_live_tau(values, np.arange(ROWS) // 200 % 24) is None


def test_a_short_reference_accounts_for_no_dependence_longer_than_its_batches() -> None:
    assert _expected_live_tau(_ar(0.99, 5_000)) == 5_000 / BATCHES


def test_tau_of_independent_rows_is_hardly_more_than_one() -> None:
    rng = np.random.default_rng(0)
    found = [_tau(rng.standard_normal(10_000)) for _ in range(30)]
    assert np.mean(found) < 1.15
    assert max(found) < 1.6
    names = tuple("abcdefgh")
    found = [_tau(Categories(rng.integers(0, 8, 10_000), names)) for _ in range(30)]
    assert np.mean(found) < 1.1


def test_runs_of_a_category_are_dependence_too() -> None:
    rng = np.random.default_rng(0)
    runs = np.repeat(rng.integers(0, 5, ROWS // 40), 40)
    assert 25.0 < _tau(Categories(runs, tuple("abcde"))) < 60.0


def test_so_are_stretches_of_missing_values_in_an_otherwise_independent_column() -> None:
    rng = np.random.default_rng(0)
    missing = np.repeat(rng.random(ROWS // 20) < 0.02, 20)
    values = np.where(missing, np.nan, rng.standard_normal(ROWS))
    assert 12.0 < _tau(values) < 30.0


def test_hours_take_a_daily_cycle_off() -> None:
    rng = np.random.default_rng(0)
    hours = (np.arange(ROWS) * 24 // 2_000) % 24  # twenty days
    cycle = rng.standard_normal(ROWS) + 0.7 * np.sin(hours / 24 * 2 * np.pi)
    pooled, by_hour = _built(cycle).columns[0], _built(cycle, hours).columns[0]
    assert pooled.tau is not None
    assert by_hour.tau is not None
    assert pooled.tau > 40.0
    assert by_hour.tau < 1.6
    assert not by_hour.trending


def test_hours_with_too_few_rows_are_told_with_the_whole_reference_as_they_are_compared() -> None:
    rng = np.random.default_rng(0)
    hours = np.where(np.arange(6_000) % 600 < 300, 9, (np.arange(6_000) * 24 // 2_000) % 24)
    cycle = rng.standard_normal(6_000) + np.sin(np.arange(6_000) / 600 * 2 * np.pi)
    baseline = _built(cycle, hours)
    column = baseline.columns[0]
    few = [hour for hour in range(24) if (hours == hour).sum() < 200]
    assert baseline.hours_with_few_rows == few
    assert 9 not in few
    codes = baseline.binner.codes(cycle[:, None])
    scores = np.nan_to_num(normal_scores(column))[None]
    told = dependence(baseline.binner, codes, scores, np.where(np.isin(hours, few), 23, hours))
    own = dependence(baseline.binner, codes, scores, hours)
    assert told is not None
    assert own is not None
    # They are not given a mean of their own, as they are where they are one hour of many rows.
    assert own.tau[0] > told.tau[0]


def test_a_short_reference_shows_long_dependence_too() -> None:
    found = np.array([_tau(_ar(0.9, 1_000, seed)) for seed in range(30)])
    assert (found > 10.0).all()  # of 10 rows, the length of a hundred stretches, the truth is 7
    assert np.median(found) < 30.0


def test_a_trend_is_told_from_dependence() -> None:
    rng = np.random.default_rng(0)
    trend = rng.standard_normal(ROWS) + np.linspace(0.0, 1.0, ROWS)
    assert _built(trend).columns[0].trending
    assert not _built(_ar(0.9)).columns[0].trending
    # Nor in a short one, whose short stretches are like their neighbours.
    assert sum(_built(_ar(0.9, 1_000, seed)).columns[0].trending for seed in range(20)) <= 4
    assert not _built(rng.standard_normal(ROWS)).columns[0].trending


def test_tau_is_capped() -> None:
    steps = np.repeat(np.arange(4.0), 50_000)
    assert _tau(steps) == LARGEST_TAU


@pytest.mark.parametrize("rows", [1, 5, 499])
def test_too_few_rows_say_nothing_of_dependence(rows: int) -> None:
    baseline = _built(np.random.default_rng(0).standard_normal(rows))
    assert baseline.columns[0].tau is None
    assert [note for note in notes(baseline) if "too few rows to estimate autocorrelation" in note]


def test_without_times_nobody_knows_tau() -> None:
    baseline = build_baseline({"x": _ar(0.9)}, created="")
    assert baseline.columns[0].tau is None
    assert baseline.tau.tolist() == [1.0]


def test_columns_are_told_apart() -> None:
    table = {"slow": _ar(0.9), "fast": _ar(0.0), "constant": np.ones(ROWS), "empty": np.full(ROWS, np.nan)}
    baseline = build_baseline(table, created="", ordered_by="time")
    alone = {name: _tau(values) for name, values in table.items()}
    assert baseline.tau.tolist() == list(alone.values())
    assert alone["constant"] == alone["empty"] == 1.0


def test_the_same_numbers_whatever_the_rows_at_once() -> None:
    values = np.stack([_ar(0.9), _ar(0.3)], axis=1)
    baseline = build_baseline({"a": values[:, 0], "b": values[:, 1]}, created="", ordered_by="time")
    codes = baseline.binner.codes(values)
    scores = np.stack([normal_scores(column) for column in baseline.columns])
    scores = np.nan_to_num(scores)
    hours = np.arange(ROWS) % 7
    told = dependence(baseline.binner, codes, scores, None)
    assert told is not None
    one_hour = dependence(baseline.binner, codes, scores, np.full(ROWS, 5))
    by_hour = dependence(baseline.binner, codes, scores, hours)
    assert one_hour is not None
    assert by_hour is not None
    np.testing.assert_allclose(told.tau, one_hour.tau, rtol=1e-12)
    assert (by_hour.tau > 1.0).all()


# ---------------------------------------------------------------- the reference itself is quiet


def _replayed(baseline: Baseline, values: FloatArray) -> Blocks:
    ends, hours = block_ends(0, len(values), 50)
    return counted_blocks(baseline.binner, baseline.binner.codes(values[:, None]), ends, hours, ends.astype(np.float64))


@pytest.mark.parametrize("seed", range(3))
def test_a_reference_in_its_own_order_raises_no_evidence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Weather: spells of very different lengths, and a drift through the season.
    spells = np.repeat(rng.standard_normal(200), rng.integers(1, 400, 200))
    values = spells + 0.3 * rng.standard_normal(len(spells)) + np.linspace(0.0, 1.0, len(spells))
    baseline = _built(values)
    blocks = _replayed(baseline, values)
    detector = baseline.detector()
    assert (detector.peaks([blocks]) < detector.start().threshold).all()
    unaware = build_baseline({"x": values}, created="").detector()
    assert (unaware.peaks([blocks]) >= unaware.start().threshold).all()


def test_tau_is_raised_only_as_far_as_a_column_needs_it() -> None:
    needed = np.array([1.0, 3.0, 100.0, 5_000.0])
    asked: list[FloatArray] = []

    def raises(tau: FloatArray) -> BoolArray:
        asked.append(tau)
        return tau < needed

    found = smallest_silent_tau(np.array([1.0, 2.0, 2.0, 2.0]), raises)
    assert found[0] == 1.0
    assert 3.0 <= found[1] < 3.3
    assert 100.0 <= found[2] < 110.0
    assert found[3] == LARGEST_TAU
    assert len(asked) < 20
