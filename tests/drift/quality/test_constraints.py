from __future__ import annotations

import math
from typing import Any

import pytest
from driftgauge.drift.quality.constraints import ColumnConstraints, Constraints, Thresholds
from driftgauge.errors import ConstraintsError


def test_the_range_has_a_margin_on_both_sides() -> None:
    column = ColumnConstraints("age", "integral", minimum=10.0, maximum=30.0, margin=0.1)
    assert (column.lowest, column.highest) == (8.0, 32.0)


def test_a_range_with_one_end_has_no_margin() -> None:
    column = ColumnConstraints("age", "fractional", minimum=10.0, margin=0.1)
    assert (column.lowest, column.highest) == (10.0, math.inf)


def test_whole_numbers_are_a_matter_of_the_type() -> None:
    assert ColumnConstraints("age", "integral").is_integral
    assert not ColumnConstraints("age", "fractional").is_integral


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"type": "number"}, "x: type: 'number' is none of fractional"),
        ({"type": "integral", "completeness": 1.5}, "x: completeness: 1.5 is not a share"),
        ({"type": "integral", "minimum": 2.0, "maximum": 1.0}, "x: minimum: 2 is larger than the maximum 1"),
        ({"type": "integral", "minimum": math.inf}, "x: minimum: inf is not possible"),
        ({"type": "integral", "margin": -1.0}, "x: margin: -1 is not possible"),
        ({"type": "string", "maximum": 1.0}, "x: maximum: a column of type string has no range"),
        ({"type": "string", "is_non_negative": True}, "x: non_negative: a column of type string has no sign"),
        ({"type": "fractional", "domain": ("a",)}, "x: domain: a column of numbers has no domain"),
        ({"type": "integral", "max_length": 3}, "x: max_length: give a number of characters"),
    ],
)
def test_a_constraint_that_cannot_hold_is_refused_with_its_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConstraintsError, match=message):
        ColumnConstraints("x", **given)


def test_a_column_with_constraints_twice_is_refused() -> None:
    with pytest.raises(ConstraintsError, match="x: there are constraints on this column twice"):
        Constraints((ColumnConstraints("x", "string"), ColumnConstraints("x", "string")))


def test_thresholds_are_shares_in_order() -> None:
    with pytest.raises(ConstraintsError, match=r"warning 0.2 and critical 0.1"):
        Thresholds(warning=0.2, critical=0.1)


def test_duplicates_are_a_share() -> None:
    with pytest.raises(ConstraintsError, match="duplicates: 2 is not a share"):
        Constraints(duplicates=2.0)


def test_a_column_is_found_by_its_name() -> None:
    column = ColumnConstraints("x", "string")
    assert Constraints((column,)).column("x") is column
    assert Constraints((column,)).column("y") is None
