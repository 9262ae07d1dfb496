from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.columns import Categories
from driftgauge.models.creation.column_warnings import FEWEST_ROWS, MOST_ROWS, column_warnings

ROWS = 400
RNG = np.random.default_rng(0)
YES = Categories(RNG.integers(0, 2, ROWS), ("no", "yes"))
PRICE = np.exp(RNG.normal(size=ROWS))


def named(column: FloatArray | Categories, target: FloatArray | Categories = YES) -> str:
    return "; ".join(column_warnings({"column": column}, target))


def texts(count: int) -> Categories:
    return Categories(np.arange(ROWS) % count, tuple(f"t{i:04}" for i in range(count)))


@pytest.mark.parametrize(
    "column",
    [
        np.arange(ROWS) + 5.0,
        RNG.permutation(ROWS) * 7.0,
        texts(ROWS),
        np.where(np.arange(ROWS) < 9, 0, np.arange(ROWS)),
    ],
)
def test_a_column_with_almost_as_many_values_as_rows_is_likely_an_id(column: FloatArray | Categories) -> None:
    assert named(column).startswith("column is likely an id: it has almost as many distinct values as rows")
    assert "--ignore" in named(column)


@pytest.mark.parametrize(
    "column", [RNG.normal(size=ROWS), texts(ROWS // 2), RNG.integers(0, 300, ROWS) * 1.0, np.full(ROWS, np.nan)]
)
def test_measurements_and_codes_are_no_ids(column: FloatArray | Categories) -> None:
    assert named(column) == ""


@pytest.mark.parametrize(
    ("column", "target"),
    [
        (YES.codes * 1.0, YES),
        (1.0 - YES.codes, YES),
        (Categories(1 - YES.codes, ("a", "b")), YES),
        (YES.codes + RNG.uniform(0, 0.9, ROWS), YES),
        (PRICE, PRICE),
        (np.log(PRICE), PRICE),
        (-3.0 * PRICE + 1.0, PRICE),
        (np.where(np.arange(ROWS) % 9 == 0, np.nan, PRICE), PRICE),
        (np.array([2.0, 0.0, 1.0])[np.arange(ROWS) % 3], Categories(np.arange(ROWS) % 3, ("a", "b", "c"))),
    ],
)
def test_a_column_that_tells_the_target_by_itself_is_named(
    column: FloatArray | Categories, target: FloatArray | Categories
) -> None:
    assert named(column, target).startswith("column determines the target perfectly")


@pytest.mark.parametrize(
    ("column", "target"),
    [
        (YES.codes + RNG.normal(0, 0.4, ROWS), YES),
        (PRICE + RNG.normal(0, 0.01, ROWS), PRICE),
        (np.ones(ROWS), YES),
        (np.arange(ROWS) / 7.3, Categories((np.arange(ROWS) == ROWS - 1).astype(np.int64), ("no", "yes"))),
        (PRICE, np.full(ROWS, 3.0)),
        (np.full(ROWS, np.nan), PRICE),
    ],
)
def test_a_good_feature_is_not_named(column: FloatArray | Categories, target: FloatArray | Categories) -> None:
    assert named(column, target) == ""


def test_few_rows_tell_nothing() -> None:
    few = np.arange(FEWEST_ROWS - 1, dtype=np.float64)
    assert column_warnings({"column": few}, few) == []


def test_a_long_table_is_looked_at_in_part() -> None:
    many = 3 * MOST_ROWS + 1
    assert column_warnings({"id": np.arange(many, dtype=np.float64)}, np.arange(many, dtype=np.float64) % 2)[
        0
    ].startswith("id is likely an id")
