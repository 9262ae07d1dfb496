from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.drift.scales import CLIP_SDS
from driftgauge.drift.statistics import two_sample as samples
from driftgauge.drift.statistics.two_sample import LEVELS, SampleStatistics, describe
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, wasserstein_distance

from tests.effort import examples

SMALLEST = 5e-324
LARGEST = float(np.finfo(np.float64).max)
POINTS = 512

unhurried = settings(deadline=None, max_examples=examples(60))

Generator = Callable[[np.random.Generator, int], FloatArray]


def _some(rng: np.random.Generator, values: FloatArray, share: float, other: FloatArray | float) -> FloatArray:
    """Return the values with a share of them replaced."""
    return np.where(rng.random(values.size) < share, other, values)


KINDS: dict[str, Generator] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "rounded": lambda rng, n: np.round(rng.normal(size=n), 1),
    "integer": lambda rng, n: rng.poisson(40.0, n).astype(np.float64),
    "few": lambda rng, n: rng.integers(0, 5, n).astype(np.float64),
    "binary": lambda rng, n: (rng.random(n) < 0.03).astype(np.float64),
    "zero-inflated": lambda rng, n: _some(rng, rng.exponential(size=n), 0.6, 0.0),
    "heavy tails": lambda rng, n: rng.standard_t(2, n),
    "heavier tails": lambda rng, n: rng.standard_cauchy(n),
    "skewed": lambda rng, n: rng.lognormal(0.0, 2.0, n),
    "holed": lambda rng, n: _some(rng, rng.normal(size=n), 0.3, math.nan),
    "unbounded": lambda rng, n: _some(rng, rng.normal(size=n), 0.1, rng.choice([math.inf, -math.inf, math.nan], n)),
    "open above": lambda rng, n: _some(rng, rng.normal(size=n), 0.4, math.inf),
    "huge": lambda rng, n: rng.normal(size=n) * 1e300,
    "tiny": lambda rng, n: rng.normal(size=n) * 1e-300,
    "subnormal": lambda rng, n: rng.integers(-40, 40, n).astype(np.float64) * SMALLEST,
}


UNITS = {"huge": 1e300, "tiny": 1e-300, "subnormal": 9 * SMALLEST}


def _changed(rng: np.random.Generator, kind: str, n: int) -> FloatArray:
    """Return a window unlike its reference: moved, with gaps and infinite values."""
    values = KINDS[kind](rng, n)
    finite = values[np.isfinite(values)].astype(np.longdouble)
    moved = values * 1.3 + float(0.4 * finite.std() if finite.size else 0.0)
    return _some(rng, moved, 0.1, rng.choice([math.inf, -math.inf, math.nan], n))


def _baseline(*columns: FloatArray) -> Baseline:
    return build_baseline({f"x{place}": column for place, column in enumerate(columns)}, created="")


def _compared(reference: FloatArray, window: FloatArray) -> SampleStatistics:
    return _baseline(reference).sample_comparison(window[None, :])


def _known(values: FloatArray) -> FloatArray:
    return values[~np.isnan(values)]


def _finite(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values)]


def _points(reference: FloatArray) -> FloatArray:
    """Return what is kept of a reference, by numpy: 512 quantiles, or the values themselves."""
    finite = np.sort(_finite(reference))
    if finite.size <= POINTS:
        return finite
    return np.asarray(np.quantile(finite, (np.arange(POINTS) + 0.5) / POINTS, method="hazen"))


def _weighted(reference: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the reference's points and their weights, with what is infinite at either end."""
    known, points = _known(reference), _points(reference)
    below, above = np.mean(known == -np.inf), np.mean(known == np.inf)
    weights = [below, *[(1.0 - below - above) / points.size] * points.size, above]
    return np.array([-np.inf, *points, np.inf]), np.array(weights)


def _ks(window: FloatArray, reference: FloatArray) -> float:
    """Compute KS by its definition: the largest distance of two weighted cumulative distributions."""
    values, weights = _weighted(reference)
    known = _known(window)
    cumulated = np.append(0.0, np.cumsum(weights))
    # Both only change at a value of either side.
    at = np.unique(np.concatenate([known, values]))
    ours = np.searchsorted(np.sort(known), at, side="right") / known.size
    theirs = cumulated[np.searchsorted(values, at, side="right")]
    return float(np.abs(ours - theirs).max())


def _standardised(values: FloatArray, reference: FloatArray) -> FloatArray:
    """Standardise with the reference's moments and clip to its range and ten standard deviations more."""
    own = _finite(reference).astype(np.longdouble)
    mean, std = (np.longdouble(float(moment)) for moment in (own.mean(), own.std()))
    unit = std if std > 0 else np.longdouble(1.0)
    low, high = (own.min() - mean) / unit - CLIP_SDS, (own.max() - mean) / unit + CLIP_SDS
    return np.asarray(np.clip((values.astype(np.longdouble) - mean) / unit, low, high), dtype=np.float64)


def _wasserstein(window: FloatArray, reference: FloatArray, *, full: bool = False) -> float:
    values, weights = (_known(reference), None) if full else _weighted(reference)
    ours, theirs = (_standardised(x, reference) for x in (_known(window), values))
    return float(wasserstein_distance(ours, theirs, None, weights))


# ---------------------------------------------------------------- Kolmogorov-Smirnov


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 30, 512, 513, 10_000])
def test_ks_is_scipys_against_the_points_of_the_reference(kind: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    reference = KINDS[kind](rng, rows)
    if _finite(reference).size == 0:
        reference[0] = 0.0
    bounded = not np.isinf(reference).any()
    compared = _baseline(reference).sample_comparison
    for size in (1, 7, 1_000):
        for window in (KINDS[kind](rng, size), _changed(rng, kind, size), _points(reference)):
            if _known(window).size == 0:
                continue
            found = compared(window[None, :]).ks_statistic[0]
            assert found == pytest.approx(_ks(window, reference), abs=1e-12)
            if bounded and rows > 1:
                scipys = ks_2samp(_known(window), _points(reference), method="asymp").statistic
                assert found == pytest.approx(scipys, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_ks_is_within_three_thousandths_of_the_full_references(kind: str) -> None:
    rng = np.random.default_rng(1)
    for rows in (10_000, 50_000):
        reference = KINDS[kind](rng, rows)
        compared = _baseline(reference).sample_comparison
        for window in (KINDS[kind](rng, 1_000), _changed(rng, kind, 1_000)):
            full = ks_2samp(_known(window), _known(reference), method="asymp").statistic
            assert compared(window[None, :]).ks_statistic[0] == pytest.approx(full, abs=0.003)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [2, 100, 512])
def test_of_at_most_512_rows_ks_is_the_full_references(kind: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    reference = KINDS[kind](rng, rows)
    reference[0] = 0.0  # one finite value at least
    compared = _baseline(reference).sample_comparison
    for window in (KINDS[kind](rng, 300), _changed(rng, kind, 300)):
        full = ks_2samp(_known(window), _known(reference), method="asymp").statistic
        assert compared(window[None, :]).ks_statistic[0] == pytest.approx(full, abs=1e-12)


def test_ks_sees_rows_between_the_reference_and_its_infinite_values() -> None:
    finite = np.linspace(0.0, 1.0, 5_000)
    reference = np.append(finite, np.full(5_000, math.inf))
    window = np.append(finite[::12], np.full(600, 100.0))
    full = ks_2samp(window, reference, method="asymp").statistic
    assert _compared(reference, window).ks_statistic[0] == pytest.approx(full, abs=0.003)
    mirrored = _compared(-reference, -window).ks_statistic[0]
    assert mirrored == pytest.approx(full, abs=0.003)


values = st.one_of(st.floats(), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, 1e300, SMALLEST]))
small_tables = st.lists(st.one_of(st.integers(-3, 3).map(float), values), min_size=1, max_size=40)


@unhurried
@given(small_tables, small_tables)
def test_whatever_the_values_ks_is_the_definition(reference: list[float], window: list[float]) -> None:
    theirs, ours = np.array(reference), np.array(window)
    found = _compared(theirs, ours).ks_statistic[0]
    if _finite(theirs).size == 0 or _known(ours).size == 0:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(_ks(ours, theirs), abs=1e-12)


# ---------------------------------------------------------------- Wasserstein


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [2, 30, 512, 513, 10_000])
def test_wasserstein_is_scipys_of_the_clipped_standardised_values(kind: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    reference = KINDS[kind](rng, rows)
    reference[:2] = 0.0, UNITS.get(kind, 2.0)  # never a constant
    compared = _baseline(reference).sample_comparison
    for size in (1, 7, 1_000):
        for window in (KINDS[kind](rng, size), _changed(rng, kind, size), _points(reference)):
            if _known(window).size == 0:
                continue
            found = compared(window[None, :]).wasserstein_ratio[0]
            assert found == pytest.approx(_wasserstein(window, reference), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_wasserstein_is_close_to_the_full_references(kind: str) -> None:
    rng = np.random.default_rng(1)
    for rows in (10_000, 50_000):
        reference = KINDS[kind](rng, rows)
        compared = _baseline(reference).sample_comparison
        for window in (KINDS[kind](rng, 1_000), _changed(rng, kind, 1_000)):
            full = _wasserstein(window, reference, full=True)
            # Measured over 36 windows of each kind: at most 0.0042, and 0.021 with heavy tails, most of
            # whose area lies beyond the outermost of 512 quantiles.
            tolerance = 0.03 if kind in ("heavy tails", "heavier tails", "skewed") else 0.006
            assert compared(window[None, :]).wasserstein_ratio[0] == pytest.approx(full, abs=tolerance)


def test_a_shift_of_a_continuous_column_is_its_wasserstein() -> None:
    reference = np.random.default_rng(2).normal(5.0, 3.0, 20_000)
    found = _compared(reference, _points(reference) + 1.5)
    assert found.wasserstein_ratio[0] == pytest.approx(1.5 / reference.std(), rel=1e-12)


def test_one_huge_value_moves_wasserstein_no_further_than_ten_sd_beyond_the_range() -> None:
    reference = np.random.default_rng(3).normal(size=5_000)
    window = reference[:1_000].copy()
    before = _compared(reference, window).wasserstein_ratio[0]
    window[0] = 1e300
    after = _compared(reference, window).wasserstein_ratio[0]
    assert abs(after - before) <= (np.ptp(reference) / reference.std() + CLIP_SDS) / 1_000


# ---------------------------------------------------------------- moments and quantiles


def _exact(values: FloatArray) -> tuple[float, float]:
    """Return mean and population sd by numpy, with an exponent wide enough for any of them."""
    wide = values.astype(np.longdouble)
    return float(wide.mean()), float(wide.std())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 2, 3, 100, 5_000])
def test_moments_and_quantiles_are_numpys_of_the_finite_values(kind: str, size: int) -> None:
    rng = np.random.default_rng(size)
    window = KINDS[kind](rng, size)
    finite = _finite(window)
    found = _compared(KINDS[kind](rng, 1_000), window)
    assert found.rows.tolist() == [_known(window).size]
    assert found.finite_rows.tolist() == [finite.size]
    if finite.size == 0:
        assert np.isnan([found.mean, found.std, found.min, found.max, *found.quantiles]).all()
        return
    mean, std = _exact(finite)
    scale = max(np.abs(finite).max(), SMALLEST)
    assert found.mean[0] == pytest.approx(mean, rel=1e-12, abs=max(1e-15 * scale, SMALLEST))
    assert found.std[0] == pytest.approx(std, rel=1e-9, abs=max(1e-15 * scale, SMALLEST))
    assert (found.min[0], found.max[0]) == (finite.min(), finite.max())
    expected = np.quantile(finite.astype(np.longdouble), np.array(LEVELS)).astype(np.float64)
    np.testing.assert_allclose(found.quantiles[:, 0], expected, rtol=1e-12, atol=max(1e-15 * scale, SMALLEST))


@unhurried
@given(st.lists(values, max_size=30))
def test_whatever_the_values_the_moments_are_numpys(window: list[float]) -> None:
    finite = _finite(np.array(window, dtype=np.float64))
    found = describe(np.array(window, dtype=np.float64))
    if finite.size == 0:
        assert np.isnan([found.mean, found.std, found.min, found.max]).all()
        return
    mean, std = _exact(finite)
    scale = float(np.abs(finite).max())
    assert found.mean == pytest.approx(mean, rel=1e-12, abs=max(1e-14 * scale, 2 * SMALLEST))
    assert found.std == pytest.approx(std, rel=1e-9, abs=max(1e-14 * scale, 2 * SMALLEST))
    assert (found.min, found.max) == (finite.min(), finite.max())


@pytest.mark.parametrize("value", [0.0, 0.1, -7.0, 1e300, LARGEST, -LARGEST, 1e-300, SMALLEST])
def test_a_constant_is_its_own_mean_and_quantile_and_has_no_sd(value: float) -> None:
    found = _compared(np.full(700, value), np.full(33, value))
    assert found.mean[0] == pytest.approx(value, rel=1e-15)
    assert found.std[0] <= 1e-15 * abs(value)
    assert [found.min[0], found.max[0], *found.quantiles[:, 0]] == [value] * 5
    assert found.ks_statistic.tolist() == [0.0]
    # A constant reference has no sd to measure in.
    assert np.isnan([found.mean_shift[0], found.wasserstein_ratio[0]]).all()


def test_a_constant_that_changes_has_ks_one() -> None:
    found = _compared(np.full(700, 2.0), np.full(33, 3.0))
    assert found.ks_statistic.tolist() == [1.0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_shift_is_in_the_references_sd(kind: str) -> None:
    rng = np.random.default_rng(4)
    reference, window = KINDS[kind](rng, 2_000), _changed(rng, kind, 500)
    mean, std = _exact(_finite(reference))
    shift = (_exact(_finite(window))[0] - np.longdouble(mean)) / np.longdouble(std)
    # Numbers near the smallest have few digits: their moments are rounded to a whole number of it.
    tolerance = 1e-9 if kind != "subnormal" else 0.05
    assert _compared(reference, window).mean_shift[0] == pytest.approx(float(shift), rel=tolerance, abs=tolerance)


def test_rows_that_are_none_say_nothing() -> None:
    found = _baseline(np.arange(30.0), np.arange(30.0)).sample_comparison(np.empty((2, 0)))
    assert found.rows.tolist() == found.finite_rows.tolist() == [0, 0]
    assert np.isnan([found.mean, found.std, found.min, found.max, found.ks_statistic]).all()
    assert np.isnan([found.mean_shift, found.wasserstein_ratio, *found.quantiles]).all()
    assert found.quantiles.shape == (len(LEVELS), 2)


@pytest.mark.parametrize("reference", [[math.nan] * 3, [math.inf] * 3, [math.nan, -math.inf]])
def test_a_reference_without_a_finite_value_leaves_the_moments(reference: list[float]) -> None:
    found = _compared(np.array(reference), np.array([1.0, 2.0, math.nan]))
    assert (found.mean[0], found.min[0], found.max[0], found.rows[0]) == (1.5, 1.0, 2.0, 2)
    assert np.isnan([found.ks_statistic[0], found.wasserstein_ratio[0], found.mean_shift[0]]).all()


@pytest.mark.parametrize("window", [[math.nan] * 5, [math.nan]])
def test_a_window_that_is_all_missing_says_nothing(window: list[float]) -> None:
    found = _compared(np.arange(30.0), np.array(window))
    assert found.rows.tolist() == [0]
    assert np.isnan([found.mean[0], found.std[0], found.ks_statistic[0], found.wasserstein_ratio[0]]).all()


# ---------------------------------------------------------------- many columns


def _fields(found: SampleStatistics) -> dict[str, Any]:
    return {name: value[None] if value.ndim == 1 else value for name, value in vars(found).items()}


def _assert_same(together: SampleStatistics, alone: Sequence[SampleStatistics]) -> None:
    for name, value in _fields(together).items():
        for place, one in enumerate(alone):
            np.testing.assert_allclose(value[:, place], _fields(one)[name][:, 0], rtol=1e-12, atol=0, err_msg=name)


def test_more_cells_than_fit_at_once_are_compared_as_one_column_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    kinds = [*KINDS] * 3
    references = [KINDS[kind](rng, 3_000) for kind in kinds]
    window = np.stack([_changed(rng, kind, 300) for kind in kinds], axis=1)
    alone = [_compared(reference, window[:, place]) for place, reference in enumerate(references)]
    comparison = _baseline(*references).sample_comparison
    for cells in (1, 300, 1_000, window.size + 1):
        monkeypatch.setattr(samples, "_CELLS_AT_ONCE", cells)
        _assert_same(comparison(window.T), alone)


def test_columns_in_any_order_say_the_same_and_categories_nothing() -> None:
    rng = np.random.default_rng(6)
    table: dict[str, FloatArray | Categories] = {kind: KINDS[kind](rng, 800) for kind in KINDS}
    table["letter"] = Categories(rng.integers(0, 3, 800), ("a", "b", "c"))
    table["word"] = Categories(rng.integers(-1, 2, 800), ("no", "yes"))
    window = {
        name: _changed(rng, name, 200) if name in KINDS else rng.integers(0, 2, 200).astype(np.float64)
        for name in table
    }
    alone = {kind: _compared(np.asarray(table[kind]), window[kind]) for kind in KINDS}
    for order in (list(table), list(table)[::-1], rng.permutation(list(table)).tolist()):
        baseline = build_baseline({name: table[name] for name in order}, created="")
        found = baseline.sample_comparison(np.stack([window[name] for name in order]))
        numeric = [place for place, name in enumerate(order) if name in KINDS]
        _assert_same(_only(found, numeric), [alone[order[place]] for place in numeric])
        for place in set(range(len(order))) - set(numeric):
            nothing = _only(found, [place])
            assert nothing.rows.tolist() == nothing.finite_rows.tolist() == [0]
            assert all(np.isnan(values).all() for name, values in vars(nothing).items() if "rows" not in name)


def test_distances_alone_are_those_of_the_full_comparison() -> None:
    rng = np.random.default_rng(8)
    comparison = _baseline(*(KINDS[kind](rng, 800) for kind in KINDS)).sample_comparison
    window = np.stack([_changed(rng, kind, 300) for kind in KINDS])
    ks = np.arange(len(KINDS)) % 3 == 0
    wasserstein = np.arange(len(KINDS)) % 3 == 1
    whole, found = comparison(window), comparison.distances(window, ks, wasserstein)
    np.testing.assert_array_equal(found.ks_statistic, np.where(ks, whole.ks_statistic, np.nan))
    np.testing.assert_array_equal(found.wasserstein_ratio, np.where(wasserstein, whole.wasserstein_ratio, np.nan))
    np.testing.assert_array_equal(found.rows, np.where(ks | wasserstein, whole.rows, 0))
    assert np.isnan(found.mean).all()


def _only(found: SampleStatistics, places: list[int]) -> SampleStatistics:
    return SampleStatistics(**{name: values[..., places] for name, values in vars(found).items()})


# ---------------------------------------------------------------- from sums


@unhurried
@given(st.sampled_from([*KINDS]), st.integers(0, 100), st.integers(0, 60))
def test_sums_tell_the_moments_of_the_clipped_values(kind: str, seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    reference, window = KINDS[kind](rng, 500), _changed(rng, kind, size)
    reference[0] = 0.0
    baseline = _baseline(reference)
    clipped = _standardised(_known(window), reference).astype(np.longdouble)
    sums = np.array([[float(clipped.sum())], [float((clipped**2).sum())]])
    found = baseline.sample_comparison.of_sums(np.array([clipped.size]), sums)
    assert found.rows.tolist() == found.finite_rows.tolist() == [clipped.size]
    untold = [found.min, found.max, found.ks_statistic, found.wasserstein_ratio, *found.quantiles]
    assert np.isnan(untold).all()
    if clipped.size == 0:
        assert np.isnan([found.mean, found.std, found.mean_shift]).all()
        return
    mean, std = _exact(_finite(reference))
    unit = np.longdouble(std if std > 0 else 1.0)
    # The variance is a difference of two sums: what it loses is what the larger of them holds.
    lost = float(unit) * 1e-7 * max(1.0, abs(float(clipped.mean())))
    assert found.mean[0] == pytest.approx(float(mean + unit * clipped.mean()), rel=1e-9, abs=float(unit) * 1e-12)
    assert found.std[0] == pytest.approx(float(unit * clipped.std()), rel=1e-7, abs=max(lost, SMALLEST))
    if std > 0:
        assert found.mean_shift[0] == pytest.approx(float(clipped.mean()), rel=1e-12, abs=1e-12)
    else:
        assert math.isnan(found.mean_shift[0])


def test_sums_of_categories_say_nothing() -> None:
    table: dict[str, FloatArray | Categories] = {
        "x": np.arange(30.0),
        "c": Categories(np.array([0, 1] * 15), ("a", "b")),
    }
    found = build_baseline(table, created="").sample_comparison.of_sums(np.array([2, 2]), np.zeros((2, 2)))
    assert found.rows.tolist() == [2, 0]
    assert found.mean.tolist() == pytest.approx([14.5, math.nan], nan_ok=True)
    assert np.isnan([found.std[1], found.mean_shift[1]]).all()
