from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from driftgauge.errors import Reason
from hypothesis import given
from hypothesis import strategies as st

from tests.edges.formats.test_infer_v2 import MIXED, NUMBERS, TEXTS, body_of, fits, read, refused, tensor
from tests.examples import Example
from tests.served import served


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def as_(content_type: Any) -> dict[str, Any]:
    return {"parameters": {"content_type": content_type}}


def texts(body: Any) -> list[str | None]:
    return list(read(body).batch.texts[1])


@given(st.lists(st.text(st.characters(codec="utf-8")) | st.none(), min_size=1, max_size=5), st.booleans())
def test_base64_is_decoded(values: list[str | None], padded: bool) -> None:
    sent = [value if value is None else coded(value).rstrip("" if padded else "=") for value in values]
    body = body_of(tensor("shape", [len(sent)], "BYTES", sent, **as_("base64")))
    plain = body_of(tensor("shape", [len(sent)], "BYTES", values))
    assert texts(body) == texts(plain)
    assert fits(body, MIXED)


def test_a_request_says_it_for_its_texts_and_a_tensor_for_itself() -> None:
    number = tensor("size", [1], "FP64", [1.5])
    decoded = tensor("shape", [1], "BYTES", [coded("flat")])
    assert texts(body_of(number, decoded, **as_("base64"))) == ["flat"]
    own = tensor("shape", [1], "BYTES", ["flat"], **as_("str"))
    assert texts(body_of(number, own, **as_("base64"))) == ["flat"]
    matrix = read(body_of(tensor("x", [1, 2], "BYTES", [coded("round"), coded("flat")]), **as_("base64")), TEXTS)
    assert matrix.batch.texts == {0: ["round"], 1: ["flat"]}


@pytest.mark.parametrize("content_type", ["np", "pd", "str", None])
def test_other_types_of_python_are_the_same_json(content_type: Any) -> None:
    body = body_of(tensor("size", [2], "FP64", [1.5, 2.5]), tensor("shape", [2, 1], "BYTES", ["round", "flat"]))
    told = {**body, **as_(content_type)}
    assert texts(told) == texts(body) == ["round", "flat"]
    assert np.array_equal(read(told).batch.cells[:, 0], [1.5, 2.5])
    assert fits(told, MIXED)


@pytest.mark.parametrize(("content_type", "datatype"), [("np", "FP64"), ("np", "BYTES"), ("str", "BYTES")])
def test_a_tensor_may_say_so_too(content_type: str, datatype: str) -> None:
    name, value = ("size", 1.5) if datatype == "FP64" else ("shape", "flat")
    body = body_of(tensor(name, [1], datatype, [value], **as_(content_type)))
    assert len(read(body).batch) == 1
    assert fits(body, MIXED)


@pytest.mark.parametrize("content_type", ["datetime", "image/png", "pd", "BASE64", "", 5, ["base64"], "x" * 500])
def test_other_content_types_are_refused_with_those_that_are_read(content_type: Any) -> None:
    body = body_of(tensor("shape", [1], "BYTES", ["flat"], **as_(content_type)))
    error = refused(body)
    assert error.reason is Reason.WRONG_TYPE
    assert error.detail == {"field": "shape"}
    assert "base64, np, str" in error.message
    assert len(error.message) < 200
    assert not fits(body, MIXED)


@pytest.mark.parametrize("content_type", ["datetime", 5])
def test_those_of_a_request_too(content_type: Any) -> None:
    body = body_of(tensor("shape", [1], "BYTES", ["flat"]), **as_(content_type))
    error = refused(body)
    assert (error.reason, error.detail) == (Reason.WRONG_TYPE, {"field": "parameters"})
    assert "base64, np, str, pd" in error.message
    assert not fits(body, MIXED)


@pytest.mark.parametrize("value", ["red!", "cm=k", "a", "cmVk\n", "ünï", "cm Vk"])
def test_what_is_not_base64_names_its_tensor_and_place(value: str) -> None:
    error = refused(body_of(tensor("shape", [2], "BYTES", [coded("flat"), value], **as_("base64"))))
    assert error.reason is Reason.WRONG_TYPE
    assert error.detail == {"field": "shape", "value": 1}
    assert "not valid base64" in error.message


def test_bytes_that_are_no_text_are_refused() -> None:
    error = refused(body_of(tensor("shape", [1], "BYTES", [base64.b64encode(b"\xff\xfe").decode()], **as_("base64"))))
    assert error.detail == {"field": "shape", "value": 0}
    assert "UTF-8" in error.message


@pytest.mark.parametrize("content_type", ["base64", "str"])
def test_numbers_are_no_texts(content_type: str) -> None:
    body = body_of(tensor("x0", [1], "FP64", [1.5], **as_(content_type)))
    error = refused(body, NUMBERS)
    assert error.detail == {"field": "x0"}
    assert "BYTES" in error.message
    assert not fits(body, NUMBERS)


def test_the_model_is_asked_what_was_coded(text: Example) -> None:
    row = text.rows(1)[0]
    numeric = [tensor(name, [1], "FP64", [float(value)]) for name, value in row.items() if not isinstance(value, str)]
    plain = [*numeric, *(tensor(n, [1], "BYTES", [v]) for n, v in row.items() if isinstance(v, str))]
    sent = [*numeric, *(tensor(n, [1], "BYTES", [coded(v)], **as_("base64")) for n, v in row.items()
                        if isinstance(v, str))]  # fmt: skip
    with served(text) as running:
        answers = [running.client.post("/v2/models/text/infer", json=body_of(*own)).json() for own in (plain, sent)]
    assert len(sent) > len(numeric)
    assert answers[0]["outputs"][:2] == answers[1]["outputs"][:2]
