"""Rows as numbers that a linear model reads."""

from __future__ import annotations

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.multivariate.encoding import MOST_CATEGORIES, Encoded, encoded
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories


def encoded_categories(*columns: list[int]) -> Encoded:
    """Return rows of columns of categories as numbers."""
    count = max(map(max, columns)) + 1
    names = tuple(f"category {code:03}" for code in range(count))
    table = {f"c{i}": Categories(np.array(own), names) for i, own in enumerate(columns)}
    baseline = build_baseline(table, created="2026-01-01T00:00:00Z")
    values: FloatArray = np.column_stack(
        [column.bins.encode(names)[table[column.name].codes] for column in baseline.columns]
    )
    return encoded(baseline, values.astype(np.int64), values, range(len(columns)))


def test_a_category_is_a_number_of_its_own() -> None:
    found = encoded_categories([0] * 60 + [1] * 30 + [2] * 10)
    assert sorted(found.values.sum(axis=0).tolist()) == [10.0, 30.0, 60.0]
    assert (found.values.sum(axis=1) == 1.0).all()


def test_of_very_many_categories_each_column_has_its_most_frequent_ones() -> None:
    width = MOST_CATEGORIES // 2
    found = encoded_categories(*[[0] * 50 + [1] * 30 + [2] * 20] * width)
    assert found.values.shape == (100, MOST_CATEGORIES)
    assert np.bincount(found.owners).tolist() == [2] * width
    assert sorted(found.values[:, :2].sum(axis=0).tolist()) == [30.0, 50.0]


def test_each_of_very_many_columns_has_a_number() -> None:
    width = MOST_CATEGORIES + 1
    found = encoded_categories(*[[0] * 6 + [1] * 4] * width)
    assert np.bincount(found.owners).tolist() == [1] * width
