from __future__ import annotations

import math

import numpy as np
import pytest
from driftgauge.metrics.counters import counter_fields
from driftgauge.metrics.series import CounterSpec, each, monitor_series
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import counters_of

COUNTED = CounterSpec("counted_total", "counter", "Counted.", ("kind",), each(["a", "b"]))
TIMED = CounterSpec("timed_seconds", "histogram", "Timed.", ("kind",), each(["a", "b"]), (0.0, 0.5, 1.0, 2.5))
SERIES = (COUNTED, TIMED)

unhurried = settings(deadline=None, max_examples=examples(60))


def test_counters_are_zero_from_the_start() -> None:
    copied = counters_of(SERIES).copy()
    assert {name: array.shape for name, array in copied.items()} == {COUNTED.name: (2, 1), TIMED.name: (2, 6)}
    assert not any(array.any() for array in copied.values())


def test_a_counter_adds_to_its_own_child() -> None:
    counters = counters_of(SERIES)
    counters.add(COUNTED.name, 1, "a")
    counters.add(COUNTED.name, 2.5, "a")
    counters.add(COUNTED.name, 4, "b")
    np.testing.assert_array_equal(counters.copy()[COUNTED.name], [[3.5], [4.0]])
    assert not counters.copy()[TIMED.name].any()


edges = st.sampled_from(TIMED.buckets)
beside = st.tuples(edges, st.sampled_from([-math.inf, math.inf])).map(lambda pair: math.nextafter(*pair))
observed = st.lists(st.one_of(edges, beside, st.floats(-1e6, 1e6)), max_size=50)


@unhurried
@given(st.lists(observed, min_size=1, max_size=4))
def test_a_histogram_counts_like_numpy_with_inclusive_upper_edges(batches: list[list[float]]) -> None:
    counters = counters_of(SERIES)
    for batch in batches:
        counters.observe(TIMED.name, np.array(batch), "b")
    values = np.array([value for batch in batches for value in batch])
    # numpy's bins include their lower edge: mirrored, they include the upper one.
    mirrored, _ = np.histogram(-values, bins=[-np.inf, *(-np.array(TIMED.buckets[::-1])), np.inf])
    row = counters.copy()[TIMED.name][1]
    np.testing.assert_array_equal(row[:-1], mirrored[::-1])
    np.testing.assert_array_equal(np.cumsum(row[:-2]), [(values <= edge).sum() for edge in TIMED.buckets])
    assert row[-1] == pytest.approx(values.sum(), rel=1e-9, abs=1e-6)
    assert not counters.copy()[TIMED.name][0].any()


def test_a_single_number_is_observed_like_an_array_of_one() -> None:
    counters = counters_of(SERIES)
    counters.observe(TIMED.name, 0.5, "a")
    counters.observe(TIMED.name, np.array([0.5]), "b")
    np.testing.assert_array_equal(counters.copy()[TIMED.name], [[0, 1, 0, 0, 0, 0.5]] * 2)


@pytest.mark.parametrize("labels", [(), ("c",), ("a", "b")])
def test_a_child_that_was_not_declared_is_a_key_error(labels: tuple[str, ...]) -> None:
    counters = counters_of(SERIES)
    assert not counters.has(COUNTED.name, *labels)
    with pytest.raises(KeyError):
        counters.add(COUNTED.name, 1, *labels)
    with pytest.raises(KeyError):
        counters.observe(TIMED.name, 1.0, *labels)
    assert counters.has(COUNTED.name, "a")


def test_a_series_that_was_not_declared_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        counters_of(SERIES).add("unknown_total")


def test_a_copy_of_the_counters_stays_as_it_was() -> None:
    counters = counters_of(SERIES)
    counters.add(COUNTED.name, 1, "a")
    before = counters.copy()
    counters.add(COUNTED.name, 1, "a")
    assert before[COUNTED.name][0, 0] == 1.0
    before[COUNTED.name][:] = 99.0
    assert counters.copy()[COUNTED.name][0, 0] == 2.0


def test_every_series_of_a_monitor_has_its_place() -> None:
    series = monitor_series()
    found = counter_fields(series)
    assert [field.name for field in found] == [spec.name for spec in series]
    assert [field.shape for field in found] == [(len(spec.children), spec.width) for spec in series]
