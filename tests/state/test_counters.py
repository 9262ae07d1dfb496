from __future__ import annotations

import threading

import numpy as np
from driftgauge.state.counters import OwnCounters

from tests.states import COUNTED, TIMED, assert_same_counters, small_shape

SHAPE = small_shape(10)


def test_counters_begin_at_0() -> None:
    own = OwnCounters(SHAPE)
    assert own.rows[0] == 0
    assert {name for name, array in own.copied().items() if array.any()} == set()
    assert own.copied().keys() == {field.name for field in SHAPE.counted.fields}


def test_several_threads_count_without_losing_any() -> None:
    own = OwnCounters(SHAPE)

    def count() -> None:
        for _ in range(2_000):
            with own.counting() as counters:
                counters.add(COUNTED.name, 1, "a")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert own.copied()[COUNTED.name][0, 0] == 8_000.0


def test_a_copy_stays_as_it_was() -> None:
    own = OwnCounters(SHAPE)
    own.rows[0] = 5
    before = own.copied()
    own.rows[0] = 7
    with own.counting() as counters:
        counters.add(COUNTED.name, 1, "b")
        counters.observe(TIMED.name, [0.7], "a")
    assert before["rows"].tolist() == [5]
    assert not (before[COUNTED.name].any())
    assert not (before[TIMED.name].any())
    assert own.copied()["rows"].tolist() == own.rows.tolist() == [7]


def test_the_words_are_all_of_the_counters() -> None:
    own, other = OwnCounters(SHAPE), OwnCounters(SHAPE)
    with own.counting() as counters:
        counters.add(COUNTED.name, 3, "b")
    own.process[:] = np.arange(len(own.process))
    own.rows[0] = 9
    other.words[:] = own.words
    assert_same_counters(other.copied(), own.copied())
    assert (other.rows[0], other.process.tolist()) == (9, own.process.tolist())
