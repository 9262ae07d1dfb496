"""Bodies that no honest client sends: other JSON, damaged JSON, and bytes that are none."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.examples import Example

NUMBERS: Sequence[Any] = [0, -1, 1e308, -1e308, 2**63, 10**400, 5e-324, float("nan"), float("inf"), True]
TEXTS: Sequence[str] = [
    "",
    "\x00",
    "\ud800",
    "é" * 300,
    "__proto__",
    "../../etc/passwd",
    "{{7*7}}",
    "NaN",
    '"',
    "\r\nx: y",
]
KEYS: Sequence[str] = [
    *("features", "instances", "data", "inputs", "dataframe_split", "dataframe_records", "columns", "parameters"),
    *("prediction_id", "prediction_ids", "timestamp", "timestamps", "id", "name", "shape", "datatype", "outputs"),
]
FRAGMENTS: Sequence[bytes] = [
    *(b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\\ud800", b"\xff", b"\xef\xbb\xbf", b"\x00", b"NaN", b"1e999"),
    *(b"[" * 400, b'{"a":' * 200, b"9" * 500, b"null", b"true", b"-", b"//", b"'", b'"features"', b"\xed\xa0\x80"),
]

cells = st.sampled_from([*NUMBERS, *TEXTS]) | st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    cells,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=4),
    max_leaves=12,
)


def honest(example: Example) -> list[dict[str, Any]]:
    """Bodies that the server answers with predictions, in each of its formats."""
    rows = example.rows(3)
    lists = [list(row.values()) for row in rows]
    tensor = {"name": "predict", "shape": [2, len(lists[0])], "datatype": "FP64", "data": lists[:2]}
    return [
        {"features": rows[0], "prediction_id": "a", "timestamp": 1.5},
        {"instances": rows, "timestamps": [None, 5, "2026-01-31T12:00:00Z"]},
        {"data": lists, "prediction_ids": ["a", "b", "c"]},
        {"inputs": [tensor], "id": "a"},
        {"dataframe_split": {"columns": list(rows[0]), "data": lists}},
    ]


@st.composite
def _changed(draw: st.DrawFn, body: Any) -> Any:
    """A body with one value changed, removed or added, somewhere inside."""
    if draw(st.integers(0, 3)) == 0 or not isinstance(body, dict | list) or not body:
        return draw(values)
    at = draw(st.sampled_from(list(body))) if isinstance(body, dict) else draw(st.integers(0, len(body) - 1))
    body = body.copy()
    if draw(st.integers(0, 5)) == 0:
        del body[at]
    elif isinstance(body, dict) and draw(st.integers(0, 5)) == 0:
        body[draw(st.sampled_from(KEYS) | st.text())] = draw(values)
    else:
        body[at] = draw(_changed(body[at]))
    return body


@st.composite
def damaged(draw: st.DrawFn, whole: bytes, fragments: Sequence[bytes] = FRAGMENTS) -> bytes:
    """Bytes with pieces cut out, doubled, overwritten and put in."""
    for _ in range(draw(st.integers(0, 3))):
        first, last = sorted((draw(st.integers(0, len(whole))), draw(st.integers(0, len(whole)))))
        piece = draw(st.sampled_from([b"", whole[first:last] * 2, *fragments]) | st.binary(max_size=8))
        whole = whole[:first] + piece + whole[last if draw(st.booleans()) else first :]
    return whole


def hostile(example: Example) -> st.SearchStrategy[bytes]:
    """Bodies of requests to predict, from almost honest to mere bytes."""
    bodies = st.sampled_from(honest(example))
    whole = bodies.map(lambda body: json.dumps(body).encode())
    changed = bodies.flatmap(_changed).map(lambda body: json.dumps(body).encode("utf-8", "surrogatepass"))
    return (
        whole
        | changed
        | values.map(lambda body: json.dumps(body).encode())
        | whole.flatmap(damaged)
        | st.binary(max_size=64)
    )


CODINGS: Mapping[bytes, Callable[[bytes], bytes]] = {b"gzip": gzip.compress, b"deflate": zlib.compress}


@st.composite
def encoded(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """A body that is perhaps compressed, with the fields that say so, which may lie."""
    body = draw(bodies)
    name = draw(st.sampled_from([b"", b"", b"", b"", *CODINGS, b"zstd", b"br", b"identity", b"gzip, gzip", b"\xff"]))
    if name in CODINGS and draw(st.integers(0, 3)):
        body = CODINGS[name](body)
        if draw(st.integers(0, 3)) == 0:
            body = draw(damaged(body))
    return body, [(b"content-encoding", name)] if name else []
