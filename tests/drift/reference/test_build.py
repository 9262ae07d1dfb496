from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from driftgauge.drift.bins import MAX_TAIL
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import QUANTILES, build_baseline
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.errors import BaselineError

from tests.references import CREATED, categories_of, ordered_baseline, some_table


@pytest.fixture
def baseline() -> Baseline:
    return ordered_baseline()


# ---------------------------------------------------------------- what is kept


@pytest.mark.parametrize("others", [[], [1.5, -2.0]])
def test_a_negative_zero_is_the_zero_that_it_equals(others: list[float]) -> None:
    signed, plain = (
        build_baseline({"x": np.array([zero, 0.0, math.nan, *others])}, created=CREATED) for zero in (-0.0, 0.0)
    )
    assert signed.hash == plain.hash
    column = signed.columns[0]
    zeros = [value for value in (column.min, column.max, column.mean, *column.quantiles) if value == 0]
    assert zeros
    assert all(math.copysign(1, value) == 1 for value in zeros)


def test_moments_and_quantiles_are_numpys(baseline: Baseline) -> None:
    values = some_table()["number"]
    assert isinstance(values, np.ndarray)
    column = baseline.columns[0]
    assert (column.mean, column.std) == pytest.approx((np.nanmean(values), np.nanstd(values)))
    assert (column.min, column.max) == (np.nanmin(values), np.nanmax(values))
    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    expected = np.nanquantile(values, middles, method="hazen")
    np.testing.assert_allclose(column.quantiles, expected, rtol=1e-12)
    assert column.rows == baseline.rows == len(values)


def test_counts_are_the_references_rows_by_bin(baseline: Baseline) -> None:
    table = some_table()
    number, flag, letter = (dict(zip(c.bins.names, c.counts, strict=True)) for c in baseline.columns)
    values, flags = table["number"], table["flag"]
    assert isinstance(values, np.ndarray)
    assert isinstance(flags, np.ndarray)
    edges = baseline.columns[0].bins.edges
    between = [((values > low) & (values <= high)).sum() for low, high in pairwise(edges)]
    assert list(number.values()) == [0, *between, 0, np.isnan(values).sum()]
    assert flag == {"below": 0, "0": (flags == 0).sum(), "1": flags.sum(), "above": 0, "unseen": 0.5, "missing": 0}
    assert isinstance(table["letter"], Categories)
    recount = Counter(table["letter"].codes.tolist())
    assert letter == {
        "a": recount[0],
        "b": recount[1],
        "c": recount[2],
        "other": 0,
        "unseen": 0,
        "missing": recount[-1],
    }


def test_categories_seen_once_are_what_unseen_expects() -> None:
    values = ["often"] * 100 + [f"once {i}" for i in range(7)] + ["twice"] * 2 + [None]
    column = build_baseline({"x": categories_of(values)}, created=CREATED).columns[0]
    assert dict(zip(column.bins.names, column.counts, strict=True)) == {
        "often": 100, "other": 2, "unseen": 7, "missing": 1,
    }  # fmt: skip


def test_a_category_called_missing_is_not_a_missing_value() -> None:
    column = build_baseline({"x": categories_of(["missing"] * 60 + [None] * 40)}, created=CREATED).columns[0]
    assert dict(zip(column.bins.names, column.counts, strict=True)) == {
        '"missing"': 60, "other": 0, "unseen": 0, "missing": 40,
    }  # fmt: skip


def test_a_tail_too_long_to_keep_is_counted_as_other() -> None:
    codes = np.concatenate([np.zeros(200_000, dtype=np.int64), np.arange(1, MAX_TAIL + 2)])
    names = ("often", *(str(i) for i in range(MAX_TAIL + 1)))
    column = build_baseline({"x": Categories(codes, names)}, created=CREATED).columns[0]
    assert not column.bins.tail_complete
    assert column.counts == (200_000, MAX_TAIL + 1, 0, 0)


def test_a_column_that_is_all_missing_has_no_numbers() -> None:
    column = build_baseline({"x": np.full(10, math.nan)}, created=CREATED).columns[0]
    assert np.isnan([column.mean, column.std, column.min, column.max]).all()
    assert column.quantiles == ()
    assert dict(zip(column.bins.names, column.counts, strict=True))["missing"] == 10


def test_names_a_table_does_not_use_are_not_categories() -> None:
    column = build_baseline({"x": Categories(np.zeros(50, dtype=np.int64), ("a", "b"))}, created=CREATED).columns[0]
    assert column.bins.names == ("a", "other", "unseen", "missing")
    assert column.bins.category_code("b") == column.bins.special["unseen"]


@pytest.mark.parametrize("table", [{}, {"x": np.empty(0)}, {"x": Categories(np.empty(0, dtype=np.int64), ())}])
def test_a_table_without_columns_or_rows_is_refused(table: Table) -> None:
    with pytest.raises(BaselineError, match=r"the reference has no (columns|rows): "):
        build_baseline(table, created=CREATED)


def test_hours_of_which_none_has_rows_enough_are_refused() -> None:
    with pytest.raises(
        BaselineError, match="an hour with 200 rows; the fullest of the reference's 240 rows has 10: give it more"
    ):
        build_baseline({"x": np.arange(240.0)}, created="", ordered_by="at", hours=np.arange(240) % 24)
