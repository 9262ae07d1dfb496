from __future__ import annotations

from typing import Any

import pytest
from driftgauge.models.bundle import Feature
from driftgauge.models.categories import CategoryNames, other_names
from driftgauge.tables.cells import number_of


def named(cells: list[Any], categories: tuple[str, ...], **more: Any) -> list[str | None]:
    feature = Feature(name="c", kind="categorical", categories=categories, **more)
    return CategoryNames(feature).of(cells)


@pytest.mark.parametrize(
    ("categories", "values", "names"),
    [
        (("True", "False"), [True, False, "True", "true", None], ["True", "False", "True", "true", None]),
        (("true", "True"), [True, "True"], ["true", "True"]),
        (("TRUE", "True"), [True], ["true"]),  # two that would fit
        (("1.0", "2.0"), [1, 2.0, "1.0", "1", 3], ["1.0", "2.0", "1.0", "1", "3"]),
        (("1", "1.0"), [1, "1.0"], ["1", "1.0"]),
        (("02134", "1.10"), [2134, 1.1], ["2134", "1.1"]),
        (("a", "b"), [1.5, "a", None], ["1.5", "a", None]),
    ],
)
def test_a_number_or_boolean_is_the_text_that_spells_it(
    categories: tuple[str, ...], values: list[Any], names: list[str | None]
) -> None:
    assert named(values, categories, values="text") == names
    assert named(values, categories) == names  # of an earlier version


@pytest.mark.parametrize(
    ("values", "names"),
    [([1, 1.0, "1", "1.0", 7, "x"], ["1", "1", "1", "1", "7", "x"]), ([2**53 + 1], [str(2**53 + 1)]), ([-0.0], ["0"])],
)
def test_a_category_of_numbers_is_named_by_its_number(values: list[Any], names: list[str]) -> None:
    assert named(values, ("1", "2"), values="integer", codes=(1.0, 2.0)) == names


def test_a_boolean_category_is_true_however_it_is_written() -> None:
    found = named([True, "true", "True", 1, 0, "no"], ("false", "true"), values="boolean", codes=(0.0, 1.0))
    assert found == ["true", "true", "true", "true", "false", "no"]


def test_where_an_empty_text_is_what_is_missing_null_is_one() -> None:
    assert named([None, "", "a"], ("", "a"), values="text", missing="empty") == ["", "", "a"]
    text = Feature(name="t", kind="text", values="text", missing="empty")
    assert CategoryNames(text).of([None, "", "x"]) == [None, "", "x"]


def test_cells_of_a_table_are_read_as_spelled_only_where_they_are_as_written() -> None:
    names = CategoryNames(Feature(name="c", kind="categorical", categories=("1.0",), values="text"))
    assert names.of_table(["1", "1.0", None], as_written=True) == ["1.0", "1.0", None]
    assert names.of_table(["1", "1.0", None], as_written=False) == ["1", "1.0", None]


def test_other_names_are_only_those_that_no_category_has() -> None:
    assert other_names(("5.0", "6", "True", "x")) == {"5": "5.0", "true": "True"}


@pytest.mark.parametrize(
    ("text", "number"), [("1e3", 1000.0), ("1_000", None), ("nan", None), ("inf", None), ("x", None)]
)
def test_a_text_spells_a_finite_number_or_none(text: str, number: float | None) -> None:
    assert number_of(text) == number
