from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import Bins, FloatArray, fit_categorical, fit_numeric
from driftgauge.drift.statistics.psi import CLIP, Folding, Psi, js_distance, psi, psi_clip, shares, special_codes
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from tests.effort import examples

Formula = Callable[[FloatArray, FloatArray], Psi]

unhurried = settings(deadline=None, max_examples=examples(60))

counts_of_a_column = st.lists(st.integers(0, 5_000), min_size=6, max_size=6)
pairs = st.lists(st.tuples(counts_of_a_column, counts_of_a_column), min_size=1, max_size=4)


def _naive_psi(current: Sequence[float], reference: Sequence[float]) -> tuple[float, float, int]:
    """Return psi, its noise and K by the formula, one bin after the other."""
    used = [(c, r) for c, r in zip(current, reference, strict=True) if c > 0 or r > 0]
    n, m, k = sum(c for c, _ in used), sum(r for _, r in used), len(used)
    if n == 0 or m == 0:
        return math.nan, math.nan, k
    total = 0.0
    for c, r in used:
        p, q = (c + 0.5) / (n + 0.5 * k), (r + 0.5) / (m + 0.5 * k)
        total += (p - q) * math.log(p / q)
    return total, (k - 1) * (1 / n + 1 / m), k


def _classical_psi(reference: FloatArray, current: FloatArray) -> float:
    """Compute PSI as it is widely done: ten quantile bins, ends +-inf, shares clipped, missing dropped."""
    reference, current = reference[~np.isnan(reference)], current[~np.isnan(current)]
    inner = np.quantile(reference, np.linspace(0, 1, 11)[1:-1])
    total = 0.0
    for low, high in zip([-math.inf, *inner], [*inner, math.inf], strict=True):
        q = max(sum(low < x <= high for x in reference.tolist()) / reference.size, 1e-4)
        p = max(sum(low < x <= high for x in current.tolist()) / current.size, 1e-4)
        total += (p - q) * math.log(p / q)
    return total


def _counted(bins: Bins, values: FloatArray) -> FloatArray:
    binner = Binner([bins])
    return binner.counts(binner.codes(values[:, None])).astype(np.float64)


@unhurried
@given(pairs)
def test_psi_is_the_formula(columns: list[tuple[list[int], list[int]]]) -> None:
    current, reference = (np.array(side, dtype=np.float64) for side in zip(*columns, strict=True))
    found = psi(current, reference)
    for place, (c, r) in enumerate(columns):
        value, noise, k = _naive_psi(c, r)
        assert found.psi[place] == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True)
        assert found.noise[place] == pytest.approx(noise, rel=1e-9, nan_ok=True)
        assert found.debiased[place] == pytest.approx(max(value - noise, 0.0), rel=1e-9, abs=1e-12, nan_ok=True)
        assert found.bins[place] == k


@pytest.mark.parametrize("formula", [psi, psi_clip])
def test_several_windows_at_once_are_compared_as_one_by_one(formula: Formula) -> None:
    rng = np.random.default_rng(0)
    windows = rng.integers(0, 50, (5, 3, 7)).astype(np.float64)
    reference = rng.integers(0, 500, (3, 7)).astype(np.float64)
    together = formula(windows, reference)
    for place, window in enumerate(windows):
        alone = formula(window, reference)
        np.testing.assert_array_equal(together.psi[place], alone.psi)
        np.testing.assert_array_equal(together.debiased[place], alone.debiased)
        np.testing.assert_array_equal(together.bins[place], alone.bins)


@pytest.mark.parametrize("formula", [psi, psi_clip])
def test_equal_shares_have_no_psi(formula: Formula) -> None:
    counts = np.array([[10.0, 20.0, 0.0, 70.0]])
    found = formula(counts, counts)
    assert found.psi.tolist() == [0.0]
    assert found.debiased.tolist() == [0.0]
    assert found.bins.tolist() == [3]


@pytest.mark.parametrize("formula", [psi, psi_clip])
def test_a_side_without_rows_has_no_psi(formula: Formula) -> None:
    some, none = np.array([[3.0, 4.0]]), np.zeros((1, 2))
    for found in (formula(none, some), formula(some, none), formula(none, none)):
        assert np.isnan([found.psi, found.noise, found.debiased]).all()


def test_bins_empty_on_both_sides_change_nothing() -> None:
    current, reference = np.array([[5.0, 95.0]]), np.array([[500.0, 500.0]])
    padded = psi(np.pad(current, ((0, 0), (0, 9))), np.pad(reference, ((0, 0), (0, 9))))
    assert padded.psi == pytest.approx(psi(current, reference).psi, rel=1e-12)
    assert padded.bins.tolist() == [2]


def test_without_drift_psi_is_its_noise_on_average() -> None:
    rng = np.random.default_rng(1)
    share = rng.dirichlet(np.full(10, 5.0))
    current = rng.multinomial(1_000, share, (2_000, 1)).astype(np.float64)
    reference = rng.multinomial(10_000, share, (2_000, 1)).astype(np.float64)
    drifts = [psi(c, r) for c, r in zip(current, reference, strict=True)]
    average = np.mean([d.psi for d in drifts]) / np.mean([d.noise for d in drifts])
    assert average == pytest.approx(1.0, abs=0.05)


def test_psi_of_a_clear_shift_is_near_the_classical_value() -> None:
    rng = np.random.default_rng(2)
    reference, current = rng.normal(size=10_000), rng.normal(0.5, 1.0, 10_000)
    bins = fit_numeric(reference)
    folded = Folding([bins])
    value = psi(folded(_counted(bins, current)), folded(_counted(bins, reference))).psi[0]
    assert value == pytest.approx(_classical_psi(reference, current), abs=1e-3)


def test_a_binary_feature_that_moves_from_3_to_8_percent_is_seen() -> None:
    reference, current = np.repeat([0.0, 1.0], [9_700, 300]), np.repeat([0.0, 1.0], [920, 80])
    bins = fit_numeric(reference)
    found = psi(_counted(bins, current), _counted(bins, reference))
    assert found.psi[0] == pytest.approx(0.05 * math.log(0.08 / 0.03 * 0.97 / 0.92), rel=0.02)
    assert found.debiased[0] > 0.9 * found.psi[0]


@pytest.mark.parametrize(
    ("shift", "spread", "rows", "missing"),
    [(0.0, 1.0, 1_000, 0.0), (0.5, 1.0, 1_000, 0.2), (0.0, 3.0, 50, 0.0), (9.0, 0.1, 300, 0.5), (-2.0, 0.2, 1, 0.0)],
)
def test_clip_is_the_classical_formula_on_continuous_data(
    shift: float, spread: float, rows: int, missing: float
) -> None:
    rng = np.random.default_rng(rows)
    reference, current = rng.normal(size=2_000), rng.normal(shift, spread, rows)
    reference[rng.random(2_000) < missing] = math.nan
    current[rng.random(rows) < missing] = math.nan
    bins = fit_numeric(reference)
    folded = Folding([bins])
    found = psi_clip(folded(_counted(bins, current)), folded(_counted(bins, reference)))
    assert found.psi[0] == pytest.approx(_classical_psi(reference, current), abs=1e-9)
    n, m = np.isfinite(current).sum(), np.isfinite(reference).sum()
    assert found.noise[0] == pytest.approx(9 * (1 / n + 1 / m))


def test_clip_gives_an_empty_bin_a_share_of_one_in_ten_thousand() -> None:
    found = psi_clip(np.array([[0.0, 100.0]]), np.array([[50.0, 50.0]]))
    assert found.psi[0] == pytest.approx((CLIP - 0.5) * math.log(CLIP / 0.5) + 0.5 * math.log(2))


@unhurried
@given(pairs)
def test_the_js_distance_is_scipys(columns: list[tuple[list[int], list[int]]]) -> None:
    current, reference = (np.array(side, dtype=np.float64) for side in zip(*columns, strict=True))
    found = js_distance(current, reference)
    for place, (c, r) in enumerate(columns):
        if sum(c) == 0 or sum(r) == 0:
            assert math.isnan(found[place])
        else:
            # The root of a rounding error of 1e-16 is 1e-8: so much are equal shares apart.
            assert found[place] == pytest.approx(float(jensenshannon(c, r, base=2)), rel=1e-9, abs=3e-8)


def test_the_js_distance_goes_from_the_same_to_nothing_in_common() -> None:
    counts = np.array([[30.0, 70.0, 0.0, 0.0], [1.0, 0.0, 9.0, 0.0], [3.0, 7.0, 0.0, 0.0]])
    reference = np.array([[300.0, 700.0, 0.0, 0.0], [0.0, 50.0, 0.0, 50.0], [0.0, 0.0, 1e9, 1.0]])
    assert js_distance(counts, reference) == pytest.approx([0.0, 1.0, 1.0], abs=3e-8)
    assert js_distance(reference, counts) == pytest.approx(js_distance(counts, reference))
    together = js_distance(np.stack([counts, reference]), reference)
    assert together.shape == (2, 3)
    assert together[1] == pytest.approx([0.0] * 3, abs=3e-8)


@pytest.mark.parametrize("kind", ["normal", "skewed", "heavy tails", "uniform"])
@pytest.mark.parametrize(("rows", "missing"), [(1, 0.0), (20, 0.5), (4_000, 0.0), (4_000, 0.3)])
def test_clip_is_the_classical_formula_whatever_the_distribution(kind: str, rows: int, missing: float) -> None:
    rng = np.random.default_rng([*kind.encode(), rows])
    draws: dict[str, Callable[[int], FloatArray]] = {
        "normal": lambda n: rng.normal(size=n),
        "skewed": lambda n: rng.lognormal(size=n),
        "heavy tails": lambda n: rng.standard_cauchy(n),
        "uniform": lambda n: rng.uniform(size=n),
    }
    reference, current = draws[kind](5_003), 1.2 * draws[kind](rows)
    reference[rng.random(5_003) < missing] = math.nan
    current[1:][rng.random(rows - 1) < missing] = math.nan
    bins = fit_numeric(reference)
    folded = Folding([bins])
    found = psi_clip(folded(_counted(bins, current)), folded(_counted(bins, reference)))
    assert found.psi[0] == pytest.approx(_classical_psi(reference, current), abs=1e-9)


def test_folding_moves_what_is_out_of_range_inside_and_drops_missing() -> None:
    interval, value = fit_numeric(np.arange(100.0)), fit_numeric(np.array([1.0, 2.0, 3.0]))
    category = fit_categorical([100, 90], ["a", "b"], 190)
    columns = [category, interval, value]
    width = Binner(columns).width
    counts = np.arange(1.0, 1.0 + 3 * width).reshape(3, width)
    expected = counts.copy()
    for row, bins in enumerate(columns):
        expected[row, bins.special["missing"]] = 0.0
    for row, bins in ((1, interval), (2, value)):
        first, last = bins.ordinary.start, bins.ordinary.stop - 1
        expected[row, first] += expected[row, bins.special["below"]]
        expected[row, last] += expected[row, bins.special["above"]]
        expected[row, [bins.special["below"], bins.special["above"]]] = 0.0
    np.testing.assert_array_equal(Folding(columns)(counts), expected)
    np.testing.assert_array_equal(Folding(columns)(np.stack([counts, counts]))[1], expected)


def test_folding_leaves_what_it_is_given_alone() -> None:
    counts = np.arange(13.0)[None]
    Folding([fit_numeric(np.arange(100.0))])(counts)
    assert counts.tolist() == [list(range(13))]


def test_a_reference_that_is_all_missing_has_no_bins_to_fold_into() -> None:
    bins = fit_numeric(np.full(5, math.nan))
    assert Folding([bins])(np.array([[1.0, 2.0, 3.0, 4.0]])).tolist() == [[1.0, 2.0, 3.0, 0.0]]


def test_special_codes_are_minus_one_where_a_column_has_no_such_bin() -> None:
    columns = [fit_numeric(np.arange(100.0)), fit_numeric(np.arange(2.0)), fit_categorical([100], ["a"], 100)]
    codes = special_codes(columns)
    for name, found in codes.items():
        assert found.tolist() == [b.names.index(name) if name in b.names else -1 for b in columns]
    assert codes["unseen"].tolist() == [-1, 4, 2]


def test_shares_are_those_of_the_rows() -> None:
    rng = np.random.default_rng(4)
    reference = np.round(rng.normal(size=1_000), 3)
    current = np.where(rng.random(400) < 0.1, math.nan, rng.normal(0.0, 2.0, 400))
    columns = [fit_numeric(reference), fit_numeric(np.array([0.0, 1.0])), fit_categorical([50], ["a"], 50)]
    letters = np.array(["a", "b", None])[rng.integers(0, 3, 400)]
    values = np.stack([current, rng.choice([0.0, 0.5, 1.0, -1.0], 400), columns[2].encode(letters)], axis=1)
    binner = Binner(columns)
    found = shares(binner.counts(binner.codes(values)), special_codes(columns))
    outside = (current < reference.min()) | (current > reference.max())
    assert found.missing == pytest.approx(
        [np.isnan(current).mean(), 0.0, np.mean([letter is None for letter in letters])]
    )
    assert found.unseen == pytest.approx([math.nan, (values[:, 1] == 0.5).mean(), (letters == "b").mean()], nan_ok=True)
    assert found.out_of_range == pytest.approx([outside.mean(), (values[:, 1] == -1.0).mean(), math.nan], nan_ok=True)


def test_a_window_without_rows_has_no_shares() -> None:
    columns = [fit_numeric(np.arange(2.0)), fit_categorical([50], ["a"], 50)]
    found = shares(np.zeros((2, 6), dtype=np.int64), special_codes(columns))
    assert np.isnan([found.missing, found.unseen, found.out_of_range]).all()
