from __future__ import annotations

from typing import Annotated, Any

import pytest
from driftgauge.common.schema_errors import LINE, display, explain
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    count: Annotated[int, Field(strict=True, ge=1, le=9)] = 1
    label: int | float | bool | str = 0


class Outer(BaseModel):
    name: str
    title: Annotated[str, Field(pattern=LINE)] = ""
    digits: Annotated[str, Field(pattern="^[0-9]*$")] = ""
    inner: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({}, "name is absent"),
        ({"name": 3}, "name is 3, expected: a text"),
        ({"name": None}, "name is null, expected: a text"),
        ({"name": True}, "name is true, expected: a text"),
        ({"name": "x" * 50 * 2, "inner": {}}, "inner is an empty object, expected: a list"),
        ({"name": "a", "inner": [{"count": 0}]}, "inner.0.count is 0, expected: at least 1"),
        ({"name": "a", "inner": [{"count": 10**30}]}, "inner.0.count is a huge number, expected: at most 9"),
        ({"name": "a", "inner": [{"count": "7"}]}, "inner.0.count is 7, expected: a whole number"),
        ({"name": "a", "inner": [{"more": 1}]}, "inner.0.more is not a known key"),
        ({"name": "a", "inner": [3]}, "inner.0 is 3, expected: an object"),
        ({"name": "a", "title": "two\nlines"}, "lines, expected: one line of printable characters"),
        ({"name": "a", "digits": "f8"}, "digits is f8, which is not allowed there"),
        ({"name": 1, "inner": [{"count": 0}] * 4}, "; and 2 more"),
    ],
)
def test_a_problem_is_told_in_our_words(content: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(content)
    assert explain(caught.value).endswith(sentence)
    for word in ("Input", "should", "valid", "pydantic", "type="):
        assert word not in explain(caught.value)


def test_a_place_in_one_type_of_several_is_named_once() -> None:
    with pytest.raises(ValidationError) as caught:
        Inner.model_validate({"label": []})
    assert all(
        part.startswith("label is a list of 0") for part in explain(caught.value).split("; ") if "more" not in part
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1}, "an object"),
        ([1, 2], "a list of 2"),
        (False, "false"),
        (1.5, "1.5"),
        ("a\ud800", "a?"),
        ("x" * 99, "x" * 39 + "…"),
        (1 << 70, "a huge number"),
    ],
)
def test_a_value_is_shown_short(value: object, text: str) -> None:
    assert display(value) == text
