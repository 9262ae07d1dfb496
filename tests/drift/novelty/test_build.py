"""Rows of the reference are scored as if they had not been in it."""

from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.novelty.build import MOST_NUMERIC, left_out, reference_novelty
from driftgauge.drift.novelty.novelty import packed, unpacked
from driftgauge.drift.novelty.scorer import RowScorer
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table


def baseline_of(table: Table) -> Baseline:
    return build_baseline(table, created="2026-01-01T00:00:00Z")


def test_a_left_out_distance_is_that_of_a_covariance_without_the_row() -> None:
    rows = np.random.default_rng(0).standard_t(5, size=(40, 4))
    mean, covariance = rows.mean(axis=0), np.cov(rows.T, bias=True)
    squared = np.einsum("ij,jk,ik->i", rows - mean, np.linalg.inv(covariance), rows - mean)
    expected = []
    for index, row in enumerate(rows):
        others = np.delete(rows, index, axis=0)
        off = row - others.mean(axis=0)
        expected.append(off @ np.linalg.inv(np.cov(others.T, bias=True)) @ off)
    assert left_out(squared, len(rows)) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("rows", [200, 2_000])
def test_fresh_rows_are_outliers_about_as_often_as_the_reference_says(rows: int) -> None:
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(20):
        reference = rng.normal(size=(rows, 10))
        table = {f"c{index}": reference[:, index].copy() for index in range(10)}
        baseline = baseline_of(table)
        found = reference_novelty(table, baseline.columns, quantile=0.95)
        assert found is not None
        fresh = RowScorer(baseline.columns, found.covariance).scores(rng.normal(size=(2_000, 10)))
        shares.append((fresh > found.threshold).mean())
    assert np.mean(shares) == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("gaps", [0.0, 0.02])
@pytest.mark.parametrize(("rows", "categories"), [(100, 20), (2_000, 40)])
def test_fresh_rows_of_categories_are_outliers_about_as_often_as_those_of_the_reference(
    rows: int, categories: int, gaps: float
) -> None:
    names, rng = tuple(f"k{i}" for i in range(categories)), np.random.default_rng(4)

    def draw(n: int) -> Table:
        own: Table = {f"c{i}": Categories(rng.integers(0, categories, n), names) for i in range(5)}
        return {**own, "x": np.where(rng.random(n) < gaps, np.nan, rng.normal(size=n))}

    shares = []
    for _ in range(20):
        table, live = draw(rows), draw(4_000)
        columns = baseline_of(table).columns
        found = reference_novelty(table, columns)
        assert found is not None
        cells = [
            own.bins.encode(names)[data.codes] if isinstance(data := live[own.name], Categories) else data
            for own in columns
        ]
        shares.append((RowScorer(columns, found.covariance).scores(np.stack(cells, axis=1)) > found.threshold).mean())
    assert np.mean(shares) < 1.5 / rows + 0.001


def test_the_threshold_is_the_quantile_and_marks_the_rest() -> None:
    rng = np.random.default_rng(2)
    table: Table = {"x": rng.normal(size=10_000), "c": Categories(rng.integers(0, 3, 10_000), ("a", "b", "c"))}
    found = reference_novelty(table, baseline_of(table).columns)
    assert found is not None
    assert found.outliers.sum() == pytest.approx(10, abs=1)
    assert set(found.outliers) == {0.0, 1.0}


def test_a_small_reference_has_no_outliers() -> None:
    table = {"x": np.random.default_rng(3).normal(size=100)}
    found = reference_novelty(table, baseline_of(table).columns)
    assert found is not None
    assert found.outliers.sum() == 0


def test_a_reference_of_one_row_and_one_of_constants_can_be_scored() -> None:
    for table in ({"x": np.array([3.0])}, {"x": np.full(50, 3.0), "y": np.full(50, np.nan)}):
        found = reference_novelty(table, baseline_of(table).columns)
        assert found is not None
        assert np.isfinite(found.scores).all()


def test_a_table_of_too_many_numbers_has_no_scores() -> None:
    table = {f"c{index}": np.arange(3.0) for index in range(MOST_NUMERIC + 1)}
    assert reference_novelty(table, baseline_of(table).columns) is None


def test_a_packed_covariance_is_unpacked_again() -> None:
    for size in range(4):
        matrix = np.cov(np.random.default_rng(size).normal(size=(size + 1, 9))).reshape(size + 1, size + 1)
        assert unpacked(packed(matrix)) == pytest.approx(matrix, abs=1e-9)
    assert unpacked(()).shape == (0, 0)
