from __future__ import annotations

import functools

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.multivariate.classifier import FEWEST_ROWS, auc
from driftgauge.drift.multivariate.encoding import MOST_PRODUCTS, Features
from driftgauge.drift.multivariate.report import MOST_ROWS, MultivariateReport, compare_rows
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from scipy.stats import mannwhitneyu

CREATED = "2026-01-01T00:00:00Z"
CITIES = ("a", "b", "c")
TRIALS = 100


def _rows(rng: np.random.Generator, n: int, *, correlation: float = 0.7, shift: float = 0.0) -> FloatArray:
    """Return rows of two numbers that go together, one with gaps, one that does not matter, and a category."""
    first, other = rng.normal(size=(2, n))
    second = correlation * first + np.sqrt(1.0 - correlation**2) * other
    gaps = np.where(rng.random(n) < 0.1, np.nan, rng.exponential(size=n))
    city = rng.choice(3, n, p=[0.6, 0.3, 0.1]).astype(np.float64)
    return np.column_stack([first, second, gaps, rng.normal(size=n) + shift, city])


@functools.cache
def _baseline() -> Baseline:
    rows = _rows(np.random.default_rng(0), 5_000)
    return build_baseline(
        {
            **{name: rows[:, i] for i, name in enumerate(("first", "second", "gaps", "alone"))},
            "city": Categories(rows[:, 4].astype(np.int64), CITIES),
        },
        created=CREATED,
    )


def _as_held(rows: FloatArray) -> FloatArray:
    """Return rows as a monitor has them: categories as the codes of their bins."""
    held, bins = rows.copy(), _baseline().bins[4]
    held[:, 4] = np.array([bins.names.index(name) for name in CITIES])[rows[:, 4].astype(np.int64)]
    return held


def _compared(reference: FloatArray, current: FloatArray, seed: int = 0) -> MultivariateReport:
    return compare_rows(_baseline(), _as_held(reference), _as_held(current), np.random.default_rng(seed))


def test_without_drift_the_intervals_hold_chance_as_often_as_they_say() -> None:
    areas = shifts = 0
    for seed in range(TRIALS):
        rng = np.random.default_rng(seed)
        found = _compared(_rows(rng, 800), _rows(rng, 400), seed)
        assert found.separation is not None
        assert found.reconstruction is not None
        areas += found.separation.low <= 0.5 <= found.separation.high
        shifts += found.reconstruction.low <= 0.0 <= found.reconstruction.high
    assert areas >= 0.95 * TRIALS
    assert shifts >= 0.93 * TRIALS


def test_a_changed_correlation_is_found_where_every_column_is_as_it_was() -> None:
    rng = np.random.default_rng(1)
    found = _compared(_rows(rng, 2_000), _rows(rng, 2_000, correlation=0.0))
    assert found.separation is not None
    assert found.separation.low > 0.55
    assert {name for name, _ in found.columns[:2]} == {"first", "second"}
    assert found.reconstruction is not None
    assert found.reconstruction.low > 0.0
    assert found.reason.startswith("a classifier can tell the rows from the reference's, by ")


@pytest.mark.parametrize(("column", "name"), [(3, "alone"), (4, "city"), (2, "gaps")])
def test_the_column_that_changed_is_named(column: int, name: str) -> None:
    rng = np.random.default_rng(2)
    reference, current = _rows(rng, 1_500), _rows(rng, 1_500)
    if name == "alone":
        current[:, column] += 0.7
    elif name == "city":
        current[::2, column] = 2.0
    else:
        current[::2, column] = np.nan
    found = _compared(reference, current)
    assert [own for own, _ in found.columns] == [name]
    assert found.is_significant


def test_rows_of_the_same_kind_are_not_told_apart() -> None:
    rng = np.random.default_rng(3)
    found = _compared(_rows(rng, 1_500), _rows(rng, 1_500))
    assert not found.is_significant
    assert found.columns == ()
    assert found.reason.startswith("a classifier cannot tell the rows from the reference's: AUC 0.")


def test_a_larger_change_is_told_apart_better() -> None:
    found = []
    for shift in (0.0, 0.3, 0.6, 1.2, 5.0):
        rng = np.random.default_rng(4)
        report = _compared(_rows(rng, 1_000), _rows(rng, 1_000, shift=shift))
        assert report.separation is not None
        found.append(report.separation.auc)
    assert found == sorted(found)
    assert found[-1] > 0.99


def test_few_rows_are_not_compared() -> None:
    rng = np.random.default_rng(5)
    found = _compared(_rows(rng, 1_000), _rows(rng, FEWEST_ROWS - 1))
    assert (found.separation, found.reconstruction, found.columns) == (None, None, ())
    assert found.reason == f"not enough data: {FEWEST_ROWS - 1} rows and 1000 of the reference, 200 are needed"


def test_many_rows_are_drawn_from() -> None:
    rng = np.random.default_rng(6)
    found = _compared(_rows(rng, MOST_ROWS + 500), _rows(rng, MOST_ROWS + 1))
    assert (found.reference_rows, found.rows) == (MOST_ROWS, MOST_ROWS)


def test_the_same_rows_and_chance_give_the_same_report() -> None:
    rng = np.random.default_rng(7)
    sides = _rows(rng, 3_000), _rows(rng, 700)
    assert _compared(*sides, seed=1) == _compared(*sides, seed=1)


def test_the_area_is_that_of_mann_and_whitney_also_with_ties() -> None:
    rng = np.random.default_rng(8)
    scores, positive = rng.integers(0, 20, 500).astype(np.float64), rng.random(500) < 0.3
    area, variance = auc(scores, positive)
    expected = mannwhitneyu(scores[positive], scores[~positive]).statistic / positive.sum() / (~positive).sum()
    assert area == pytest.approx(float(expected))
    assert variance > 0.0


@pytest.mark.parametrize("width", [5, MOST_PRODUCTS + 1])
def test_some_features_are_those_of_all(width: int) -> None:
    owners = np.arange(width) // 2
    features, values = Features(owners), np.random.default_rng(9).normal(size=(7, width))
    whole = features(values)
    assert whole.shape[1] == width + (width * (width + 1) // 2 if width <= MOST_PRODUCTS else width)
    for column in range(int(owners.max()) + 1):
        taken = features.of_column(column)
        assert features.some(values, taken) == pytest.approx(whole[:, taken])
