"""Rows that wait for slow work."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from driftgauge.common.row_queue import RowQueue


class Worker:
    """Works on numbers, each an item of as many rows, once `open` is set; fails on a batch with a 13."""

    def __init__(self, most_rows: int = 100, batch_rows: int = 10) -> None:
        self.executor = ThreadPoolExecutor(1)
        self.open = threading.Event()
        self.begun = threading.Event()
        self.batches: list[Sequence[int]] = []
        self.failures: list[str] = []
        self.queue = RowQueue[int](
            self.work,
            lambda error: self.failures.append(str(error)),
            self.executor,
            most_rows=most_rows,
            batch_rows=batch_rows,
        )

    def work(self, batch: Sequence[int]) -> None:
        self.begun.set()
        self.open.wait(60.0)
        self.batches.append(batch)
        if 13 in batch:
            raise ValueError("unlucky")

    def hold(self) -> None:
        """Put an item that the thread works on until `open`."""
        assert self.queue.put(1, 1)
        assert self.begun.wait(60.0)

    def ended(self) -> list[Sequence[int]]:
        self.open.set()
        self.executor.shutdown()
        return self.batches


def test_items_that_wait_are_worked_on_together_in_their_order() -> None:
    worker = Worker()
    worker.hold()
    assert all(worker.queue.put(rows, rows) for rows in (4, 5, 2, 30, 3))
    assert worker.queue.rows == 44
    assert worker.ended() == [[1], [4, 5], [2], [30], [3]]
    assert worker.queue.rows == 0


def test_a_full_queue_takes_what_still_fits() -> None:
    worker = Worker(most_rows=10)
    worker.hold()
    assert [worker.queue.put(rows, rows) for rows in (8, 3, 2)] == [True, False, True]
    assert worker.ended() == [[1], [8, 2]]


def test_a_batch_that_fails_costs_no_other() -> None:
    worker = Worker()
    worker.hold()
    assert all(worker.queue.put(rows, rows) for rows in (13, 2))
    assert worker.ended() == [[1], [13], [2]]
    assert worker.failures == ["unlucky"]


def test_a_closed_queue_forgets_what_waits_and_takes_nothing() -> None:
    worker = Worker()
    worker.hold()
    assert worker.queue.put(2, 2)
    worker.queue.close()
    assert worker.queue.is_closed
    assert not worker.queue.put(3, 3)
    assert worker.ended() == [[1]]
    assert worker.queue.rows == 0


def test_what_comes_after_the_thread_has_ended_waits_for_whoever_works() -> None:
    worker = Worker()
    worker.ended()
    with pytest.raises(RuntimeError):
        worker.queue.put(2, 2)
    worker.queue.work()
    assert worker.batches == [[2]]
