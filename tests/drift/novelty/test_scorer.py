"""The score of a row is what scikit-learn and SciPy say of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.novelty.build import reference_novelty
from driftgauge.drift.novelty.scorer import LEAST_VARIANCE, RowScorer, surprises
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table
from scipy.spatial.distance import mahalanobis
from scipy.stats import chi2
from sklearn.covariance import EmpiricalCovariance
from sklearn.datasets import load_breast_cancer, load_iris, load_wine


def baseline_of(table: Table) -> Baseline:
    return build_baseline(table, created="2026-01-01T00:00:00Z")


def numbers(rows: FloatArray) -> dict[str, FloatArray]:
    return {f"c{index}": rows[:, index].copy() for index in range(rows.shape[1])}


def scorer_of(table: Table) -> tuple[Baseline, RowScorer]:
    baseline = baseline_of(table)
    found = reference_novelty(table, baseline.columns)
    assert found is not None
    return baseline, RowScorer(baseline.columns, found.covariance)


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_the_score_is_the_mahalanobis_distance_of_scikit_learn(load: object) -> None:
    rows = load().data  # type: ignore[operator]
    scorer = scorer_of(numbers(rows))[1]
    standardised = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    expected = EmpiricalCovariance().fit(standardised).mahalanobis(standardised) ** 0.5
    assert scorer.scores(rows) == pytest.approx(expected, rel=1e-4)


def test_one_row_has_the_score_that_it_has_in_a_batch_and_in_scipy() -> None:
    rows = load_wine().data
    scorer = scorer_of(numbers(rows))[1]
    found = scorer.scores(rows)
    inverse = np.linalg.inv(np.cov(rows.T, bias=True))
    for index in range(0, len(rows), 17):
        assert scorer.scores(rows[index : index + 1])[0] == pytest.approx(found[index], rel=1e-9)
        assert found[index] == pytest.approx(mahalanobis(rows[index], rows.mean(axis=0), inverse), rel=1e-5)


def test_many_rows_are_scored_as_a_few() -> None:
    rows = np.random.default_rng(0).normal(size=(5_000, 3))
    scorer = scorer_of(numbers(rows))[1]
    assert scorer.scores(rows) == pytest.approx(np.concatenate([scorer.scores(part) for part in np.split(rows, 50)]))


def test_squared_scores_of_a_normal_distribution_follow_chi_squared() -> None:
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(6, 6))
    scorer = scorer_of(numbers(rng.normal(size=(50_000, 6)) @ mixing + 100.0))[1]
    fresh = scorer.scores(rng.normal(size=(50_000, 6)) @ mixing + 100.0)
    for level in (0.5, 0.9, 0.99):
        assert (fresh**2 <= chi2(6).ppf(level)).mean() == pytest.approx(level, abs=0.01)


def test_a_value_far_away_is_clipped_ten_standard_deviations_beyond_the_range() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=1_000)
    scorer = scorer_of({"x": values})[1]
    limit = (values.max() - values.mean()) / values.std() + 10.0
    for far in (1e6, 1e300, math.inf):
        assert scorer.scores(np.array([[far]]))[0] == pytest.approx(limit)


def test_values_at_the_end_of_all_numbers_are_outliers_and_no_errors() -> None:
    rng = np.random.default_rng(3)
    scorer = scorer_of(numbers(rng.normal(size=(500, 2)) * (1e308 / 6)))[1]
    found = scorer.scores(np.array([[1.7e308, -1.7e308], [0.0, 0.0], [-math.inf, math.inf]]))
    assert np.isfinite(found).all()
    assert found[1] < 1.0 < found[0] <= found[2]


def test_a_missing_number_counts_as_the_mean_and_adds_its_surprise() -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(1_000, 2))
    rows[:100, 0] = math.nan
    scorer = scorer_of(numbers(rows))[1]
    mean = float(np.nanmean(rows[:, 0]))
    gap, filled = scorer.scores(np.array([[math.nan, 0.5], [mean, 0.5]]))
    assert gap**2 == pytest.approx(filled**2 + 2.0 * math.log(900.5 / 100.5))


def test_a_number_that_was_never_missing_surprises_more_than_one_that_often_was() -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(1_000, 2))
    rows[:500, 1] = math.nan
    scorer = scorer_of(numbers(rows))[1]
    often, never = scorer.scores(np.array([[0.0, math.nan], [math.nan, 0.0]]))
    assert often < 0.2
    assert never > 3.5


def test_categories_add_their_surprise_and_an_unseen_one_the_most() -> None:
    codes = np.repeat(np.arange(3), (700, 290, 10))
    table: Table = {"c": Categories(codes, ("a", "b", "rare"))}
    baseline, scorer = scorer_of(table)
    bins = baseline.bins[0]
    cells = bins.encode(["a", "b", "rare", "new", None])[:, None]
    found = scorer.scores(cells)
    shares = np.array(baseline.columns[0].counts) + 0.5
    assert found[0] == 0.0
    assert found[1] == pytest.approx(math.sqrt(2.0 * math.log(700.5 / 290.5)))
    assert found[3] == pytest.approx(math.sqrt(2.0 * math.log(700.5 / shares[bins.special["unseen"]])))
    assert found[4] == found.max()
    assert (np.diff(found[:4]) > 0).all()
    assert surprises(baseline.columns[0]).min() == 0.0


def test_numbers_and_categories_add_up_whatever_their_order() -> None:
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 2, 500)
    x, y = rng.normal(size=500), rng.normal(size=500)
    mixed: Table = {"x": x, "c": Categories(codes, ("a", "b")), "y": y}
    baseline, scorer = scorer_of(mixed)
    cells = np.stack([x, baseline.bins[1].encode([("a", "b")[code] for code in codes]), y], axis=1)
    apart = scorer_of({"x": x, "y": y})[1].scores(cells[:, [0, 2]])
    own = surprises(baseline.columns[1])[cells[:, 1].astype(int)]
    assert scorer.scores(cells) == pytest.approx(np.sqrt(apart**2 + 2.0 * own))


def test_a_broken_dependence_of_columns_is_far_although_each_value_is_ordinary() -> None:
    x = np.random.default_rng(7).normal(size=1_000)
    scorer = scorer_of({"x": x, "double": 2.0 * x})[1]
    kept, broken = scorer.scores(np.array([[1.0, 2.0], [1.0, 1.0]]))
    assert kept < 1.5
    assert broken > 0.1 / LEAST_VARIANCE**0.5


def test_further_columns_of_a_row_are_ignored() -> None:
    rows = np.random.default_rng(8).normal(size=(200, 3))
    scorer = scorer_of(numbers(rows[:, :2]))[1]
    assert scorer.scores(rows) == pytest.approx(scorer.scores(rows[:, :2]))
