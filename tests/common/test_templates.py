from __future__ import annotations

import json
from typing import Any

import pytest
from driftgauge.common.templates import LONGEST_TEXT, filled, filled_text, placeholders, require_known
from hypothesis import given
from hypothesis import strategies as st

KNOWN = ("model", "labels", "labels.", "reason")


def test_a_text_that_is_one_placeholder_becomes_the_value_itself() -> None:
    values: dict[str, Any] = {"labels": {"a": "1"}, "rows": 3, "none": None}
    assert filled({"a": "{labels}", "b": ["{rows}", "{none}"], "c": 1, "d": True}, values) == {
        "a": {"a": "1"},
        "b": [3, None],
        "c": 1,
        "d": True,
    }


def test_a_placeholder_beside_text_is_written_into_it() -> None:
    values: dict[str, Any] = {"labels": {"a": "1"}, "model": "m", "none": None}
    assert filled_text("{model}: {labels} {none}!", values) == 'm: {"a": "1"} !'


def test_one_label_is_named_with_a_dot_and_is_nothing_where_it_is_absent() -> None:
    values = {"labels": {"feature_name": "age"}, "model": "m"}
    assert filled("{labels.feature_name}", values) == "age"
    assert filled_text("{labels.other}|{model.x}|{unknown}", values) == "||"


def test_braces_that_are_written_twice_are_those_of_the_text() -> None:
    assert filled({"{{a}}": "{{{model}}}"}, {"model": "m"}) == {"{a}": "{m}"}


def test_a_value_is_not_read_as_a_template() -> None:
    assert filled_text("{model}", {"model": "{reason}", "reason": "secret"}) == "{reason}"


@given(st.text(), st.text())
def test_a_value_is_one_line_of_printable_characters(before: str, after: str) -> None:
    found = filled_text("{model}", {"model": f"{before}\n\x00\u202e\ud800{after}"})
    assert len(found) <= LONGEST_TEXT
    assert found.encode("utf-8").decode() == found
    assert not {"\n", "\r", "\x00", "\x1b", "\u2028", "\u202e"} & set(found)


@given(st.dictionaries(st.text(), st.text()))
def test_a_table_of_hostile_texts_stays_a_table(labels: dict[str, str]) -> None:
    content = filled({"labels": "{labels}", "text": "{labels}: {model}"}, {"labels": labels, "model": '"}, {"x": 1'})
    again = json.loads(json.dumps(content))
    assert set(again) == {"labels", "text"}
    assert set(map(type, again["labels"].values())) <= {str}


@pytest.mark.parametrize("text", ["{", "}", "{}", "{a!r}", "{a:>5}", "{a[0]}", "{A}", "{a.b.c}", "{a }", "{a.}", "{0}"])
def test_a_brace_that_begins_no_placeholder_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="twice"):
        list(placeholders({"x": [text]}))


def test_a_key_has_no_placeholder() -> None:
    with pytest.raises(ValueError, match="a key has no placeholders"):
        list(placeholders({"{model}": 1}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{modle}", "did you mean {model}?"),
        ("{x}", "there is {model}, {labels}, {labels.NAME}, {reason}"),
        ("{model.name}", "unknown placeholder {model.name}"),
    ],
)
def test_an_unknown_placeholder_is_refused_with_the_known_ones(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="unknown placeholder") as found:
        require_known({"a": ["{model} {labels.x}", text]}, KNOWN)
    assert message in str(found.value)


def test_known_placeholders_are_let_through() -> None:
    require_known({"a": ["{model} {labels.x}", "{labels}", 1, None]}, KNOWN)
