"""Threads of two workers that append, evaluate and read at the same time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from driftgauge.state.double_buffer import Damaged
from driftgauge.state.store import Store

from tests.damaged import Damage
from tests.writers import (
    COUNTED,
    LATER,
    Watch,
    append,
    arrival,
    catch_up,
    check_recount,
    check_snapshot,
    commit_all,
    content,
    ids,
    own_totals,
    store_in,
)

WINDOW = 1_000
BATCHES = 600


class Threads:
    """Threads that run until the writers among them are done; what they raise is kept."""

    def __init__(self) -> None:
        self.raised: list[BaseException] = []
        self._writers: list[threading.Thread] = []
        self._readers: list[threading.Thread] = []
        self._done = threading.Event()

    def write(self, append_rows: Callable[[Store], None], store: Store) -> None:
        """Append batches to a store in a thread."""
        self._writers.append(threading.Thread(target=self._guarded, args=(lambda: append_rows(store),)))

    def repeat(self, step: Callable[[], object]) -> None:
        """Repeat a step in a thread until all writers are done."""
        self._readers.append(threading.Thread(target=self._guarded, args=(lambda: self._repeat(step),)))

    def run(self) -> None:
        """Start all threads and wait for them."""
        for thread in (*self._writers, *self._readers):
            thread.start()
        for thread in self._writers:
            thread.join()
        self._done.set()
        for thread in self._readers:
            thread.join()

    def _repeat(self, step: Callable[[], object]) -> None:
        while not self._done.is_set():
            step()

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:
            self.raised.append(error)


def _append(store: Store) -> None:
    generator, rows = np.random.default_rng(store.number), 0
    for size in generator.choice([1, 3, 20, 200], BATCHES).tolist():
        append(store, ids(store.number, rows, rows + size))
        rows += size


def _append_as_a_server(store: Store) -> None:
    """Append batches, and drop what a full log has no room for while catch-ups fail."""
    for turn in range(BATCHES):
        row_ids = ids(store.number, 100 * turn, 100 * turn + 100)
        rows = store.append(content(row_ids), arrival(row_ids), arrival(row_ids))
        with store.counting() as counters:
            counters.add(COUNTED.name, rows)
        store.publish()
        if rows < len(row_ids):
            with contextlib.suppress(Damaged):
                catch_up(store)


def _evaluate(store: Store) -> None:
    with store.evaluating():
        commit_all(store)
        check_snapshot(store.snapshot(LATER), WINDOW)
        store.keep(store.root.latches, max(0.0, store.root.evaluated_at) + 1.0)


@pytest.mark.long
def test_sums_never_go_back_and_each_row_counts_once(tmp_path: Path) -> None:
    stores, threads = [store_in(tmp_path, WINDOW) for _ in range(2)], Threads()
    for store in stores:
        threads.write(_append, store)
        threads.repeat(lambda store=store: _evaluate(store))  # type: ignore[misc]
        threads.repeat(Watch(store).look)
        threads.repeat(store.own_and_known)
    threads.run()
    assert threads.raised == []
    for store in stores:
        check_recount(store, WINDOW, {own.number: own_totals(own).rows for own in stores})


@pytest.mark.long
@pytest.mark.parametrize("file", ["0.log", "1.log", "checkpoint.state"])
def test_writers_raise_nothing_while_bytes_of_their_files_change(file: str, tmp_path: Path) -> None:
    stores, threads = [store_in(tmp_path, WINDOW) for _ in range(2)], Threads()
    generator = np.random.default_rng(1)

    def damage() -> None:
        seed, share = int(generator.integers(100)), float(generator.random())
        Damage(file, "all", share, int(generator.choice([1, 8, 4_096, 100_000])), "noise", seed).apply(tmp_path)

    for store in stores:
        threads.write(_append_as_a_server, store)
    threads.repeat(damage)
    threads.run()
    assert threads.raised == []
    for store in stores:
        assert store.lost is None
        counters, rows = own_totals(store).counted, own_totals(store).rows
        assert counters[COUNTED.name].sum() == rows > 0
