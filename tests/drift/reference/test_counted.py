"""Baselines from counts are those of the rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.drift.bins import BINS, FloatArray, fit_numeric
from driftgauge.drift.reference.build import build_baseline, reference_quantiles
from driftgauge.drift.reference.columns import Categories, column_content
from driftgauge.drift.reference.counted import (
    CategoryCounts,
    Edges,
    OrderStatistics,
    Unordinary,
    ValueCounts,
    category_column,
    heavy_values,
    inner_ranks,
    interval_bins,
    numeric_column,
    reference_ranks,
)
from hypothesis import given
from hypothesis import strategies as st

CREATED = "2026-01-31T00:00:00Z"
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(-3, 3).map(float), st.floats(0, 1).map(lambda x: x**9)
)


def rows(seed: int, size: int) -> FloatArray:
    random = np.random.default_rng(seed)
    values = random.lognormal(size=size)
    values[random.random(size) < 0.2] = 2.5
    return values


@pytest.mark.parametrize("size", [1, 2, 511, 512, 513, 4_000, 100_003])
def test_quantiles_at_ranks_are_those_of_all_values(size: int) -> None:
    values = np.sort(rows(size, size))
    ranks, bins = reference_ranks(size), fit_numeric(values)
    inside = np.zeros(bins.ordinary.stop - bins.ordinary.start, dtype=np.int64)
    statistics = OrderStatistics(ranks, values[ranks], size)
    found = numeric_column("x", size, bins, inside, Unordinary(0), (0.0, 1.0), statistics)
    assert found.quantiles == tuple(reference_quantiles(values).tolist())
    assert (found.min, found.max) == (values[0], values[-1])


@given(st.lists(numbers, min_size=1, max_size=300), st.integers(1, 40))
def test_edges_from_ranks_and_counts_are_those_of_all_values(values: list[float], times: int) -> None:
    cells = np.array(values * times)
    expected = fit_numeric(cells)
    counts = ValueCounts.of(*np.unique(cells, return_counts=True))
    if expected.rule == "value":
        assert counts.values.tolist() == list(expected.edges)
        return
    heavy = heavy_values(counts.values, counts.counts.tolist(), counts.size)
    rest = counts.without(heavy)
    inner = rest.order_statistics(inner_ranks(rest.size, max(1, BINS - heavy.size)))
    edges = Edges.of(float(counts.values[0]), float(counts.values[-1]), heavy, inner)
    bins, inside = interval_bins(edges, counts.up_to(edges.all), counts.size)
    assert bins == expected
    assert inside.sum() == len(cells)


def test_a_value_of_a_tenth_of_the_rows_is_at_several_ranks() -> None:
    values = np.sort(np.append(np.linspace(0.0, 1.0, 90_000), np.full(10_000, 0.5)))
    ranks = reference_ranks(values.size)
    assert 0.5 in OrderStatistics(ranks, values[ranks], values.size).repeated()


@given(st.lists(numbers, min_size=1, max_size=50), st.integers(1, 9))
def test_moments_of_counts_are_those_of_the_rows(values: list[float], times: int) -> None:
    cells = np.repeat(values, times)
    mean, std = ValueCounts.of(*np.unique(cells, return_counts=True)).moments()
    column = build_baseline({"x": cells}, created=CREATED).columns[0]
    scale = float(np.abs(cells).max())
    assert math.isclose(mean, column.mean, rel_tol=1e-9, abs_tol=1e-12 * scale)
    assert math.isclose(std, column.std, rel_tol=1e-6, abs_tol=1e-12 * scale)


@pytest.mark.parametrize("categories", [1, 60, 300, 12_000])
def test_a_column_of_categories_is_that_of_its_rows(categories: int) -> None:
    random = np.random.default_rng(categories)
    codes = np.append(random.zipf(1.3, 30_000) % categories, np.arange(categories))
    names = tuple(f"c{i:05}" for i in range(categories))
    expected = build_baseline({"c": Categories(codes, names)}, created=CREATED).columns[0]
    counts = np.bincount(codes, minlength=categories)
    frequent = counts >= (20 if categories > 10_050 else 0)
    found = category_column(
        "c",
        len(codes),
        CategoryCounts(counts[frequent].tolist(), np.array(names)[frequent].tolist(), 0, counts[~frequent]),
    )
    assert column_content(found) == column_content(expected)


def test_infinities_without_a_finite_value_are_in_no_ordinary_bin() -> None:
    cells = np.array([np.inf, -np.inf, np.nan])
    expected = build_baseline({"x": cells}, created=CREATED).columns[0]
    nothing = ValueCounts(np.empty(0), np.empty(0, dtype=np.int64))
    statistics = nothing.order_statistics(reference_ranks(0))
    found = numeric_column(
        "x", 3, fit_numeric(cells), nothing.counts, Unordinary(1, 1, 1), (math.nan, math.nan), statistics
    )
    assert column_content(found) == column_content(expected)
