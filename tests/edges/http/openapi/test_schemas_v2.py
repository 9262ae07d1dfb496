from __future__ import annotations

from typing import Any

import pytest
from driftgauge.edges.http.openapi.schemas_v2 import infer_schema
from driftgauge.errors import Reason, Refused
from driftgauge.models.bundle import BundleInfo
from hypothesis import given
from hypothesis import strategies as st

from tests.edges.formats.test_features import info
from tests.edges.formats.test_infer_v2 import MAX_ROWS, NUMBERS, TEXTS, fits, read
from tests.schema_values import changed, fitting

UNSAID = ("its shape needs", "its data is not", "send equal numbers", "in inputs twice", "base64")
"""Of what a JSON schema cannot say: how many values there are, which names are alike, what base64 is."""
ABOUTS = {
    "numbers": NUMBERS,
    "texts": TEXTS,
    "mixed": info(accepts_missing=[True, False, True]),
    "whole": info(accepts_missing=False),
}


@st.composite
def bodies(draw: st.DrawFn, about: BundleInfo) -> Any:
    """Requests that fit the document, with as many values as their shapes say."""
    schema = infer_schema(about, MAX_ROWS)["content"]["application/json"]["schema"]
    matrix, columns = schema["properties"]["inputs"]["anyOf"]
    rows = draw(st.integers(1, MAX_ROWS))
    if draw(st.booleans()):
        kinds, width = [draw(st.sampled_from(matrix["items"]["anyOf"]))], len(about.features)
        names = [draw(st.text(max_size=3))]
    else:
        names = [f.name for f in about.features if not f.accepts_missing or draw(st.booleans())]
        names = names or [about.features[0].name]
        every = columns["items"]["anyOf"]
        kinds = [draw(st.sampled_from([k for k in every if n in k["properties"]["name"]["enum"]])) for n in names]
        width = 1
    inputs = [
        {
            "name": name,
            "shape": [rows, width] if width > 1 or draw(st.booleans()) else [rows],
            "datatype": kind["properties"]["datatype"]["const"],
            "data": draw(st.lists(fitting(kind["properties"]["data"]["anyOf"][0]["items"]),
                                  min_size=rows * width, max_size=rows * width)),
        }
        for name, kind in zip(names, kinds, strict=True)
    ]  # fmt: skip
    return {"inputs": inputs, **{key: draw(fitting(schema["properties"][key])) for key in ("id", "outputs")}}


def refusal(body: Any, about: BundleInfo) -> Refused | None:
    try:
        read(body, about)
    except Refused as error:
        return error
    return None


def is_unsaid(error: Refused, body: Any) -> bool:
    in_matrix = len(body["inputs"]) == 1 and error.reason is Reason.MISSING_FEATURE  # which of its cells is whose
    return in_matrix or any(words in error.message for words in UNSAID)


@pytest.mark.parametrize("name", ABOUTS)
@given(st.data())
def test_what_the_document_accepts_the_server_accepts(name: str, data: st.DataObject) -> None:
    about = ABOUTS[name]
    body = data.draw(bodies(about))
    error = refusal(body, about)
    assert fits(body, about)
    assert error is None or is_unsaid(error, body), error


@pytest.mark.parametrize("name", ABOUTS)
@given(st.data())
def test_what_the_server_refuses_the_document_refuses(name: str, data: st.DataObject) -> None:
    about = ABOUTS[name]
    body = data.draw(changed(bodies(about)))
    error = refusal(body, about)
    if fits(body, about):
        assert error is None or is_unsaid(error, body), error
    else:
        assert error is not None


@pytest.mark.parametrize("shape", [[0, 0], [0], [0, 3], [1, 0], [1, 2], [-1], [6, 3], [1, 3, 1], []])
def test_a_shape_that_the_server_refuses_is_not_documented(shape: list[int]) -> None:
    count = max(0, shape[0]) * (shape[1] if len(shape) > 1 else 1) if shape else 0
    body = {"inputs": [{"name": "x", "shape": shape, "datatype": "FP64", "data": [1.5] * count}]}
    assert refusal(body, NUMBERS) is not None
    assert not fits(body, NUMBERS)
