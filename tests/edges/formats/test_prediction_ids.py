from __future__ import annotations

import uuid

from driftgauge.edges.formats.prediction_ids import time_ordered_ids
from hypothesis import given
from hypothesis import strategies as st

times = st.floats(0.0, 2**48 / 1000 - 1)
counts = st.integers(0, 200)


@given(times, counts)
def test_ids_are_uuids_of_version_7(at: float, count: int) -> None:
    ids = time_ordered_ids(at, count)
    assert len(ids) == count
    for text in ids:
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


@given(times, counts)
def test_ids_begin_with_their_milliseconds(at: float, count: int) -> None:
    assert {uuid.UUID(text).int >> 80 for text in time_ordered_ids(at, count)} <= {int(at * 1000)}


@given(times, counts)
def test_ids_of_one_call_ascend(at: float, count: int) -> None:
    ids = time_ordered_ids(at, count)
    assert ids == sorted(set(ids))


@given(times, times)
def test_ids_sort_by_their_time(one: float, other: float) -> None:
    earlier, later = sorted((one, other))
    if int(earlier * 1000) < int(later * 1000):
        assert max(time_ordered_ids(earlier, 20)) < min(time_ordered_ids(later, 20))


def test_ids_of_one_moment_differ() -> None:
    ids = [text for _ in range(500) for text in time_ordered_ids(1_700_000_000.0, 20)]
    assert len(set(ids)) == len(ids)


def test_a_large_batch_keeps_its_order() -> None:
    ids = time_ordered_ids(1_700_000_000.123, 20_000)
    assert ids == sorted(set(ids))
    assert {text[:13] for text in ids} == {"018bcfe5-687b"}
