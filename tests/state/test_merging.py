from __future__ import annotations

import numpy as np
import pytest
from driftgauge.state.merging import newest_rows
from driftgauge.state.shape import SLACK_ROWS
from driftgauge.state.state import State
from hypothesis import given
from hypothesis import strategies as st

from tests.monitors import START, some_rows
from tests.states import Overrunning, small_shape, unhurried

WINDOW = 60
batches = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 50), st.sampled_from([0.0, 0.5, 2.0, -1.5])), min_size=1, max_size=14
)


@unhurried
@given(batches, st.integers(0, WINDOW), st.integers(1, 3), st.booleans())
def test_the_newest_rows_of_all_states_are_in_the_order_of_their_arrival(
    sent: list[tuple[int, int, float]], wanted: int, states: int, around: bool
) -> None:
    own = [State(small_shape(WINDOW)) for _ in range(states)]
    if around:  # the ring of each has gone round, or is about to
        for state in own:
            state.append(some_rows(4_120), START - 100.0, np.full(4_120, START - 100.0))
    clocks = START + np.cumsum([jump for *_, jump in sent])
    rows = [some_rows(size, seed=step) for step, (_, size, _) in enumerate(sent)]
    for values, clock, (place, size, _) in zip(rows, clocks.tolist(), sent, strict=True):
        own[place % states].append(values, clock, np.full(size, clock))
    found = newest_rows([(state, state.take()) for state in own], wanted)
    sizes = [size for _, size, _ in sent]
    arrival, whose = np.repeat(clocks, sizes), np.repeat([place % states for place, *_ in sent], sizes)
    by_when = arrival.copy()  # where a clock went back, the row came after the one before it all the same
    for place in range(states):
        by_when[whose == place] = np.maximum.accumulate(by_when[whose == place])
    order = np.lexsort((whose, by_when))  # what came at the same moment by the number of its state
    newest = order[max(0, len(order) - wanted) :]
    assert found is not None
    assert len(found) == (wanted if around else len(newest))
    expected, own_rows = np.concatenate(rows)[newest], slice(len(found) - len(newest), None)
    np.testing.assert_array_equal(found.values[own_rows], expected)
    np.testing.assert_array_equal(found.codes[own_rows], small_shape(WINDOW).binner.codes(expected))
    np.testing.assert_array_equal(found.at[own_rows], arrival[newest])


# The newest 300 of 1,000 rows, in a ring of 300 + SLACK_ROWS. Of several states all their rows matter for the order.
@pytest.mark.parametrize(
    ("states", "rows", "whole"),
    [(1, SLACK_ROWS, True), (1, SLACK_ROWS + 1, False), (2, SLACK_ROWS - 700, True), (2, SLACK_ROWS - 699, False)],
)
def test_rows_that_were_overwritten_meanwhile_are_none(states: int, rows: int, whole: bool) -> None:
    own = [Overrunning(300, lambda state, before: state.write(rows)) for _ in range(states)]
    for state in own:
        state.write(1_000)
    found = newest_rows([(state, state.take()) for state in own], 300)
    assert (found is not None) == whole
