from __future__ import annotations

from typing import Any

import pytest
from driftgauge.edges.formats.label_values import LabelValues, OutcomeValues
from driftgauge.errors import Reason, Refused

NAMED = ("in time", "late")
OUTCOMES = OutcomeValues({"revenue": "number", "click": "event"})


@pytest.mark.parametrize(
    ("classes", "value", "number"),
    [
        (NAMED, "late", 1.0),
        (NAMED, 0, 0.0),
        (NAMED, 1.0, 1.0),
        (NAMED, True, 1.0),
        (("a", "b", "c"), 2, 2.0),
        (("1", "0"), "1", 0.0),
        (("1", "0"), 1, 0.0),  # the class whose text it is, before the index
        ((0, 1), 1, 1.0),
        ((0, 1), True, 1.0),
        ((0, 1), "1", 1.0),
        ((3, 5, 7), 5, 1.0),
        ((3, 5, 7), 5.0, 1.0),
        ((0.5, 1.5), 1.5, 1.0),
        ((False, True), False, 0.0),
        ((False, True), "true", 1.0),
        ((False, True), 1, 1.0),
        ((), 12.5, 12.5),
        ((), 3, 3.0),
        ((), True, 1.0),
        ((), "12.5", 12.5),
        ((), " -1e3", -1000.0),
    ],
)
def test_a_label_becomes_the_index_of_its_class_or_a_number(classes: Any, value: Any, number: float) -> None:
    assert LabelValues(classes).number(value) == number


@pytest.mark.parametrize(
    ("classes", "value"),
    [
        (NAMED, "early"),
        (NAMED, 2),
        (NAMED, -1),
        (NAMED, 0.5),
        (NAMED, ["late"]),
        (NAMED, float("nan")),
        (NAMED, 10**400),
        (("a", "b", "c"), True),
        ((3, 5), 0),
        ((3, 5), True),
        ((1, 2), False),
        ((), "twelve"),
        ((), "1_000"),
        ((), "nan"),
        ((), ""),
        ((), float("nan")),
        ((), float("inf")),
        ((), 10**400),
        ((), 1e101),
        ((), "-1e200"),
        ((), [1]),
    ],
)
def test_other_labels_are_refused_with_what_to_send(classes: Any, value: Any) -> None:
    with pytest.raises(Refused, match=r"^label: ") as caught:
        LabelValues(classes).number(value)
    assert caught.value.reason is Reason.INVALID_LABEL
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("revenue", 12.5, 12.5),
        ("revenue", -3, -3.0),
        ("click", True, 1.0),
        ("click", False, 0.0),
        ("click", 1, 1.0),
        ("click", "True", 1.0),
        ("click", "0", 0.0),
        ("revenue", "12.5", 12.5),
    ],
)
def test_an_outcome_becomes_a_number(name: str, value: Any, number: float) -> None:
    assert OUTCOMES.number(name, value) == number


@pytest.mark.parametrize(
    ("name", "value", "reason", "text"),
    [
        ("revenue", "true", Reason.INVALID_OUTCOME, "send a finite number"),
        ("revenue", float("nan"), Reason.INVALID_OUTCOME, "send a finite number"),
        ("revenue", 1e155, Reason.INVALID_OUTCOME, r"1e\+155 is too large: send a number from -1e\+100 to 1e\+100"),
        ("click", 0.5, Reason.INVALID_OUTCOME, "send true or false"),
        ("profit", 1, Reason.UNKNOWN_OUTCOME, "there is revenue, click"),
    ],
)
def test_other_outcomes_are_refused_with_what_to_send(name: str, value: Any, reason: Reason, text: str) -> None:
    with pytest.raises(Refused, match=text) as caught:
        OUTCOMES.number(name, value)
    assert caught.value.reason is reason


def test_an_outcome_without_settings_names_what_is_missing() -> None:
    with pytest.raises(Refused, match=r"the settings have no \[\[outcomes\]\]"):
        OutcomeValues().number("revenue", 1)
