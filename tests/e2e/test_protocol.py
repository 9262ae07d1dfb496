"""Writers that are killed anywhere, beside readers that look all the time."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from driftgauge.state.points import POINTS
from driftgauge.state.store import Store

from tests.writers import (
    LATER,
    SPANS,
    STOP,
    Crew,
    Line,
    arrival,
    check_snapshot,
    counted_rows,
    crew,
    recount,
    store_in,
    weigh,
)

pytestmark = pytest.mark.e2e

KILLS = 5
READERS = 2
SMALL, LARGE = 1_000, 20_000
"""Rows of a window: of a ring that has come round long ago, and of one that never will."""
RING_FULL = 12_000


@pytest.fixture(scope="module")
def workers() -> Iterator[Crew]:
    with crew() as own:
        yield own


@pytest.mark.parametrize("window_rows", [SMALL, pytest.param(LARGE, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "point", [*POINTS[2:4], *(pytest.param(point, marks=pytest.mark.long) for point in (*POINTS[:2], *POINTS[4:]))]
)
def test_a_writer_that_is_killed_leaves_all_that_it_acknowledged_and_nothing_by_half(
    workers: Crew, point: str, window_rows: int, tmp_path: Path
) -> None:
    generator = np.random.default_rng([zlib.crc32(point.encode()), window_rows])
    store = store_in(tmp_path, window_rows)
    slot, known = READERS + 1, (0, 0)
    with _reading(workers, tmp_path, window_rows) as said_by_readers:
        if window_rows == SMALL:
            workers.append(tmp_path, RING_FULL, "killed", window_rows=window_rows)
            known = RING_FULL, RING_FULL
        for _ in range(KILLS):
            nth = int(generator.integers(1, 15))
            said = workers.ask("write", tmp_path, window_rows, point, nth, int(generator.integers(1_000)))
            assert said[-1] == ["ended", "-9"], "it was killed where it should be"
            known = _checked(store, window_rows, said[:-1], slot, known)
            with store.evaluating():
                weigh(store)
        weighed = [own.counts for own in store.remembered().counted.values() if own.counts.any()]
        np.testing.assert_array_equal(weighed, [recount(0, known[0])])
    _check_readers(said_by_readers, known[0])


@contextmanager
def _reading(workers: Crew, folder: Path, window_rows: int) -> Iterator[list[Line]]:
    """Let readers read meanwhile; what they say at the end is there afterwards."""
    said: list[Line] = []
    for reader in range(READERS):
        workers.ask("read", folder, window_rows, reader == 0, until="reading")
    try:
        yield said
    finally:
        (folder / STOP).touch()
        said += workers.joined()


def _checked(store: Store, window_rows: int, said: list[Line], slot: int, before: tuple[int, int]) -> tuple[int, int]:
    """Compare a state with what its writer said before it was killed; returns its rows and how many it had counted."""
    begun, acknowledged = before[0], before
    for what, *numbers in said:
        if what == "taken":
            number, rows, counted, recoveries = map(int, numbers)
            assert recoveries == 0, "what it found was as good as if nobody had been killed"
            assert (number, rows, counted) == (slot, before[0], before[0])
        elif what == "begun":
            begun = int(numbers[0])
        else:
            acknowledged = int(numbers[0]), int(numbers[0])
    # Rows that its predecessor did not count it has counted, but others know of it only with its first batch.
    rows, counted = store.rows, counted_rows(store)
    assert acknowledged[0] <= rows <= begun
    assert acknowledged[1] <= counted <= rows
    assert counted in (acknowledged[1], rows)
    snapshot = store.snapshot(LATER)
    assert snapshot.observed == rows
    check_snapshot(snapshot, window_rows)
    np.testing.assert_array_equal(store.bin_rows(), recount(0, rows))
    _check_time_windows(store, rows)
    return rows, counted


def _check_time_windows(store: Store, rows: int) -> None:
    now = float(arrival(np.array([max(0, rows - 1)]))[0])
    times = arrival(np.arange(rows))
    for total, span in zip(store.snapshot(now).totals, SPANS, strict=True):
        oldest = math.floor(now / span.width) - span.buckets + 1
        first = int(np.searchsorted(times, oldest * span.width))
        assert total.rows == rows - first
        np.testing.assert_array_equal(total.counts, recount(first, rows))


def _check_readers(said: list[Line], rows: int) -> None:
    assert [line for line in said if line[0] == "ended"] == [["ended", "0"]] * READERS, (
        "a reader has failed: see stderr"
    )
    reads = [list(map(int, line[1:])) for line in said if line[0] == "read"]
    assert len(reads) == READERS
    for times, observed, *_ in reads:
        assert times > 0
        assert observed <= rows
