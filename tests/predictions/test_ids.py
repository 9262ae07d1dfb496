from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest
from driftgauge.predictions.ids import id_of_key, is_sampled, key_of
from hypothesis import example, given
from hypothesis import strategies as st

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(st.one_of(texts, st.uuids().map(str)))
@example("550E8400-E29B-41D4-A716-446655440000")
@example("550e8400e29b41d4a716446655440000")
@example("0123456789abcdef")
@example("0123456-89ab-cdef-0123-456789abcdef0")
@example("12345678-1234-1234-1234-1234567 9abc")
def test_an_id_is_read_back_as_it_was(id_: str) -> None:
    assert id_of_key(key_of(id_)) == id_


@given(
    st.lists(st.one_of(texts, st.uuids().map(str), st.text("0123456789abcdef", min_size=16, max_size=16)), unique=True)
)
def test_different_ids_have_different_keys(ids: list[str]) -> None:
    assert len({key_of(id_) for id_ in ids}) == len(ids)


def test_a_uuid_takes_16_bytes() -> None:
    own = uuid4()
    assert key_of(str(own)) == own.bytes


def test_a_text_as_long_as_a_uuids_bytes_is_no_uuid() -> None:
    text = UUID(int=0x41414141414141414141414141414141).bytes.decode()
    assert key_of(text) != UUID(int=0x41414141414141414141414141414141).bytes


@pytest.mark.parametrize("id_", ["", "a\0b", "0123456789abcde\0"])
def test_an_empty_id_and_one_with_nul_are_refused(id_: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{id_!r} is no prediction id")):
        key_of(id_)


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_share_of_ids_is_sampled(ratio: float) -> None:
    count = 20_000
    sampled = sum(is_sampled(key_of(f"order {number}"), ratio) for number in range(count))
    assert abs(sampled - ratio * count) <= 5.0 * (count * ratio * (1.0 - ratio)) ** 0.5


def test_a_larger_sample_contains_the_smaller() -> None:
    keys = [uuid4().bytes for _ in range(1_000)]
    assert all(is_sampled(key, 0.5) for key in keys if is_sampled(key, 0.2))
