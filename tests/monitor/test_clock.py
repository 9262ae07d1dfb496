from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.monitor.clock import ArrivalClock, ClockName, EventClock, clock_named
from driftgauge.state.root import MAX_SLOTS
from hypothesis import given
from hypothesis import strategies as st

from tests.monitors import START

AHEAD = 300.0
ARRIVAL, EVENT = ArrivalClock(AHEAD), EventClock(AHEAD)

events = st.lists(
    st.one_of(
        st.sampled_from([math.nan, math.inf, -math.inf, START + AHEAD, math.nextafter(START + AHEAD, math.inf), START]),
        st.floats(-2e9, 2e9),
    ),
    min_size=1,
    max_size=12,
)
latest = st.sampled_from([-math.inf, START - 5.0, START + 200.0])


@given(events, latest)
def test_by_arrival_rows_are_dated_by_their_arrival(sent: list[float], before: float) -> None:
    arrival = START + np.arange(float(len(sent))) * 1e-6
    for event in (None, np.array(sent)):
        at, rejected = ARRIVAL.times(arrival, event, before)
        np.testing.assert_array_equal(at, arrival)
        assert rejected == (0 if event is None else int((event > arrival + AHEAD).sum()))


@given(events, latest)
def test_by_event_a_row_without_a_plausible_time_is_of_the_latest_event_before_it(
    sent: list[float], before: float
) -> None:
    arrival, event = np.full(len(sent), START), np.array(sent)
    at, rejected = EVENT.times(arrival, event, before)
    now, expected = before, []
    for own in sent:
        plausible = math.isfinite(own) and own <= START + AHEAD
        now = max(now, own) if plausible else now
        expected.append(own if plausible else now if math.isfinite(now) else START)
    assert at.tolist() == expected
    assert rejected == sum(own > START + AHEAD for own in sent)
    np.testing.assert_array_equal(event, sent)  # the caller's own array is left as it was


@given(events, st.integers(1, 12))
def test_by_event_times_do_not_depend_on_how_rows_are_batched(sent: list[float], at_once: int) -> None:
    arrival, event = np.full(len(sent), START), np.array(sent)
    whole, _ = EVENT.times(arrival, event, -math.inf)
    found: list[float] = []
    for first in range(0, len(sent), at_once):
        part = slice(first, first + at_once)
        found += EVENT.times(arrival[part], event[part], max(found, default=-math.inf))[0].tolist()
    if math.isfinite(event[0]) and event[0] <= START + AHEAD:  # before the first event rows are of their arrival
        assert found == whole.tolist()


@pytest.mark.parametrize("before", [-math.inf, START - 5.0])
def test_by_event_rows_without_events_are_of_the_latest_one_or_of_their_arrival(before: float) -> None:
    at, rejected = EVENT.times(np.full(3, START), None, before)
    assert (at.tolist(), rejected) == ([before if math.isfinite(before) else START] * 3, 0)


def test_it_is_as_late_as_the_day_or_as_the_latest_event() -> None:
    assert ARRIVAL.now(START - 9e5, START) == ARRIVAL.now(START + 9e5, START) == START
    assert (EVENT.now(START - 9e5, START), EVENT.now(-math.inf, START)) == (START - 9e5, START)


def test_times_far_later_than_now_are_implausible_by_arrival_only() -> None:
    assert ARRIVAL.limit(START) == START + 300.0
    assert EVENT.limit(START) == math.inf


@pytest.mark.parametrize(("name", "workers", "by_rows"), [("arrival", MAX_SLOTS, False), ("event", 1, True)])
def test_a_clock_has_its_name_and_says_how_many_workers_may_share_it(
    name: ClockName, workers: int, by_rows: bool
) -> None:
    clock = clock_named(name, 7.0)
    assert (clock.name, clock.max_workers, clock.latches_by_rows) == (name, workers, by_rows)
    assert clock.times(np.full(1, START), np.array([START + 8.0]), -math.inf)[1] == 1
    assert clock.times(np.full(1, START), np.array([START + 7.0]), -math.inf)[1] == 0
