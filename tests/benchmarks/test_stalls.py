"""The benchmark of stalls; no time is asserted."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import orjson
import pytest

from benchmarks.stalls import FEATURES, HEADS, ROWS, Case, Times, cases, milliseconds, row_of
from benchmarks.stalls_server import Timer, own_share, waited_seconds


def test_a_row_of_the_report_says_what_clients_saw_and_how_late_the_timer_was() -> None:
    ones, large = Times(asked_seconds=4.0), Times(asked_seconds=4.0)
    for seconds in (0.001, 0.002, 0.009):
        ones.add(200, seconds)
    for status, seconds in [(503, 0.02), (200, 1.0), (200, 2.0), (200, 1.5), (503, 0.04)]:
        large.add(status, seconds)
    late = np.array([[0.001, 0.0], [0.05, 0.02], [0.003, 0.001]])
    row = row_of(Case("rows", "/predict", b"x" * 2_500_000), late, ones, large)
    assert len(row) == len(HEADS)
    assert [row[0], row[1]] == ["rows", "2.5"]
    assert [row[2], row[3], row[4]] == ["3.0", f"{np.percentile([1, 50, 3], 99.9):.1f}", "50.0"]
    assert row[5] == f"{np.percentile([0, 20, 1], 99.9):.1f}"
    assert [row[6], row[8], row[9]] == ["2.0", "9.0", "0.8"]
    assert row[10] == "3 × 200 in 1,500, 2 × 503 in 30"


def test_a_run_without_large_bodies_has_no_figures_of_them() -> None:
    row = row_of(None, np.zeros((5, 2)), Times(), Times())
    assert len(row) == len(HEADS)
    assert [row[0], row[1], row[-2], row[-1]] == ["none", "–", "–", "–"]
    assert milliseconds([], 50, 99) == [None, None]


def test_honest_bodies_hold_the_same_rows_and_hostile_ones_are_named() -> None:
    rows = np.random.default_rng(2).normal(size=(20, FEATURES))
    names = [f"f{place}" for place in range(FEATURES)]
    found = {case.name: case for case in cases(rows, names)}
    lists = orjson.loads(found["10,000 rows, lists"].body)["data"]
    objects = orjson.loads(found["10,000 rows, objects"].body)["instances"]
    (tensor,) = orjson.loads(found["one tensor"].body)["inputs"]
    columns = orjson.loads(found["a tensor for each feature"].body)["inputs"]
    assert np.array_equal(lists, rows)
    assert np.array_equal([[row[name] for name in names] for row in objects], rows)
    assert np.array_equal(np.reshape(tensor["data"], tensor["shape"]), rows)
    assert np.array_equal(np.transpose([column["data"] for column in columns]), rows)
    assert found[f"{ROWS:,} rows of 50 clients"].clients == 50
    assert len(found) == 11


@pytest.mark.parametrize(
    ("before", "after", "own"),
    [
        ({}, {}, 0.05),
        ({1: 2.0, 2: 5.0}, {1: 2.01, 2: 5.03}, 0.02),
        ({1: 2.0}, {1: 2.5}, 0.0),
        ({1: 2.0}, {1: 2.0, 7: 9.0}, 0.05),  # a thread that has just begun
    ],
)
def test_what_a_thread_waited_for_a_core_is_not_the_servers_own(
    before: dict[int, float], after: dict[int, float], own: float
) -> None:
    assert own_share(0.05, before, after) == pytest.approx(own)


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not say it")
def test_what_threads_waited_only_grows() -> None:
    first, second = waited_seconds(), waited_seconds()
    assert first
    assert all(before <= after for number, before in first.items() for after in [second.get(number, before)])


def test_the_timer_notes_a_loop_that_is_held_up() -> None:
    async def held() -> list[tuple[float, float]]:
        timer = Timer()
        task = asyncio.create_task(timer.run())
        await asyncio.sleep(0.02)
        time.sleep(0.06)
        await asyncio.sleep(0.02)
        task.cancel()
        return timer.taken() + timer.taken()

    noted = asyncio.run(held())
    assert max(late for late, _ in noted) >= 0.05
    assert all(0.0 <= own <= late for late, own in noted)
