"""A request read in pieces is the request that it is at once: the same rows, ids and times, or the same refusal."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pytest
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.formats.infer_v2 import read_infer
from driftgauge.edges.formats.large.chunks import CHUNK, chunks, joined
from driftgauge.edges.formats.large.extent import Extent
from driftgauge.edges.formats.large.structure import Structure, survey
from driftgauge.edges.formats.predict_json import read_request
from driftgauge.errors import Reason, Refused
from driftgauge.models.bundle import BundleInfo
from hypothesis import given
from hypothesis import strategies as st

from tests.edges.formats.test_features import info, numeric

MAX_ROWS = 12
MIXED, STRICT, NUMBERS = info(), info(accepts_missing=False), numeric(3)
CELLS = st.one_of(
    *(st.none(), st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.sampled_from(["round", 'a "b", [c]', "é\\"])),
    st.sampled_from([float("nan"), 2**80, 10**400, [], {}]),
)
ROWS = st.lists(CELLS, min_size=2, max_size=4) | st.dictionaries(
    st.sampled_from(["size", "shape", "flag", "other", "x0", "x1", "x2"]), CELLS, max_size=4
)
GOOD = st.lists(st.fixed_dictionaries({"size": st.floats(-9, 9), "shape": st.just("round"), "flag": st.booleans()}))
NUMERIC = st.lists(st.lists(st.floats(-9, 9), min_size=3, max_size=3), max_size=MAX_ROWS + 2)
MANY = st.lists(ROWS, max_size=MAX_ROWS + 2) | GOOD | NUMERIC
IDS = st.lists(st.text(max_size=3) | st.just("an-id"), max_size=4) | st.none()
TIMES = st.lists(st.none() | st.integers(0, 10**10) | st.just("2026-01-31T12:00:00Z"), max_size=4) | st.none()
BODIES = st.fixed_dictionaries(
    {}, optional={"instances": MANY, "data": MANY, "prediction_ids": IDS, "timestamps": TIMES, "strange": CELLS}
)
TENSORS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["size", "shape", "flag", "x0", "x", 'é"']),
        "shape": st.sampled_from([[2], [2, 1], [2, 3], [3], [20], [0]]),
        "datatype": st.sampled_from(["FP64", "INT8", "BYTES", "BOOL", "UINT64", "FP16"]),
        "data": st.lists(CELLS, min_size=2, max_size=6) | st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=3),
    },
    optional={"parameters": st.dictionaries(st.text(max_size=2), CELLS, max_size=2)},
)
INFERS = st.fixed_dictionaries({"inputs": st.lists(TENSORS, max_size=3)}, optional={"id": CELLS, "parameters": CELLS})


def structured(body: bytes, size: int) -> Structure:
    structure = Structure()
    for first in range(0, len(body), size):
        structure.feed(body[first : first + size])
    return structure


def understood(body: bytes, about: BundleInfo, structure: Structure | None, *, v2: bool) -> str:
    """Return all that is understood of a body, or why it is refused, so that it can be compared."""
    decoder = FeatureDecoder(about)
    try:
        if v2:
            return repr(read_infer(body, decoder, about, MAX_ROWS, structure))
        return repr(read_request(body, decoder, MAX_ROWS, structure))
    except Refused as error:
        where = "" if error.reason in (Reason.NOT_JSON, Reason.NOT_FINITE) else error.message
        return f"{error.reason} {where} {error.detail}"


@given(BODIES, st.integers(1, 60), st.sampled_from([MIXED, STRICT, NUMBERS]), st.integers(0, 3), st.booleans())
def test_a_request_in_pieces_is_the_one_at_once(
    content: Any, size: int, about: BundleInfo, lost: int, escapes: bool
) -> None:
    text = json.dumps(content, ensure_ascii=escapes, indent=size % 3 or None).replace("NaN", "1e400")
    body = text.encode()[: len(text.encode()) - lost]

    pieces = understood(body, about, structured(body, size), v2=False)

    # In a small body at once, what is not quite JSON is read again by Python; in pieces it is not.
    if pieces.startswith("not_json"):
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(body)
    else:
        assert pieces == understood(body, about, None, v2=False)


@given(INFERS, st.integers(1, 60), st.sampled_from([MIXED, STRICT, NUMBERS]))
def test_tensors_in_pieces_are_those_at_once(content: Any, size: int, about: BundleInfo) -> None:
    body = json.dumps(content).replace("NaN", "1e9").encode()

    pieces = understood(body, about, structured(body, size), v2=True)

    if pieces.startswith("not_json"):
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(body)
    else:
        assert pieces == understood(body, about, None, v2=True)


# ---------------------------------------------------------------- many rows


LOTS = np.random.default_rng(0).normal(size=(CHUNK // 2, 3))
"""More values than are worked on at once."""
LATE = len(LOTS) - 2


def read_lots(content: Any, *, v2: bool = False) -> Any:
    body = orjson.dumps(content)
    decoder = FeatureDecoder(NUMBERS)
    if v2:
        return read_infer(body, decoder, NUMBERS, len(LOTS), survey(body))
    return read_request(body, decoder, len(LOTS), survey(body))


@pytest.mark.parametrize("named", [False, True])
def test_many_rows_keep_their_values_and_order(named: bool) -> None:
    rows = [dict(zip(("x0", "x1", "x2"), row, strict=True)) for row in LOTS.tolist()] if named else LOTS.tolist()
    names = [f"{place:x}" for place in range(len(LOTS))]

    request = read_lots({"instances": rows, "prediction_ids": names, "timestamps": list(range(len(LOTS)))})

    assert np.array_equal(request.batch.cells, LOTS)
    assert request.ids == names
    assert request.event.tolist() == list(range(len(LOTS)))


@pytest.mark.parametrize("data", [LOTS.ravel().tolist(), LOTS.tolist()])
def test_a_large_tensor_keeps_its_values_and_order(data: Any) -> None:
    sent = {"name": "x", "shape": list(LOTS.shape), "datatype": "FP64", "data": data}

    assert np.array_equal(read_lots({"inputs": [sent]}, v2=True).batch.cells, LOTS)


@pytest.mark.parametrize(
    ("cell", "reason"), [("text", Reason.WRONG_TYPE), (None, Reason.MISSING_FEATURE), (10**18 * 1.0, None)]
)
def test_a_late_row_is_refused_by_its_number(cell: Any, reason: Reason | None) -> None:
    about = numeric(3).model_copy(
        update={"features": tuple(own.model_copy(update={"accepts_missing": False}) for own in numeric(3).features)}
    )
    rows = LOTS.tolist()
    rows[LATE][1] = cell
    body = orjson.dumps({"data": rows})
    if reason is None:
        request = read_request(body, FeatureDecoder(about), len(LOTS), survey(body))
        assert request.batch.cells[LATE, 1] == cell
        return

    with pytest.raises(Refused) as caught:
        read_request(body, FeatureDecoder(about), len(LOTS), survey(body))

    assert caught.value.reason is reason
    assert caught.value.detail == {"field": about.features[1].name, "row": LATE}


@pytest.mark.parametrize(("datatype", "value"), [("INT8", 128), ("INT8", 1.5), ("UINT8", -1)])
def test_a_late_value_that_is_not_of_its_datatype_is_found(datatype: str, value: Any) -> None:
    data = [7] * LOTS.size
    data[3 * LATE + 1] = value

    with pytest.raises(Refused) as caught:
        read_lots({"inputs": [{"name": "x", "shape": list(LOTS.shape), "datatype": datatype, "data": data}]}, v2=True)

    assert caught.value.reason is Reason.WRONG_TYPE
    assert caught.value.detail == {"field": "x", "row": LATE}


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1])
def test_chunks_are_all_values_in_order(count: int) -> None:
    values = list(range(count))
    parts = list(chunks(values))

    assert [value for part in parts for value in part] == values
    assert max(map(len, parts)) <= CHUNK
    assert joined([[value] for value in values], 1) == values


# ---------------------------------------------------------------- what holds too much


EXTENT = Extent(rows=1_000, features=3)


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        ({"data": [[]] * 5_000}, Reason.TOO_MANY_ROWS, "more than 2,048 lists and objects"),
        ({"data": [{}] * 5_000}, Reason.TOO_MANY_ROWS, "more than 2,048 lists and objects"),
        (
            {"features": [1] * 10_000},
            Reason.TOO_MANY_ROWS,
            "more than 7,048 values, which is more than 1,000 rows of 3",
        ),
        ({f"k{place}": 1 for place in range(10_000)}, Reason.TOO_MANY_ROWS, "more than 7,048 values"),
    ],
)
def test_more_than_the_largest_request_can_hold_is_refused_unparsed(body: Any, reason: Reason, says: str) -> None:
    with pytest.raises(Refused, match=says) as caught:
        EXTENT.refuse(survey(orjson.dumps(body)))
    assert caught.value.reason is reason
    assert caught.value.detail == {"limit": 1_000}


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_too_deep_is_refused_unparsed(body: bytes) -> None:
    with pytest.raises(Refused, match="nested more than 1,024 deep") as caught:
        EXTENT.refuse(survey(body))
    assert caught.value.reason is Reason.NOT_JSON


def test_the_largest_requests_are_within_the_extent() -> None:
    row, count = {"x0": 1, "x1": 2, "x2": 3}, EXTENT.rows
    tensor = {"shape": [count], "datatype": "FP64", "parameters": {"content_type": "np"}, "data": [1] * count}
    beside = {"prediction_ids": ["a"] * count, "timestamps": [0] * count}
    for body in (
        {"instances": [row] * count, **beside},
        {"data": [[1, 2, 3]] * count, **beside},
        {"dataframe_split": {"columns": list(row), "index": [0] * count, "data": [[1, 2, 3]] * count}, **beside},
        {"inputs": [{"name": name, **tensor} for name in row]},
        {"inputs": [{"name": "x", "shape": [count, 3], "datatype": "FP64", "data": [[1, 2, 3]] * count}]},
    ):
        structure = survey(orjson.dumps(body))
        EXTENT.refuse(structure)
        assert count // 2 <= EXTENT.least_rows(structure) <= count


def test_a_request_has_a_row_at_least() -> None:
    assert EXTENT.least_rows(survey(b"{}")) == 1
