from __future__ import annotations

import math

import numpy as np
from driftgauge.drift.attribution.partial_dependence import MOST_POINTS, points_of
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, ColumnBaseline

NONE = np.array([])


def numbers(values: np.ndarray) -> ColumnBaseline:
    return build_baseline({"x": values}, created="2026-01-01T00:00:00Z").columns[0]


def letters(counts: dict[str, int]) -> ColumnBaseline:
    codes = np.repeat(np.arange(len(counts)), list(counts.values()))
    return build_baseline({"x": Categories(codes, tuple(counts))}, created="2026-01-01T00:00:00Z").columns[0]


def test_without_live_values_the_points_span_the_central_range() -> None:
    values = np.random.default_rng(0).normal(size=5_000)
    points = points_of(numbers(values), NONE, takes_missing=False)
    assert len(points) == MOST_POINTS - 1
    assert np.allclose([points[0].value, points[-1].value], np.quantile(values, (0.01, 0.99)), atol=0.05)
    assert not any(point.is_new for point in points)


def test_the_new_part_of_a_range_has_points_of_its_own() -> None:
    rng = np.random.default_rng(0)
    column = numbers(rng.normal(size=5_000))
    points = points_of(column, rng.normal(1_000.0, 1.0, 500), takes_missing=False)
    new = [point.value for point in points if point.is_new]
    assert len(points) == MOST_POINTS - 1
    assert len(new) == 8
    assert 1_000.0 < max(new) < 1_004.0
    assert min(new) > 2.0
    both = points_of(column, np.concatenate([rng.normal(-50, 1, 500), rng.normal(50, 1, 500)]), takes_missing=False)
    assert [sum(point.is_new and sign * point.value > 0 for point in both) for sign in (-1, 1)] == [4, 4]
    assert [point.value for point in both] == sorted(point.value for point in both)


def test_points_of_whole_numbers_are_whole_and_distinct() -> None:
    points = points_of(numbers(np.arange(3_000) % 7 * 1.0), NONE, takes_missing=False)
    assert [point.value for point in points] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_missing_has_a_point_where_it_occurs_and_the_model_takes_it() -> None:
    values = np.random.default_rng(0).normal(size=1_000)
    live = np.where(np.arange(100) % 2 == 0, np.nan, 0.0)
    points = points_of(numbers(values), live, takes_missing=True)
    assert math.isnan(points[-1].value)
    assert points[-1].is_new
    assert len(points) <= MOST_POINTS
    assert not any(math.isnan(point.value) for point in points_of(numbers(values), live, takes_missing=False))
    assert not any(math.isnan(point.value) for point in points_of(numbers(values), NONE, takes_missing=True))


def test_categories_are_in_the_order_of_their_rows_and_a_rare_one_that_grew_is_new() -> None:
    column = letters({"a": 5_000, "b": 4_900, "c": 30})
    code = column.bins.category_code("c")
    points = points_of(column, np.full(100, float(code)), takes_missing=False)
    assert [(point.name, point.is_new) for point in points] == [("c", True), ("a", False), ("b", False)]
    quiet = points_of(column, NONE, takes_missing=False)
    assert [(point.name, point.is_new) for point in quiet] == [("a", False), ("b", False), ("c", False)]


def test_a_column_without_values_has_no_points() -> None:
    assert points_of(numbers(np.full(100, np.nan)), NONE, takes_missing=False) == ()
