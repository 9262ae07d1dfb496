from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from driftgauge.edges.formats.ingest.seldon_feedback import SeldonFeedback
from driftgauge.edges.formats.label_values import LabelValues, OutcomeValues
from driftgauge.errors import Refused
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.labels import GivenLabel

CLASSES = ("in time", "late", "lost")
FEEDBACK = SeldonFeedback(LabelValues(CLASSES), OutcomeValues({"reward": "number"}))
LATE: Mapping[str, Any] = {"truth": {"data": {"ndarray": ["late"]}}}


def truth(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"truth": {"data": data}}


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (LATE, [1]),
        (truth({"ndarray": [["late"], ["lost"]]}), [1, 2]),
        (truth({"ndarray": [[0, 0, 1], [1, 0, 0]]}), [2, 0]),
        (truth({"tensor": {"shape": [2, 3], "values": [0, 1, 0, 0, 0, 1]}}), [1, 2]),
        (truth({"tensor": {"shape": [2, 1], "values": [1, 2]}}), [1, 2]),
        (truth({"tensor": {"shape": [2], "values": [1, 2]}}), [1, 2]),
        ({"truth": {"strData": "lost"}}, [2]),
        ({"truth": {"jsonData": ["lost", "late"]}}, [2, 1]),
        ({"truth": {"jsonData": 1}}, [1]),
    ],
)
def test_each_row_of_the_truth_is_a_label(content: Mapping[str, Any], values: Sequence[float]) -> None:
    ids = ["p"] if len(values) == 1 else [f"p:{row}" for row in range(len(values))]
    found = FEEDBACK.labels(content, "p", 1.5)
    assert found == [GivenLabel(key_of(id_), value, 1_500_000) for id_, value in zip(ids, values, strict=True)]


@pytest.mark.parametrize(
    ("messages", "id_"),
    [
        ({}, "event"),
        ({"request": {"meta": {"puid": "asked"}}}, "asked"),
        ({"request": {"meta": {"puid": "asked"}}, "response": {"meta": {"puid": "answered"}}}, "answered"),
        ({"request": {"meta": {}}, "response": None}, "event"),
    ],
)
def test_the_id_in_the_messages_comes_before_that_of_the_event(messages: Mapping[str, Any], id_: str) -> None:
    (label,) = FEEDBACK.labels({**LATE, **messages}, "event", math.nan)
    assert label == GivenLabel(key_of(id_), 1.0)


def test_a_reward_is_an_outcome_if_there_is_one_of_this_name() -> None:
    assert FEEDBACK.labels({"reward": 2.5}, "p", math.nan) == [GivenLabel(key_of("p"), 2.5, None, "reward")]
    without = SeldonFeedback(LabelValues(CLASSES), OutcomeValues())
    assert len(without.labels({**LATE, "reward": 2.5}, "p", math.nan)) == 1
    with pytest.raises(Refused, match="truth is absent, and no outcome has the name reward"):
        without.labels({"reward": 2.5}, "p", math.nan)


def test_the_reward_of_a_request_with_several_rows_is_that_of_each_of_them() -> None:
    labels = FEEDBACK.labels({**truth({"ndarray": ["late", "lost"]}), "reward": 2.5}, "p", math.nan)
    assert labels[2:] == [GivenLabel(key_of(f"p:{row}"), 2.5, None, "reward") for row in range(2)]
    empty = FEEDBACK.labels({**truth({"ndarray": []}), "reward": 2.5}, "p", math.nan)
    assert empty == [GivenLabel(key_of("p"), 2.5, None, "reward")]


@pytest.mark.parametrize(
    ("content", "id_", "message"),
    [
        ([], "p", "the feedback is no object"),
        (LATE, "", "requestid is absent"),
        (LATE, "p\n", "requestid is one that no prediction can have"),
        ({"truth": 1}, "p", "truth is no object"),
        ({"truth": {}}, "p", "truth has no ndarray"),
        (truth({"tensor": {"shape": [2, 2]}}), "p", "truth is a tensor without values"),
        (truth({"tensor": {"shape": [2, 2], "values": [1]}}), "p", "whose shape does not fit"),
        (truth({"ndarray": [[0.2, 0.3, 0.5]]}), "p", "truth has 3 values for a row"),
        (truth({"ndarray": ["early"]}), "p", "not one of the model's classes"),
    ],
)
def test_what_cannot_be_read_is_named(content: Any, id_: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        FEEDBACK.labels(content, id_, math.nan)
