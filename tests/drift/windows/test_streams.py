from __future__ import annotations

import math

import numpy as np
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.windows.streams import CodeCache, StreamRows, merged, newest_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import small_baseline, some_rows

BINNER = small_baseline().binner

# ---------------------------------------------------------------- codes that are kept


@settings(deadline=None, max_examples=examples(100))
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 400), st.integers(0, 300)), min_size=1, max_size=15),
    st.sampled_from([1, 7, 60, 200]),
)
def test_kept_codes_are_those_that_binning_again_would_give(queries: list[tuple[int, int, int]], rows: int) -> None:
    logs, cache = [some_rows(700, seed) for seed in range(2)], CodeCache(BINNER, rows)
    for key, begin, size in queries:
        values = logs[key][begin : begin + size]
        np.testing.assert_array_equal(cache.codes(key, begin, values), BINNER.codes(values))


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(st.integers(0, 90), min_size=1, max_size=20))
def test_rows_whose_codes_are_kept_are_not_binned_again(sizes: list[int]) -> None:
    values, cache, end = some_rows(2_000), CodeCache(BINNER, 60), 0
    for size in sizes:
        end += size
        cache.codes(0, end - size, values[end - size : end])
        held = min(60, end)
        other = values[end - held : end] + 1e6  # were they binned again, the codes would be others
        np.testing.assert_array_equal(cache.codes(0, end - held, other), BINNER.codes(values[end - held : end]))


def test_codes_of_streams_that_are_gone_are_forgotten() -> None:
    values, cache = some_rows(40), CodeCache(BINNER, 60)
    cache.codes(0, 0, values)
    cache.keep_only({1: None})
    other = some_rows(40, 1)
    np.testing.assert_array_equal(cache.codes(0, 0, other), BINNER.codes(other))


# ---------------------------------------------------------------- the order of rows


def _part(arrival: FloatArray, first: int, valid: list[bool]) -> StreamRows:
    """Return rows of a stream whose values and times say which they are."""
    numbers = np.arange(first, first + len(arrival), dtype=np.float64)
    whole = np.array(valid, np.bool_)
    return StreamRows(np.column_stack([numbers] * 4), np.where(whole, arrival, -math.inf), numbers, whole)


arrivals = st.lists(st.lists(st.integers(0, 9), max_size=12), min_size=1, max_size=4)


@given(arrivals, st.data())
def test_rows_are_merged_by_arrival_those_of_one_stream_in_their_own_order(
    logs: list[list[int]], data: st.DataObject
) -> None:
    parts, expected = [], []
    for log, own in enumerate(logs):
        valid = data.draw(st.lists(st.booleans(), min_size=len(own), max_size=len(own)))
        parts.append(_part(np.array(own, dtype=np.float64), 100 * log, valid))
        newest = -math.inf
        for row, (arrival, whole) in enumerate(zip(own, valid, strict=True)):
            newest = max(newest, arrival) if whole else newest  # a clock may go back: a row stays behind those before
            if whole:
                expected.append((newest, log, row))
    codes = [BINNER.codes(part.values) for part in parts]
    found = merged(parts, codes)
    assert found.at.tolist() == [100.0 * log + row for _, log, row in sorted(expected)]
    np.testing.assert_array_equal(found.values[:, 0], found.at)
    np.testing.assert_array_equal(found.codes, BINNER.codes(found.values))


@given(st.lists(st.lists(st.integers(0, 9), max_size=12).map(sorted), min_size=1, max_size=4), st.integers(0, 30))
def test_the_newest_rows_of_streams_are_those_that_arrived_last(logs: list[list[int]], rows: int) -> None:
    found = newest_of([np.array(own, dtype=np.float64) for own in logs], rows)
    order = sorted((arrival, log, row) for log, own in enumerate(logs) for row, arrival in enumerate(own))
    newest = [log for _, log, _ in order[max(0, len(order) - rows) :]]
    assert found == [newest.count(log) for log in range(len(logs))]
