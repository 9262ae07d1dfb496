"""Rings of records: the newest ones are found, and a damaged one is left out alone."""

from __future__ import annotations

import numpy as np
from driftgauge.common.layout import Field, Layout, WordArray
from driftgauge.drift.bins import IntArray
from driftgauge.state.failpoints import no_failpoint
from driftgauge.state.rings import Ring
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples

LAYOUT = Layout([Field("values", "f4", (5,))])
CAPACITY = 7


def ring() -> tuple[Ring, WordArray]:
    words = np.zeros((CAPACITY, LAYOUT.words + 2), np.uint64)
    return Ring(LAYOUT, words, no_failpoint), words


def write(own: Ring, *numbers: int) -> None:
    words = [own.packed({"values": np.full(5, number, np.float32)}) for number in numbers]
    own.write(np.array(numbers), np.concatenate(words))


def held(own: Ring) -> list[int]:
    numbers, records = own.held()
    assert (records["values"] == numbers[:, np.newaxis].astype(np.float32)).all()
    found: list[int] = numbers.tolist()
    return found


def test_an_empty_ring_has_no_record() -> None:
    own, _ = ring()
    assert own.newest() is None
    assert held(own) == own.find(np.arange(CAPACITY))[0].tolist() == []


@given(st.lists(st.integers(-30, 30), min_size=1, max_size=20))
def test_the_newest_records_are_held_in_order(numbers: list[int]) -> None:
    own, _ = ring()
    there: dict[int, int] = {}
    for number in numbers:
        write(own, number)
        there[number % CAPACITY] = number
    newest = max(there.values())
    assert own.newest() == newest
    assert held(own) == sorted(number for number in there.values() if number > newest - CAPACITY)
    some: IntArray = np.arange(-30, 31)
    assert own.find(some)[0].tolist() == sorted(there.values())


def test_records_that_are_removed_are_gone() -> None:
    own, _ = ring()
    write(own, 1, 2, 3)
    own.empty(np.array([2]))
    assert held(own) == [1, 3]


@settings(deadline=None, max_examples=examples(200))
@given(
    st.integers(0, CAPACITY - 1),
    st.integers(0, (LAYOUT.words + 2) * 8 - 1),
    st.integers(1, 255),
    st.sampled_from([1, 8, 30]),
)
def test_a_record_of_which_any_byte_changed_is_left_out_alone(place: int, first: int, flip: int, length: int) -> None:
    own, words = ring()
    write(own, *range(10, 10 + CAPACITY))
    row = words[place].view(np.uint8)
    row[first : first + length] ^= flip
    damaged = next(number for number in range(10, 10 + CAPACITY) if number % CAPACITY == place)
    assert held(own) == [number for number in range(10, 10 + CAPACITY) if number != damaged]
    assert own.newest() == max(number for number in range(10, 10 + CAPACITY) if number != damaged)
    write(own, damaged)
    assert held(own) == [*range(10, 10 + CAPACITY)]
