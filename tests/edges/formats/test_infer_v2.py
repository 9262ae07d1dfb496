from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pytest
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.formats.infer_v2 import (
    OUTPUTS,
    InferRequest,
    error_body,
    model_metadata,
    read_infer,
    server_metadata,
    write_infer,
)
from driftgauge.edges.formats.tensors import DATATYPES
from driftgauge.edges.http.infer import InferV2
from driftgauge.edges.http.openapi.schemas_v2 import (
    InferAnswer,
    V2Error,
    V2ModelMetadata,
    V2ServerMetadata,
    infer_schema,
)
from driftgauge.errors import Reason, Refused
from driftgauge.models.bundle import BundleInfo, Feature
from driftgauge.models.predictor import Batch
from driftgauge.serving.request import Answer
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ExampleOf
from tests.edges.formats.test_features import NAMES, info, json_categories, json_numbers, numeric
from tests.examples import MAKERS
from tests.json_schema import problems

MAX_ROWS = 5
MIXED = info()
STRICT = info(accepts_missing=False)
NUMBERS = numeric(3)
ONE = numeric(1)
SHAPE = Feature(name="shape", kind="categorical", categories=("round", "flat"), accepts_missing=True)
TEXTS = info().model_copy(update={"features": (SHAPE, SHAPE.model_copy(update={"name": "form"}))})


def tensor(name: str, shape: Sequence[int], datatype: str, data: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(shape), "datatype": datatype, "data": data, **more}


def body_of(*tensors: Any, **more: Any) -> dict[str, Any]:
    return {"inputs": list(tensors), **more}


def read(body: Any, about: BundleInfo = MIXED, max_rows: int = MAX_ROWS) -> InferRequest:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_infer(sent, FeatureDecoder(about), about, max_rows)


def refused(body: Any, about: BundleInfo = MIXED) -> Refused:
    with pytest.raises(Refused) as caught:
        read(body, about)
    return caught.value


def fits(body: Any, about: BundleInfo) -> bool:
    return problems(body, infer_schema(about, MAX_ROWS)["content"]["application/json"]["schema"], {}) == []


def alike(batch: Batch, expected: Batch, about: BundleInfo) -> bool:
    places = [place for place, feature in enumerate(about.features) if feature.kind == "numeric"]
    cells = np.array_equal(batch.cells[:, places], expected.cells[:, places], equal_nan=True)
    return cells and batch.texts == expected.texts


def nested(values: Sequence[Any], width: int) -> list[list[Any]]:
    return [list(values[first : first + width]) for first in range(0, len(values), width)]


# ---------------------------------------------------------------- every layout is the rows that it says

HALVES = [float(value) for value in (-65504, -1.5, -0.0, 0.1, 7, 65504)]
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans() | st.sampled_from([0, 1]),
    "string": st.text(),
    "number": st.integers(-1000, 1000) | st.sampled_from(HALVES),
}


def values_of(datatype: str) -> st.SearchStrategy[Any]:
    about = DATATYPES[datatype]
    if about.kind == "integer":
        return st.integers(int(about.low), int(about.high))
    if datatype == "FP64":
        return json_numbers.filter(lambda value: type(value) is not bool)
    return VALUES[about.kind]


@st.composite
def drawn(draw: st.DrawFn, datatypes: Sequence[str], count: int) -> tuple[str, list[Any]]:
    datatype = draw(st.sampled_from(datatypes))
    return datatype, draw(st.lists(st.none() | values_of(datatype), min_size=count, max_size=count))


NUMERIC = [name for name in DATATYPES if name != "BYTES"]


@given(st.integers(1, MAX_ROWS), st.booleans(), st.data())
def test_one_tensor_is_the_rows_in_the_models_order(rows: int, nest: bool, data: st.DataObject) -> None:
    about, datatypes = data.draw(
        st.sampled_from([(NUMBERS, NUMERIC), (ONE, NUMERIC), (TEXTS, list(DATATYPES)), (MIXED, NUMERIC)])
    )
    count = len(about.features)
    datatype, values = data.draw(drawn(datatypes, rows * count))
    lists = nested(values, count)
    name = data.draw(st.sampled_from(["input-0", "", "x1", "shape"]))
    body = body_of(tensor(name, [rows, count], datatype, lists if nest else values))
    assert alike(read(body, about).batch, FeatureDecoder(about).decode(lists), about)
    assert fits(body, about)


@given(st.integers(1, MAX_ROWS), st.sampled_from([MIXED, NUMBERS, ONE, TEXTS]), st.data())
def test_a_tensor_for_each_feature_is_the_rows_by_name(rows: int, about: BundleInfo, data: st.DataObject) -> None:
    tensors, columns = [], {}
    for feature in about.features:
        datatypes = list(DATATYPES) if feature.kind == "categorical" else NUMERIC
        datatype, values = data.draw(drawn(datatypes, rows))
        layout = data.draw(st.sampled_from(["[n]", "[n, 1]", "nested"]))
        columns[feature.name] = values
        tensors.append(
            tensor(
                feature.name,
                [rows] if layout == "[n]" else [rows, 1],
                datatype,
                nested(values, 1) if layout == "nested" else values,
            )
        )
    left_out = data.draw(st.sampled_from([None, *columns])) if len(columns) > 1 else None
    sent = data.draw(st.permutations([one for one in tensors if one["name"] != left_out]))
    named = [{name: columns[name][row] for name in columns if name != left_out} for row in range(rows)]
    body = body_of(*sent)
    assert alike(read(body, about).batch, FeatureDecoder(about).decode(named), about)
    assert fits(body, about)


@pytest.mark.parametrize(("name", "shape"), [("x0", [2]), ("x0", [2, 1]), ("input-0", [2, 1])])
def test_a_model_of_one_feature_takes_it_in_each_layout(name: str, shape: list[int]) -> None:
    assert read(body_of(tensor(name, shape, "FP64", [1, 2])), ONE).batch.cells.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("datatype", "value", "name"),
    [("BYTES", "1", "1"), ("INT8", 1, "1"), ("FP64", 1.0, "1"), ("BOOL", True, "true"), ("FP32", None, None)],
)
def test_a_category_has_the_name_that_it_has_in_rows(datatype: str, value: Any, name: str | None) -> None:
    assert read(body_of(tensor("shape", [1], datatype, [value]))).batch.texts == {1: [name]}


LIMITS = [(name, int(d.low), int(d.high)) for name, d in DATATYPES.items() if d.kind in ("boolean", "integer")]
LARGEST = {"FP16": float(np.finfo(np.float16).max), "FP32": float(np.finfo(np.float32).max)}


def test_the_limits_are_numpys() -> None:
    for name, low, high in LIMITS:
        if name != "BOOL":
            numpys = np.iinfo(name.lower())
            assert (low, high) == (numpys.min, numpys.max)
    with np.errstate(over="ignore"):
        for name, make in (("FP16", np.float16), ("FP32", np.float32)):
            assert np.isfinite(make(DATATYPES[name].high))
            assert np.isinf(make(math.nextafter(DATATYPES[name].high, math.inf)))


@pytest.mark.parametrize(
    ("datatype", "low", "high"), [*LIMITS, *((name, -high, high) for name, high in LARGEST.items())]
)
def test_a_value_at_the_limit_fits_and_one_beyond_is_refused(datatype: str, low: float, high: float) -> None:
    cells = read(body_of(tensor("x0", [3], datatype, [low, None, high])), ONE).batch.cells
    assert np.array_equal(cells[:, 0], [float(low), math.nan, float(high)], equal_nan=True)
    step: Any = 1 if isinstance(low, int) else high * 0.01
    for beyond in (low - step, high + step):
        error = refused(body_of(tensor("x0", [3], datatype, [low, None, beyond])), ONE)
        assert error.reason is Reason.WRONG_TYPE
        assert error.detail == {"field": "x0", "row": 2}
        assert datatype in error.message


def test_a_number_is_taken_as_sent_whatever_its_precision() -> None:
    assert read(body_of(tensor("x0", [1], "FP16", [0.1])), ONE).batch.cells.tolist() == [[0.1]]


# ---------------------------------------------------------------- what else a request says

GOOD = tensor("input-0", [1, 3], "FP64", [1.5, 2.5, 3.5])
TWO = tensor("input-0", [2, 3], "FP64", [1, 2, 3, 4, 5, 6])


def test_a_request_that_says_nothing_else_has_nothing_else() -> None:
    said: list[dict[str, Any]] = [
        {},
        {"id": None, "outputs": None, "parameters": None},
        {"outputs": [], "parameters": {}},
    ]
    for more in said:
        request = read(body_of(GOOD, **more))
        assert (request.id, request.outputs, request.event) == (None, None, None)
        assert fits(body_of(GOOD, **more), MIXED)


def test_unknown_keys_are_ignored() -> None:
    body = body_of(
        {**GOOD, "surprise": 1, "parameters": {"content_type": "np"}},
        surprise=1,
        model_name="other",
        parameters={"binary_data_output": True},
        outputs=[{"name": "score", "surprise": 1, "parameters": {"binary_data": True}}],
    )
    assert read(body, NUMBERS).batch.cells.tolist() == [[1.5, 2.5, 3.5]]
    assert fits(body, NUMBERS)


@pytest.mark.parametrize("parameters", [5, "binary_data_size", [], None, True])
def test_parameters_of_an_input_that_are_no_object_are_ignored(parameters: Any) -> None:
    assert read(body_of({**GOOD, "parameters": parameters}), NUMBERS).batch.cells.shape == (1, 3)


@pytest.mark.parametrize(("sent", "seconds"), [("1970-01-01T00:00:20Z", 20.0), (1.5, 1.5), (0, 0.0)])
def test_a_timestamp_is_the_time_of_all_rows(sent: Any, seconds: float) -> None:
    body = body_of(TWO, parameters={"timestamp": sent})
    event = read(body).event
    assert event is not None
    assert event.tolist() == [seconds, seconds]
    assert fits(body, MIXED)


def test_outputs_come_as_asked_for_and_once() -> None:
    body = body_of(GOOD, id="a", outputs=[{"name": "score"}, {"name": "prediction"}, {"name": "score"}])
    request = read(body)
    assert request.id == "a"
    assert request.outputs == ["score", "prediction"]
    assert fits(body, MIXED)


# ---------------------------------------------------------------- what is refused

SIZE = tensor("size", [2], "FP64", [1, 2])
BAD_SHAPES: list[Any] = [
    None, 3, "3", [], [1, 3, 1], [-1, 3], [1.0, 3], [True, 3], ["1", 3], [None], [1, 2**64], [1, [3]],
]  # fmt: skip
BAD_DATA: list[Any] = [5, "abc", {"0": 1}, True]
BAD_NESTS: list[Any] = [
    [[1, 2, 3], [4, 5]],
    [[1, 2, 3]],
    [[1, 2], [3, 4], [5, 6]],
    [[1, 2, 3], 4, 5, 6],
    [[1, 2, 3], 4],
    [[1, 2, 3], "456"],
    [[1, 2, 3, 4], [5, 6]],
]
A_BYTES = tensor("x", [1, 3], "BYTES", ["a", "b", "c"])
NO_DATA = {"name": "x", "shape": [1, 3], "datatype": "FP64"}
BINARY = {**NO_DATA, "parameters": {"binary_data_size": 24}}
BAD_ID = Reason.INVALID_PREDICTION_ID
BAD_IDS: list[Any] = [5, "", "a" * 129, "a\nb", [], True]
BAD_TIMES: list[Any] = ["", "yesterday", True, [], 1e300]
BAD_PARAMETERS: list[Any] = [5, [], "a", False]
BAD_OUTPUTS: list[Any] = [5, {}, "score", ["score"], [{"name": "score"}, None]]
STRANGE_OUTPUTS: list[Any] = [{"name": "scores"}, {}, {"name": ["score"]}, {"name": "x" * 10_000}]
Row = tuple[Any, Reason, dict[str, object], str]


def each(bodies: Sequence[Any], reason: Reason, detail: dict[str, object], words: str) -> list[Row]:
    """Return bodies that are refused for the same reason."""
    return [(body, reason, detail, words) for body in bodies]


def with_(key: str, values: Sequence[Any], good: dict[str, Any] = GOOD) -> list[Any]:
    return [body_of({**good, key: value}) for value in values]


REFUSED: list[Row] = [
    (b"\xff", Reason.NOT_UTF8, {}, "not UTF-8"),
    (b"{", Reason.NOT_JSON, {}, "not JSON"),
    ([], Reason.UNKNOWN_SHAPE, {}, "inputs"),
    (None, Reason.UNKNOWN_SHAPE, {}, "inputs"),
    ({"instances": [[1, 2, 3]]}, Reason.UNKNOWN_SHAPE, {}, "inputs"),
    ({"inputs": {}}, Reason.WRONG_TYPE, {"field": "inputs"}, "an object, not a list"),
    ({"inputs": []}, Reason.UNKNOWN_SHAPE, {"field": "inputs"}, "inputs is empty"),
    (body_of(GOOD, 5), Reason.WRONG_TYPE, {"field": "inputs[1]"}, "inputs[1] is not an object with a name"),
    (body_of({**GOOD, "name": 5}), Reason.WRONG_TYPE, {"field": "inputs[0]"}, "inputs[0]"),
    (body_of({"shape": [1]}), Reason.WRONG_TYPE, {"field": "inputs[0]"}, "inputs[0]"),
    *each(with_("shape", BAD_SHAPES), Reason.UNKNOWN_SHAPE, {"field": "input-0"}, "its shape must be"),
    (body_of(tensor("x", [0, 3], "FP64", [])), Reason.EMPTY_BATCH, {"field": "x"}, "no row"),
    (body_of(tensor("size", [0], "FP64", [])), Reason.EMPTY_BATCH, {"field": "size"}, "no row"),
    (
        body_of(tensor("x", [6, 3], "FP64", [0] * 18)),
        Reason.TOO_MANY_ROWS,
        {"field": "x", "limit": 5, "given": 6},
        "6 rows, the limit is 5",
    ),
    *each(with_("datatype", [None, "fp64", []]), Reason.WRONG_TYPE, {"field": "input-0"}, "FP64"),
    *each(with_("data", BAD_DATA), Reason.WRONG_TYPE, {"field": "input-0"}, "send a list"),
    *each(with_("data", BAD_NESTS, TWO), Reason.UNKNOWN_SHAPE, {"field": "input-0"}, "2 lists of 3"),
    (body_of({**GOOD, "data": [1, 2]}), Reason.UNKNOWN_SHAPE, {"field": "input-0"}, "2 values, its shape needs 3"),
    (body_of({**GOOD, "data": [1, 2, 3, 4]}), Reason.UNKNOWN_SHAPE, {"field": "input-0"}, "4 values, its shape needs"),
    (body_of({**GOOD, "data": []}), Reason.UNKNOWN_SHAPE, {"field": "input-0"}, "0 values, its shape needs 3"),
    (body_of({**SIZE, "data": [1]}), Reason.UNKNOWN_SHAPE, {"field": "size"}, "1 values, its shape needs 2"),
    (body_of({**SIZE, "data": [[1], [2]]}), Reason.WRONG_TYPE, {"field": "size", "row": 0}, "a list does not fit its"),
    (body_of({**TWO, "data": [1, 2, 3, 4, "5", 6]}), Reason.WRONG_TYPE, {"field": "input-0", "row": 1}, "the text '5'"),
    (body_of({**SIZE, "data": [1, True]}), Reason.WRONG_TYPE, {"field": "size", "row": 1}, "a boolean does not fit"),
    (body_of({**SIZE, "datatype": "INT8", "data": [1, 2.5]}), Reason.WRONG_TYPE, {"field": "size", "row": 1}, "INT8"),
    (body_of({**SIZE, "datatype": "UINT8", "data": [0, -1]}), Reason.WRONG_TYPE, {"field": "size", "row": 1}, "-1"),
    (body_of({**SIZE, "datatype": "BOOL", "data": [1, 2]}), Reason.WRONG_TYPE, {"field": "size", "row": 1}, "BOOL"),
    (body_of({**SIZE, "datatype": "BOOL", "data": [1, 1.0]}), Reason.WRONG_TYPE, {"field": "size", "row": 1}, "BOOL"),
    (body_of(tensor("shape", [1], "BYTES", [5])), Reason.WRONG_TYPE, {"field": "shape", "row": 0}, "a number"),
    (body_of(tensor("flag", [1], "BYTES", ["a"])), Reason.WRONG_TYPE, {"field": "flag", "row": 0}, "of its own"),
    (body_of(tensor("flag", [1], "BYTES", [None])), Reason.WRONG_TYPE, {"field": "flag", "row": 0}, "FP64"),
    (body_of(A_BYTES), Reason.WRONG_TYPE, {"field": "size", "row": 0}, "x is a tensor of BYTES"),
    (body_of(SIZE, SIZE), Reason.UNKNOWN_SHAPE, {"field": "size"}, "twice"),
    (body_of(SIZE, {**SIZE, "name": "sise"}), Reason.UNKNOWN_FEATURE, {"field": "sise"}, "size, shape, flag"),
    (body_of({**SIZE, "name": "sise"}), Reason.UNKNOWN_FEATURE, {"field": "sise"}, "[rows, 3]"),
    (body_of(tensor("x", [3], "FP64", [1, 2, 3])), Reason.UNKNOWN_FEATURE, {"field": "x"}, "shape [3]"),
    (
        body_of(tensor("size", [1, 4], "FP64", [1, 2, 3, 4])),
        Reason.WRONG_FEATURE_COUNT,
        {"field": "size", "expected": 3, "given": 4},
        "size, shape, flag",
    ),
    (
        body_of(tensor("size", [1, 0], "FP64", [])),
        Reason.WRONG_FEATURE_COUNT,
        {"field": "size", "expected": 3, "given": 0},
        "[1, 0]",
    ),
    (
        body_of(tensor("size", [1, 0], "INT8", [])),
        Reason.WRONG_FEATURE_COUNT,
        {"field": "size", "expected": 3, "given": 0},
        "[1, 0]",
    ),
    (
        body_of(tensor("size", [1, 3], "FP64", [1, 2, 3]), tensor("flag", [1], "FP64", [1])),
        Reason.WRONG_FEATURE_COUNT,
        {"field": "size", "expected": 3, "given": 3},
        "[rows, 3]",
    ),
    (
        body_of(SIZE, tensor("flag", [1], "BOOL", [True])),
        Reason.UNKNOWN_SHAPE,
        {"field": "flag", "expected": 2, "given": 1},
        "1 rows, size has 2",
    ),
    (body_of(NO_DATA), Reason.UNKNOWN_SHAPE, {"field": "x"}, "as JSON"),
    (body_of({**GOOD, "data": None}), Reason.UNKNOWN_SHAPE, {"field": "input-0"}, "as JSON"),
    (body_of(BINARY), Reason.UNKNOWN_SHAPE, {"field": "x"}, "as JSON"),
    (body_of({**BINARY, "data": [1, 2, 3]}), Reason.UNKNOWN_SHAPE, {"field": "x"}, "as JSON"),
    (json.dumps(body_of(BINARY)).encode() + b"\x00\x00\xf8\x3f", Reason.UNKNOWN_SHAPE, {}, "as JSON"),
    (json.dumps(body_of(BINARY)).encode() + b"\x00" * 24, Reason.UNKNOWN_SHAPE, {}, "as JSON"),
    *each([body_of(GOOD, id=bad) for bad in BAD_IDS], BAD_ID, {"field": "id", "row": 0}, "printable"),
    *each(
        [body_of(GOOD, parameters={"timestamp": bad}) for bad in BAD_TIMES],
        Reason.INVALID_TIMESTAMP,
        {"field": "timestamp", "row": 0},
        "RFC 3339",
    ),
    *each(
        [body_of(GOOD, parameters=bad) for bad in BAD_PARAMETERS],
        Reason.WRONG_TYPE,
        {"field": "parameters"},
        "send an object",
    ),
    *each(
        [body_of(GOOD, outputs=bad) for bad in BAD_OUTPUTS],
        Reason.WRONG_TYPE,
        {"field": "outputs"},
        "list of objects",
    ),
    *each(
        [body_of(GOOD, outputs=[bad]) for bad in STRANGE_OUTPUTS],
        Reason.UNKNOWN_SHAPE,
        {"field": "outputs"},
        "prediction, score, prediction_id",
    ),
    (b'{"inputs":[{"name":"size","shape":[1],"datatype":"FP64","data":[NaN]}]}', Reason.NOT_FINITE,
     {"field": "size", "row": 0}, "nan"),
    (b'{"inputs":[{"name":"size","shape":[2],"datatype":"FP32","data":[1,-Infinity]}]}', Reason.NOT_FINITE,
     {"field": "size", "row": 1}, "inf"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "reason", "detail", "words"), REFUSED, ids=lambda value: str(value)[:50])
def test_what_is_refused_names_the_reason_the_place_and_what_to_do(
    body: Any, reason: Reason, detail: dict[str, object], words: str
) -> None:
    error = refused(body)
    assert (error.reason, error.detail) == (reason, detail)
    assert words in error.message
    assert len(error.message) < 400
    orjson.dumps([error.message, error.detail])  # it can be sent


NOT_DOCUMENTED: list[Any] = [
    [], {}, body_of(), {"inputs": {}}, body_of(GOOD, 5), body_of(NO_DATA), body_of({**GOOD, "name": 5}),
    body_of({**GOOD, "shape": [1, 3, 1]}), body_of({**GOOD, "shape": ["1", 3]}), body_of({**GOOD, "shape": []}),
    body_of({**GOOD, "datatype": "fp64"}), body_of({**GOOD, "data": 5}), body_of({**GOOD, "data": []}),
    body_of({**GOOD, "data": [1, "2", 3]}), body_of({**GOOD, "data": [[1, True, 3]]}),
    body_of({**GOOD, "datatype": "INT8"}), body_of({**GOOD, "datatype": "BOOL", "data": [2, 0, 1]}),
    body_of(A_BYTES), body_of(tensor("shape", [1], "BYTES", [5])), body_of(tensor("flag", [1], "BYTES", ["a"])),
    body_of(SIZE, {**SIZE, "name": "sise"}), body_of(tensor("x", [3], "FP64", [1, 2, 3])),
    body_of(GOOD, id=5), body_of(GOOD, id=""), body_of(GOOD, id="a" * 129), body_of(GOOD, parameters=5),
    body_of(GOOD, parameters={"timestamp": True}), body_of(GOOD, outputs=["score"]), body_of(GOOD, outputs=[{}]),
    body_of(GOOD, outputs=[{"name": "scores"}]), body_of(GOOD, outputs="score"),
]  # fmt: skip


@pytest.mark.parametrize("body", NOT_DOCUMENTED, ids=lambda value: str(value)[:90])
def test_a_refused_body_is_not_documented(body: Any) -> None:
    refused(body)
    assert not fits(body, MIXED)


def test_a_missing_value_is_documented_where_the_model_takes_it() -> None:
    body = body_of(tensor("input-0", [1, 3], "FP64", [1, None, 3]))
    assert fits(body, NUMBERS)
    assert not fits(body, numeric(3, accepts_missing=False))


@pytest.mark.parametrize("name", [feature.name for feature in STRICT.features])
def test_a_missing_value_is_refused_where_the_model_takes_none(name: str) -> None:
    whole = {
        "size": tensor("size", [2], "FP64", [1, 2]),
        "shape": tensor("shape", [2], "BYTES", ["round", "flat"]),
        "flag": tensor("flag", [2], "BOOL", [True, False]),
    }
    read(body_of(*whole.values()), STRICT)
    for others, row in (({}, 0), ({name: {**whole[name], "data": [whole[name]["data"][0], None]}}, 1)):
        tensors = {**{key: value for key, value in whole.items() if key != name}, **others}
        error = refused(body_of(*tensors.values()), STRICT)
        assert error.reason is Reason.MISSING_FEATURE
        assert error.detail == {"field": name, "row": row}
        assert error.message.startswith(f"{name} is missing")


def test_a_long_name_is_not_sent_back_whole() -> None:
    error = refused(body_of(tensor("x" * 1_000_000, [1], "FP64", [1])))
    assert "x" * 39 + "…" in error.message
    assert len(error.message) + len(str(error.detail)) < 500


def test_all_rows_of_a_tensor_that_does_not_fit_are_counted() -> None:
    texts = tensor("x", [2, 3], "BYTES", list("abcdef"))
    for body, violated in (
        (body_of(texts), "type"),
        (body_of(tensor("sise", [2], "FP64", [1, 2])), "extra_columns"),
        (body_of(tensor("size", [2], "FP64", [1, 2]), tensor("sise", [2], "FP64", [1, 2])), "extra_columns"),
    ):
        error = refused(body)
        assert (error.violations, error.rows) == ({violated: 2}, 2), body
    lacking = refused(body_of(tensor("size", [2], "FP64", [1, None])), STRICT)
    assert (lacking.violations, lacking.rows) == ({"required": 2}, 2)


# ---------------------------------------------------------------- whatever comes

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
some_tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from([*NAMES, "x"]) | json_values,
        "shape": st.sampled_from([[1], [2], [1, 1], [2, 1], [1, 3], [2, 3]]) | st.lists(st.integers()) | json_values,
        "datatype": st.sampled_from(list(DATATYPES)) | json_values,
        "data": st.lists(json_categories | st.none(), max_size=6) | json_values,
        "parameters": json_values,
    },
)
some_bodies = json_values | st.fixed_dictionaries(
    {"inputs": st.lists(some_tensors, max_size=3) | json_values},
    optional={"id": json_values, "parameters": json_values, "outputs": json_values},
)


@given(some_bodies, st.sampled_from([MIXED, STRICT, NUMBERS, ONE, TEXTS]))
def test_any_json_value_is_understood_or_refused(body: Any, about: BundleInfo) -> None:
    try:
        request = read(json.dumps(body).encode(), about)
    except Refused as error:
        orjson.dumps({"code": error.reason, "message": error.message, "detail": error.detail})
        return
    assert 0 < len(request.batch) <= MAX_ROWS
    assert fits(body, about)


@given(st.binary())
def test_any_bytes_are_understood_or_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        read(body)


@pytest.mark.parametrize(
    ("datatype", "cells"), [("FP32", "NaN, 1" + "0" * 400), ("INT8", "1, 1" + "0" * 400), ("FP64", "NaN, 1e400")]
)
def test_a_number_beyond_every_float_is_refused(datatype: str, cells: str) -> None:
    sent = f'{{"inputs":[{{"name":"size","shape":[2],"datatype":"{datatype}","data":[{cells}]}}], "x": NaN}}'
    assert refused(sent.encode()).detail["field"] == "size"


@pytest.mark.parametrize("shape", ["1" + "0" * 400, "1, 1" + "0" * 400])
def test_a_size_beyond_64_bits_is_refused(shape: str) -> None:
    sent = f'{{"inputs":[{{"name":"size","shape":[{shape}],"datatype":"FP64","data":[1]}}], "x": NaN}}'
    error = refused(sent.encode())
    assert (error.reason, error.detail) == (Reason.UNKNOWN_SHAPE, {"field": "size"})
    assert "its shape must be" in error.message
    orjson.dumps(error.detail)


# ---------------------------------------------------------------- the answer


def written(request: InferRequest, answer: Answer, about: BundleInfo = MIXED, arrival: float = 0.0) -> dict[str, Any]:
    ids = InferV2(FeatureDecoder(about), about, 100).ids(request, arrival)
    content: dict[str, Any] = orjson.loads(write_infer(request, answer, about, arrival, ids))
    InferAnswer.model_validate(content, strict=True)
    document = InferAnswer.model_json_schema()
    assert problems(content, {key: value for key, value in document.items() if key != "$defs"}, document) == []
    return content


def test_one_row_has_the_id_of_its_request() -> None:
    assert written(read(body_of(GOOD, id="a")), Answer([1], [0.75], 0.001)) == {
        "model_name": "m",
        "model_version": "1",
        "id": "a",
        "outputs": [
            {"name": "prediction", "shape": [1], "datatype": "INT64", "data": [1]},
            {"name": "score", "shape": [1], "datatype": "FP64", "data": [0.75]},
            {"name": "prediction_id", "shape": [1], "datatype": "BYTES", "data": ["a"]},
        ],
    }


def test_one_row_without_an_id_gets_a_new_one() -> None:
    content = written(read(body_of(GOOD)), Answer([1], [0.75], 0.001), arrival=1_700_000_000.123)
    assert content["outputs"][2]["data"] == [content["id"]]
    assert int(content["id"].replace("-", "")[:12], 16) == 1_700_000_000_123


@pytest.mark.parametrize("sent", [{"id": "a"}, {}])
def test_many_rows_have_ids_of_their_own(sent: dict[str, str]) -> None:
    content = written(read(body_of(TWO, **sent)), Answer([1, 0], [0.75, 0.25], 0.001), arrival=1_700_000_000.123)
    ids = content["outputs"][2]["data"]
    assert content["id"] not in ids
    assert sent.get("id", content["id"]) == content["id"]
    assert len(ids) == 2
    assert ids == sorted(set(ids))
    assert {int(id_.replace("-", "")[:12], 16) for id_ in ids} == {1_700_000_000_123}
    assert [output["shape"] for output in content["outputs"]] == [[2], [2], [2]]


def test_the_outputs_are_those_that_were_asked_for() -> None:
    request = read(body_of(TWO, outputs=[{"name": "score"}, {"name": "prediction"}]))
    outputs = written(request, Answer([1, 0], [0.75, 0.25], 0.001))["outputs"]
    assert [(output["name"], output["data"]) for output in outputs] == [("score", [0.75, 0.25]), ("prediction", [1, 0])]


@pytest.mark.parametrize(
    ("classes", "label", "datatype"),
    [((0, 1), 1, "INT64"), ((False, True), True, "BOOL"), ((0.5, 1.5), 1.5, "FP64"), (("a", "b"), "b", "BYTES"),
     ((), 2.5, "FP64")],
)  # fmt: skip
def test_a_prediction_has_the_type_of_its_class(classes: tuple[Any, ...], label: Any, datatype: str) -> None:
    about = MIXED.model_copy(update={"classes": classes})
    output = written(read(body_of(GOOD)), Answer([label], [0.5], 0.001), about)["outputs"][0]
    assert output == {"name": "prediction", "shape": [1], "datatype": datatype, "data": [label]}
    assert model_metadata(about)["outputs"][0]["datatype"] == datatype


def test_an_error_is_a_code_and_a_message() -> None:
    content = orjson.loads(error_body(Reason.NOT_JSON, 'it is "so"'))
    assert V2Error.model_validate(content).error == 'not_json: it is "so"'


# ---------------------------------------------------------------- what describes it


def test_the_metadata_names_a_tensor_for_each_feature() -> None:
    content = model_metadata(MIXED)
    V2ModelMetadata.model_validate(content)
    assert content == {
        "name": "m",
        "versions": ["1"],
        "platform": "sklearn",
        "inputs": [
            {"name": "size", "datatype": "FP64", "shape": [-1]},
            {"name": "shape", "datatype": "BYTES", "shape": [-1]},
            {"name": "flag", "datatype": "BOOL", "shape": [-1]},
        ],
        "outputs": [
            {"name": "prediction", "datatype": "INT64", "shape": [-1]},
            {"name": "score", "datatype": "FP64", "shape": [-1]},
            {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
        ],
    }
    assert [output["name"] for output in content["outputs"]] == list(OUTPUTS)


def test_the_server_says_its_version() -> None:
    content = server_metadata("1.2.3")
    V2ServerMetadata.model_validate(content)
    assert content == {"name": "driftgauge", "version": "1.2.3", "extensions": []}


@pytest.mark.parametrize("name", MAKERS)
def test_the_documented_examples_are_the_samples_in_both_layouts(name: str, example_of: ExampleOf) -> None:
    about = example_of(name).bundle.info
    rows = [dict(sample.features) for sample in about.samples]
    expected = FeatureDecoder(about).decode(rows)
    examples = infer_schema(about, MAX_ROWS)["content"]["application/json"]["examples"]
    assert len(examples) == (2 if name in ("text", "category", "coded") else 4)
    for title, example in examples.items():
        batch = read(example["value"], about, 1000).batch
        first = FeatureDecoder(about).decode(rows[:1])
        assert alike(batch, first if title.startswith("one") else expected, about)
        assert fits(example["value"], about)


def test_a_model_without_samples_has_no_examples() -> None:
    assert infer_schema(MIXED, MAX_ROWS)["content"]["application/json"]["examples"] == {}
