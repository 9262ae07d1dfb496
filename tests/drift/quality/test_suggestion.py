from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.quality.constraints import ColumnConstraints
from driftgauge.drift.quality.suggestion import MOST_DOMAIN, suggest, table_facts
from driftgauge.drift.reference.baseline import measuring_length
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table

RNG = np.random.default_rng(0)
ROWS = 400


def _suggested(data: object, *, of_table: bool = True) -> ColumnConstraints:
    table: Table = {"x": data}  # type: ignore[dict-item]
    baseline = build_baseline(table, created="2026-01-01T00:00:00Z")
    return suggest(baseline, table_facts(table, baseline) if of_table else None).columns[0]


def test_numbers_have_the_range_of_the_reference_with_a_margin() -> None:
    values = RNG.normal(size=ROWS)
    found = _suggested(values)
    assert (found.type, found.minimum, found.maximum, found.margin) == ("fractional", values.min(), values.max(), 0.1)
    assert not found.is_non_negative


def test_whole_numbers_are_known_from_the_table_alone_if_they_are_many() -> None:
    values = RNG.integers(0, 1_000_000, ROWS).astype(np.float64)
    assert _suggested(values).type == "integral"
    assert _suggested(values, of_table=False).type == "fractional"
    assert _suggested(np.array([1.0, 2.0] * ROWS), of_table=False).type == "integral"


def test_numbers_that_are_never_negative_must_not_become_so() -> None:
    assert _suggested(RNG.random(ROWS)).is_non_negative


@pytest.mark.parametrize("of_table", [True, False])
def test_the_share_of_missing_values_may_stay_as_it_is(of_table: bool) -> None:
    values = np.where(np.arange(ROWS) % 4 == 0, np.nan, RNG.random(ROWS))
    assert _suggested(values, of_table=of_table).completeness == 0.75


@pytest.mark.parametrize("of_table", [True, False])
def test_few_categories_are_the_domain(of_table: bool) -> None:
    found = _suggested(Categories(np.arange(ROWS) % 3, ("b", "a", "c", "unused")), of_table=of_table)
    assert found.type == "string"
    assert set(found.domain or ()) == {"a", "b", "c"}
    assert found.max_length is None


@pytest.mark.parametrize("of_table", [True, False])
def test_true_and_false_are_booleans(of_table: bool) -> None:
    found = _suggested(Categories(np.arange(ROWS) % 2, ("true", "false")), of_table=of_table)
    assert found.type == "boolean"


def test_of_many_categories_the_length_is_limited() -> None:
    names = tuple(f"{i:020}" for i in range(MOST_DOMAIN + 1))
    found = _suggested(Categories(np.arange(ROWS) % len(names), names))
    assert (found.domain, found.max_length) == (None, 22)


def test_of_free_text_the_length_is_limited() -> None:
    table: Table = {"note": (np.arange(ROWS) % 50).astype(np.float64)}
    baseline = measuring_length(build_baseline(table, created="2026-01-01T00:00:00Z"), ["note"])
    found = suggest(baseline).columns[0]
    assert (found.type, found.max_length, found.minimum) == ("string", 54, None)


def test_all_features_are_required_and_scores_have_no_constraints() -> None:
    table: Table = {"x": RNG.random(ROWS), "prediction": RNG.random(ROWS)}
    found = suggest(build_baseline(table, created="2026-01-01T00:00:00Z"))
    assert found.required == found.names == ("x",)


def test_more_duplicates_than_in_the_reference_are_allowed_up_to_a_margin() -> None:
    table: Table = {"x": (np.arange(ROWS) // 2).astype(np.float64)}
    baseline = build_baseline(table, created="2026-01-01T00:00:00Z")
    assert suggest(baseline, table_facts(table, baseline)).duplicates == 0.6
    assert suggest(baseline).duplicates == 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_column_without_finite_values_has_no_range(value: float) -> None:
    found = _suggested(np.full(ROWS, value))
    assert (found.minimum, found.maximum) == (None, None)
