"""What a body would cost is known before it is parsed: counted here by the parser itself, one byte after the other."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from driftgauge.edges.formats.large.structure import DEPTH, SLICE_BYTES, Structure, survey
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('a,[]{}"\\é'), max_size=9),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=6),
    max_leaves=40,
)


def counted(value: Any) -> tuple[int, int, int]:
    """Return a value's commas, lists and objects, and how deep these are in each other."""
    if not isinstance(value, list | dict):
        return 0, 0, 0
    inner = [counted(entry) for entry in (value.values() if isinstance(value, dict) else value)]
    return (
        max(0, len(inner) - 1) + sum(commas for commas, _, _ in inner),
        1 + sum(openings for _, openings, _ in inner),
        1 + max([deepest for _, _, deepest in inner], default=0),
    )


@given(VALUES, st.integers(1, 20))
def test_commas_brackets_and_depth_are_those_of_the_value(value: Any, size: int) -> None:
    body, structure = json.dumps(value).encode(), Structure()
    for first in range(0, len(body), size):
        structure.feed(body[first : first + size])

    assert (structure.commas, structure.openings, structure.deepest) == counted(value)
    assert structure.outermost_commas == max(0, len(value) - 1 if isinstance(value, list | dict) else 0)
    assert structure.bytes == len(body)
    assert not structure.is_torn


@given(VALUES, st.integers(1, 20))
def test_a_cut_is_a_comma_between_entries_of_what_is_open_there(value: Any, size: int) -> None:
    body, structure = json.dumps(value).encode(), Structure()
    for first in range(0, len(body), size):
        structure.feed(body[first : first + size])

    for cut in structure.cuts:
        assert body[cut.position : cut.position + 1] == b","
        closing = b"".join(b"]" if body[own.position] == ord("[") else b"}" for own in reversed(cut.opened))
        orjson.loads(body[: cut.position] + closing)  # what is before a cut is whole


def test_rows_are_cut_between_and_not_inside() -> None:
    row = {"temperature": 1.5, "distance": 2}
    body = orjson.dumps({"instances": [row] * 20_000})
    structure = survey(body)

    assert len(structure.cuts) == -(-len(body) // SLICE_BYTES)
    assert {len(cut.opened) for cut in structure.cuts} == {2}


@pytest.mark.parametrize("body", [b"[1]]", b"1,2", b"[1],[2]", b"}", b"[1]]" * 50_000])
def test_a_bracket_too_many_is_seen(body: bytes) -> None:
    assert survey(body).is_torn


def test_what_is_too_deep_is_known_after_the_first_slice() -> None:
    structure = survey(b"[" * 1_000_000)

    assert structure.is_too_deep
    assert DEPTH < structure.deepest <= SLICE_BYTES
    assert structure.bytes == 1_000_000


def test_a_survey_ends_with_the_slice_that_is_refused() -> None:
    seen: list[int] = []

    def check(structure: Structure) -> None:
        seen.append(structure.bytes)
        if len(seen) == 3:
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        survey(b"[" + b",".join([b"1.5"] * 500_000) + b"]", check)
    assert seen == [SLICE_BYTES, 2 * SLICE_BYTES, 3 * SLICE_BYTES]
