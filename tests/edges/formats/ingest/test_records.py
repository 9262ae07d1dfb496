"""Records of a body: as many as may be, whichever way it has them, and large bodies as small ones."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from driftgauge.edges.formats.ingest import records
from driftgauge.edges.formats.ingest.records import Unreadable, records_of
from driftgauge.errors import Reason, Refused
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(st.sampled_from('a,[]{}"\\é\n'), max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)
PRETTY = json.dumps({"instances": list(range(50))}, indent=1).encode()


@pytest.mark.parametrize(
    "of",
    [
        lambda count: b"[" + b",".join([b"{}"] * count) + b"]",
        lambda count: b"[" + b",".join([b"{}"] * count),  # it breaks off
        lambda count: b"{}" * count,
        lambda count: b"{}\n" * count,
        lambda count: b"{\n}\n" * count,
        lambda count: b"{}\n\n \n" * count,
        lambda count: b"7\n" * count,
        lambda count: b"[" + b",".join([b'{"a": [1, 2, 3]}'] * count) + b"]",
    ],
    ids=["array", "broken", "stream", "lines", "pretty", "blank", "numbers", "wide"],
)
@pytest.mark.parametrize("at_once", [records.AT_ONCE_BYTES, 1])
def test_a_body_of_too_many_records_is_refused_as_a_whole(
    of: Any, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "AT_ONCE_BYTES", at_once)
    body = of(10)
    all_of_them = records_of(body).contents
    assert len([own for own in all_of_them if type(own) is not Unreadable]) == 10
    assert records_of(body, 11).contents[:10] == all_of_them[:10]
    with pytest.raises(Refused, match="send at most 9 records at once") as refused:
        records_of(body, 9)
    assert refused.value.reason is Reason.BODY_TOO_LARGE


def test_an_object_over_more_lines_than_records_may_be_is_one_record() -> None:
    assert len(records_of(PRETTY, 9).contents) == 1
    assert len(records_of(b'{"a": 1, "b": 2, "c": 3}', 1).contents) == 1


@given(st.lists(VALUES, max_size=5) | st.dictionaries(st.text(max_size=3), VALUES, max_size=5), st.integers(0, 3))
def test_a_large_body_is_read_as_a_small_one(value: Any, cut: int) -> None:
    body = orjson.dumps(value)
    body = body[: len(body) - cut]
    with pytest.MonkeyPatch.context() as patched:
        whole = records_of(body)
        patched.setattr(records, "AT_ONCE_BYTES", 1)
        in_pieces = records_of(body)
    assert [repr(own) for own in in_pieces.contents] == [repr(own) for own in whole.contents]
    assert [in_pieces.raw(at) for at in in_pieces.positions] == [whole.raw(at) for at in whole.positions]
