from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.merging import newest_rows
from app.state import State
from app.state_shape import SLACK_ROWS
from tests.monitors import START, some_rows
from tests.states import Overrunning, small_shape, unhurried

WINDOW = 60
batches = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 50), st.sampled_from([0.0, 0.5, 2.0])), min_size=1, max_size=14
)


@unhurried
@given(batches, st.integers(0, WINDOW), st.integers(1, 3))
def test_the_newest_rows_of_all_states_are_in_the_order_of_their_arrival(
    sent: list[tuple[int, int, float]], wanted: int, states: int
) -> None:
    own = [State(small_shape(WINDOW)) for _ in range(states)]
    clocks = START + np.cumsum([jump for *_, jump in sent])
    rows = [some_rows(size, seed=step) for step, (_, size, _) in enumerate(sent)]
    for values, clock, (place, size, _) in zip(rows, clocks.tolist(), sent, strict=True):
        own[place % states].append(values, clock, np.full(size, clock))
    found = newest_rows([(state, state.take()) for state in own], wanted)
    sizes = [size for _, size, _ in sent]
    arrival, whose = np.repeat(clocks, sizes), np.repeat([place % states for place, *_ in sent], sizes)
    order = np.lexsort((whose, arrival))  # what came at the same moment by the number of its state
    newest = order[max(0, len(order) - wanted) :]
    assert found is not None
    expected = np.concatenate(rows)[newest]
    np.testing.assert_array_equal(found.values, expected)
    np.testing.assert_array_equal(found.codes, small_shape(WINDOW).binner.codes(expected))
    np.testing.assert_array_equal(found.at, arrival[newest])


@pytest.mark.parametrize(("rows", "whole"), [(1, True), (2 * SLACK_ROWS, False)])
@pytest.mark.parametrize("states", [1, 2])
def test_rows_that_were_overwritten_meanwhile_are_none(rows: int, whole: bool, states: int) -> None:
    own = [Overrunning(300, lambda state, before: state.write(rows)) for _ in range(states)]
    for state in own:
        state.write(1_000)
    found = newest_rows([(state, state.take()) for state in own], 300)
    assert (found is not None) == whole
