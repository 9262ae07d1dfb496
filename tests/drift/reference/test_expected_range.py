from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import CodeArray, FloatArray, IntArray, fit_numeric
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.expected_range import SPANS, STEPS, WINDOWS, WINDOWS_OF_SMALLEST, expected_range
from driftgauge.drift.statistics.psi import Folding, Psi, psi, psi_clip

SMALL, MIDDLE, LARGE = 3 * STEPS, 10 * STEPS, 40 * STEPS

Formula = Callable[[IntArray], Psi]


def _reference(rows: int = WINDOWS * LARGE + 7, seed: int = 0) -> FloatArray:
    """Return rows in order of time: independent ones, slow waves and a step."""
    rng = np.random.default_rng(seed)
    time = np.arange(rows)
    wave = np.sin(time / (4 * STEPS)) + rng.normal(size=rows)
    step = np.where(time < rows // 3, 0.0, rng.integers(0, 4, rows))
    return np.stack([rng.normal(size=rows), wave, step], axis=1)


def _counted(values: FloatArray) -> tuple[Binner, CodeArray, Formula]:
    binner = Binner([fit_numeric(column) for column in values.T])
    codes = binner.codes(values)
    whole = binner.counts(codes).astype(np.float64)
    return binner, codes, lambda counts: psi(counts.astype(np.float64), whole)


def _recounted(binner: Binner, codes: CodeArray, formula: Formula, size: int, quantile: float = 1.0) -> FloatArray:
    """Return the variation, each window counted from its own slice of rows."""
    found = np.zeros(binner.columns)
    for rows in (round(size * span) for span in SPANS):
        starts = [*range(0, len(codes) - rows + 1, max(1, rows // STEPS)), len(codes) - rows]
        debiased = [formula(binner.counts(codes[start : start + rows])).debiased for start in starts]
        found = np.maximum(found, np.quantile(np.nan_to_num(debiased), quantile, axis=0))
    return found


@pytest.mark.parametrize("quantile", [1.0, 0.9, 0.5])
def test_variation_is_a_recount_of_every_window(quantile: float) -> None:
    binner, codes, formula = _counted(_reference())
    found = expected_range(binner, codes, formula, (SMALL, MIDDLE, LARGE), quantile)
    floor = np.zeros(3)
    for size in (LARGE, MIDDLE, SMALL):
        floor = np.maximum(floor, _recounted(binner, codes, formula, size, quantile))
        np.testing.assert_allclose(found[size], floor, rtol=1e-12)


@pytest.mark.parametrize("at_once", [1, 2, 7, 10_000])
def test_variation_is_the_same_in_small_lots(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    binner, codes, formula = _counted(_reference())
    monkeypatch.setattr("driftgauge.drift.reference.expected_range._BLOCKS_AT_ONCE", at_once)
    found = expected_range(binner, codes, formula, (MIDDLE,), 0.7)
    expected = _recounted(binner, codes, formula, MIDDLE, 0.7)
    np.testing.assert_allclose(found[MIDDLE], expected, rtol=1e-12)


@pytest.mark.parametrize("at_once", [1, 1_000])
def test_by_hour_each_window_is_compared_with_what_its_hours_lead_to_expect(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("driftgauge.drift.reference.expected_range._BLOCKS_AT_ONCE", at_once)
    values = _reference()
    hours = np.arange(len(values)) // 300 % 24
    values += 2.0 * np.sin(hours / 24.0 * 2.0 * np.pi)[:, None]
    table = dict(zip("abc", values.T, strict=True))
    baseline = build_baseline(table, created="", hours=hours)
    codes = baseline.binner.codes(values)
    found = expected_range(baseline.binner, codes, baseline.psi, (MIDDLE,), hours=hours)
    expected = np.zeros(3)
    for rows in (round(MIDDLE * span) for span in SPANS):
        for start in [*range(0, len(codes) - rows + 1, max(1, rows // STEPS)), len(codes) - rows]:
            window = slice(start, start + rows)
            own = np.bincount(hours[window], minlength=24)
            debiased = baseline.psi(baseline.binner.counts(codes[window]), own).debiased
            expected = np.maximum(expected, debiased)
    np.testing.assert_allclose(found[MIDDLE], expected, rtol=1e-12)
    pooled = expected_range(baseline.binner, codes, baseline.psi, (MIDDLE,))
    assert (found[MIDDLE] < 0.5 * pooled[MIDDLE]).all()
    built = build_baseline(table, created="", ordered_by="t", window_sizes=(MIDDLE,), hours=hours)
    assert [column.expected_range[MIDDLE] for column in built.columns] == pytest.approx(expected.tolist())


def test_a_window_smaller_than_a_step_slides_row_by_row() -> None:
    binner, codes, formula = _counted(_reference(rows=5 * STEPS))
    size = max(2, STEPS // 2)
    found = expected_range(binner, codes, formula, (size,))
    windows = [
        codes[start : start + rows]
        for rows in (round(size * span) for span in SPANS)
        for start in range(len(codes) - rows + 1)
    ]
    expected = np.max([formula(binner.counts(window)).debiased for window in windows], axis=0)
    np.testing.assert_allclose(found[size], expected, rtol=1e-12)


def test_the_last_window_ends_at_the_last_row() -> None:
    step = MIDDLE // STEPS
    values = np.zeros((20 * MIDDLE + step - 1, 1))
    values[1 - step :] = 1.0  # out of reach of the windows that slide by whole steps
    binner, codes, formula = _counted(values)
    found = expected_range(binner, codes, formula, (MIDDLE,))
    last = max(formula(binner.counts(codes[-round(MIDDLE * span) :])).debiased[0] for span in SPANS)
    assert found[MIDDLE][0] == pytest.approx(last, rel=1e-12)
    assert last > formula(binner.counts(codes[:MIDDLE])).debiased[0]


def test_no_size_is_given_less_than_the_next() -> None:
    for seed in range(5):
        binner, codes, formula = _counted(_reference(seed=seed))
        found = expected_range(binner, codes, formula, (LARGE, SMALL, MIDDLE, SMALL), 0.2)
        assert list(found) == [SMALL, MIDDLE, LARGE]
        assert (found[SMALL] >= found[MIDDLE]).all()
        assert (found[MIDDLE] >= found[LARGE]).all()


def test_sizes_that_the_reference_does_not_hold_often_enough_are_left_out() -> None:
    binner, codes, formula = _counted(_reference(rows=WINDOWS * MIDDLE))
    assert list(expected_range(binner, codes, formula, (SMALL, MIDDLE, MIDDLE + 1, LARGE))) == [SMALL, MIDDLE]
    smallest = len(codes) // WINDOWS_OF_SMALLEST
    assert list(expected_range(binner, codes, formula, (smallest, smallest + 1))) == [smallest]
    assert expected_range(binner, codes, formula, (smallest + 1,)) == {}


def test_fresh_windows_of_the_same_process_are_seldom_beyond_what_is_known() -> None:
    rng = np.random.default_rng(3)
    beyond = 0
    for _ in range(40):
        days = np.repeat(rng.normal(size=80), 100)[:, None]  # every hundred rows are alike
        binner, codes, formula = _counted(days + 0.5 * rng.normal(size=days.shape))
        size = len(days) // WINDOWS
        fresh = np.repeat(rng.normal(size=size // 100), 100)[:, None] + 0.5 * rng.normal(size=(size, 1))
        known = expected_range(binner, codes, formula, (100, size))
        beyond += formula(binner.counts(binner.codes(fresh))).debiased[0] > known[size][0]
    assert beyond <= 8


def test_a_size_allows_for_windows_of_a_fifth_fewer_rows() -> None:
    week = np.repeat(np.arange(7.0), 100)  # a count window is seldom a whole number of weeks
    binner, codes, formula = _counted(np.tile(week, 20)[:, None])
    found = expected_range(binner, codes, formula, (700,))
    assert formula(binner.counts(codes[:700])).debiased[0] == 0.0
    assert found[700][0] >= formula(binner.counts(codes[:560])).debiased[0] > 0.1


def test_rows_in_runs_vary_more_than_shuffled_ones() -> None:
    rng = np.random.default_rng(1)
    size = 100 // STEPS * STEPS
    values = (np.sin(np.arange(4_000) / size) + rng.normal(size=4_000))[:, None]
    shuffled = rng.permutation(values)
    in_runs, mixed = (expected_range(*_counted(rows), (size,))[size][0] for rows in (values, shuffled))
    assert in_runs > 2 * mixed


def test_a_window_without_a_value_leaves_the_variation_of_the_others() -> None:
    values = _reference()[:, 1:2]
    values[: 2 * MIDDLE] = math.nan
    bins = fit_numeric(values[:, 0])
    binner, folded = Binner([bins]), Folding([bins])
    codes = binner.codes(values)
    whole = folded(binner.counts(codes).astype(np.float64))

    def formula(counts: IntArray) -> Psi:
        return psi_clip(folded(counts.astype(np.float64)), whole)

    found = expected_range(binner, codes, formula, (MIDDLE,))
    assert found[MIDDLE][0] == pytest.approx(_recounted(binner, codes, formula, MIDDLE)[0])
