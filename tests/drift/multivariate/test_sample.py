from __future__ import annotations

import numpy as np
from driftgauge.drift.multivariate.report import compare_rows
from driftgauge.drift.multivariate.sample import drawn_rows
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table

ROWS = 3_000


def table(seed: int) -> Table:
    rng = np.random.default_rng(seed)
    number = rng.normal(size=ROWS)
    number[:30] = np.nan
    codes = rng.integers(-1, 3, ROWS)
    return {"number": number, "city": Categories(codes, ("x", "y", "z")), "other": rng.normal(size=ROWS)}


def baseline() -> Baseline:
    return build_baseline(table(0), created="2026-01-01T00:00:00Z")


def test_drawn_rows_are_rows_of_the_table_as_a_monitor_has_them() -> None:
    found, known = table(0), baseline()
    sample = drawn_rows(found, 500, (), np.random.default_rng(1))
    values = sample.values(known)
    assert values.shape == (500, 3)
    number, city, other = (found[name] for name in known.names)
    assert isinstance(city, Categories)
    assert isinstance(number, np.ndarray)
    assert isinstance(other, np.ndarray)
    codes = np.append(known.bins[1].encode(city.names), np.nan)[city.codes]
    whole = np.column_stack([number, codes, other])
    places = np.searchsorted(np.sort(other), values[:, 2])
    assert np.array_equal(values, whole[np.argsort(other)[places]], equal_nan=True)
    assert len(np.unique(values[:, 2])) == 500


def test_a_table_with_fewer_rows_gives_all_of_them() -> None:
    assert drawn_rows(table(0), 5_000, (), np.random.default_rng(1)).rows == ROWS


def test_categories_that_no_drawn_row_has_are_not_kept() -> None:
    names = tuple(f"name {index}" for index in range(ROWS))
    sample = drawn_rows({"name": Categories(np.arange(ROWS), names)}, 200, (), np.random.default_rng(1))
    kept = sample.columns["name"]
    assert isinstance(kept, Categories)
    assert len(kept.names) == 200


def test_columns_that_are_left_out_have_no_values_and_are_not_compared() -> None:
    sample = drawn_rows(table(0), 1_000, ["other"], np.random.default_rng(1))
    values = sample.values(baseline())
    assert np.isnan(values[:, 2]).all()
    current = drawn_rows(table(1), 1_000, (), np.random.default_rng(1)).values(baseline())
    current[:, 2] += 50.0
    found = compare_rows(baseline(), values, current, np.random.default_rng(0))
    assert found.separation is not None
    assert not found.separation.is_significant
