from __future__ import annotations

import doctest
from typing import Any

import pytest
from driftgauge.errors import Refused, SettingsError
from driftgauge.library import selection
from driftgauge.library.selection import plain, selector


def test_the_example_is_true() -> None:
    assert doctest.testmod(selection).failed == 0


@pytest.mark.parametrize(
    ("whole", "key", "found"),
    [
        ({"a": {"b": 1}}, "a.b", 1),
        ({"a.b": 2, "a": {"b": 1}}, "a.b", 2),
        ({"a": {"b.c": 3}}, "a.b.c", 3),
        ({"a": [{"b": 1}, {"b": 2}]}, "a.b", [1, 2]),
        ({"a": [{"b": 1}, {"b": 2}]}, "a.1.b", 2),
        ([[1, 2]], "0", [1, 2]),
    ],
)
def test_a_key_leads_into_mappings_and_lists(whole: Any, key: str, found: Any) -> None:
    assert selector("features", key)(whole) == found


@pytest.mark.parametrize(
    ("whole", "key", "message"),
    [
        ({"a": 1}, "b", "features: there is no 'b' in it; there is a"),
        ({}, "b", "features: there is no 'b' in it; there is nothing"),
        ({"a": []}, "a.0", "features: there is no '0' in it; the list has 0 elements"),
        ({"a": 1}, "a.b", "features: there is no 'b' in it; it is int"),
    ],
)
def test_a_key_that_leads_nowhere_says_where(whole: Any, key: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        selector("features", key)(whole)


@pytest.mark.parametrize("key", [3, "", []])
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(SettingsError, match=r"give a key like 'answer.score', or a function"):
        selector("prediction", key)


def test_no_key_selects_the_whole() -> None:
    assert selector("features", None)({"a": 1}) == {"a": 1}
    assert plain([1.0, 2.0]) == [1.0, 2.0]
