"""A body parsed in pieces is what the parser makes of it at once, and what it refuses is refused."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from driftgauge.edges.formats.large.pieces import NotJson, parsed
from driftgauge.edges.formats.large.structure import DEPTH, Structure, survey
from hypothesis import example, given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=6) | st.lists(st.tuples(st.text(max_size=3), inner), max_size=6),
    max_leaves=40,
)
"""Values of JSON; a list of pairs stands for an object, whose keys may be there twice."""
SPACES = st.sampled_from(["", "", " ", "\n", "\t \r\n"])
ASCII = st.booleans()


def written(value: Any, draw: Any) -> str:
    """Return a value as JSON that some writer could have sent."""
    if isinstance(value, list) and value and all(isinstance(entry, tuple) for entry in value):
        entries = [f"{written(key, draw)}{draw(SPACES)}:{written(inner, draw)}" for key, inner in value]
        return f"{draw(SPACES)}{{{','.join(entries)}}}{draw(SPACES)}"
    if isinstance(value, list):
        return f"{draw(SPACES)}[{','.join(written(entry, draw) for entry in value)}]{draw(SPACES)}"
    return f"{draw(SPACES)}{json.dumps(value, ensure_ascii=draw(ASCII))}{draw(SPACES)}"


@st.composite
def texts(draw: Any) -> bytes:
    """Return JSON, or what would be."""
    return written(draw(VALUES), draw).encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: Any) -> bytes:
    """Return JSON in which some bytes were left out, repeated or exchanged."""
    body = bytearray(draw(texts()))
    for _ in range(draw(st.integers(1, 3))):
        place, length = draw(st.integers(0, len(body))), draw(st.integers(0, 4))
        body[place : place + length] = draw(
            st.sampled_from([b"", b",", b"]", b"}", b"[", b"{", b'"', b"\\", b":", b"0"])
        )
    return bytes(body)


def structured(body: bytes, size: int) -> Structure:
    """Return the structure of a body that comes in slices of a size."""
    structure = Structure()
    for first in range(0, len(body), size):
        structure.feed(body[first : first + size])
    return structure


def at_once(body: bytes) -> str:
    """Return what the parser makes of a body, so that it can be compared: order, types and NaN included."""
    try:
        return repr(orjson.loads(body))
    except orjson.JSONDecodeError:
        return "not JSON"


def in_pieces(body: bytes, size: int) -> str:
    """Return what is made of it in slices of a size."""
    try:
        return repr(parsed(body, structured(body, size)))
    except NotJson:
        return "not JSON"


@given(texts(), st.integers(1, 40))
@example(b'{"a":[1,2],"b":3,"a":[4,{"a":5,"a":{"":6,"":[7,8]}}]}', 5)
@example(b'{"\\"a,[":"\\\\","\\\\\\"":[",","]",1,2]}', 3)
@example(b"[[],[],[[],[]],{},{}]", 2)
def test_pieces_make_the_value_that_the_body_has_at_once(body: bytes, size: int) -> None:
    assert in_pieces(body, size) == at_once(body)


@given(damaged(), st.integers(1, 12))
@example(b"[1,]", 1)
@example(b"[,1]", 1)
@example(b"[1,,2]", 1)
@example(b'{"a":1,}', 2)
@example(b'{,"a":1}', 1)
@example(b'{"a":1,,"b":2}', 1)
@example(b"[1,2", 1)
@example(b"[1,2]]", 1)
@example(b"[1,2},3]", 1)
@example(b"[1],[2]", 1)
@example(b"1,2", 1)
@example(b'[1,"2]', 1)
@example(b"[[1,2] [3,4],5]", 2)
@example(b"", 1)
@example(b'["\xff",1]', 2)
@example(b'["\xc3,1,"\xa9"]', 1)
@example(b'[1,\\"a",2]', 2)
def test_what_is_not_json_at_once_is_not_in_pieces_either(body: bytes, size: int) -> None:
    assert in_pieces(body, size) == at_once(body)


@pytest.mark.parametrize("key", ["", "0", "-", "+"])
def test_no_key_is_taken_for_a_seam(key: str) -> None:
    body = orjson.dumps({"a": {key: [1, 2, 3], "b": {key: 4, "c": 5}}, key: {key: {key: 6, "d": 7}}})

    assert all(in_pieces(body, size) == at_once(body) for size in range(1, len(body)))


@pytest.mark.parametrize(("opening", "entry", "closing"), [(b"[", b"1,2", b"]"), (b'{"a":', b"1", b"}")])
def test_the_depth_that_the_parser_takes_is_taken(opening: bytes, entry: bytes, closing: bytes) -> None:
    deep = opening * DEPTH + entry + closing * DEPTH
    too_deep = opening + deep + closing
    value, expected = parsed(deep, structured(deep, 64)), orjson.loads(deep)
    while isinstance(value, dict) or (isinstance(value, list) and len(value) == 1):
        value, expected = (value["a"], expected["a"]) if isinstance(value, dict) else (value[0], expected[0])

    assert value == expected == orjson.loads(entry if opening != b"[" else b"[" + entry + b"]")
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(too_deep)
    with pytest.raises(NotJson, match=r"nested more than 1,024 deep"):
        parsed(too_deep, structured(too_deep, 64))


def test_a_deep_and_wide_body_is_cut_all_the_same() -> None:
    wide = b"[" * 1_000 + b",".join([b"1"] * 200_000) + b"]" * 1_000
    structure = survey(wide)

    value, expected = parsed(wide, structure), orjson.loads(wide)
    while len(value) == 1:
        value, expected = value[0], expected[0]

    assert len(structure.cuts) > 1
    assert value == expected == [1] * 200_000


def test_where_it_is_not_json_is_said() -> None:
    body = b'{"data": [' + b"1," * 100_000 + b"oops]}"

    with pytest.raises(NotJson, match=r"near byte 20001\d"):
        parsed(body, survey(body))
