"""The crash harness: workers are killed anywhere, beside readers that check every sum, and nothing may be lost.

Each function asserts what has to be true of the state after every kill. `tests.breakages` proves that they fail
for a state that does not keep its promises.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from driftgauge.state.store import Store

from tests.states import assert_same_evidence
from tests.writers import (
    LATER,
    STOP,
    Crew,
    Line,
    Watch,
    arrival,
    check_recount,
    commit_all,
    content,
    counted_rows,
    ids,
    ids_of_worker,
    names_in,
    recount,
    replayed,
    store_in,
)

SMALL, LARGE = 1_000, 20_000
"""Rows of a window: of a log that has come round, and of one that never does."""
RING_FULL = 20_000
"""Rows after which a log with a small window has come round."""
KILLED = ["ended", "-9"]
READERS = 2
OWN = READERS + 1
"""The slot of the writers: the test and its readers hold those before it."""


def seeded(*words: object) -> np.random.Generator:
    """Return a generator that depends on the case alone."""
    return np.random.default_rng([zlib.crc32(str(word).encode()) for word in words])


@dataclass
class Ledger:
    """What workers reported of each log: the rows that were answered, and those that were begun."""

    answered: dict[int, int] = field(default_factory=dict)
    begun: dict[int, int] = field(default_factory=dict)
    taken: int = 0

    def read(self, said: Sequence[Line]) -> Ledger:
        """Add reports; every start has to find all that was answered, and to count it."""
        for what, *numbers in said:
            assert what != "failed", "a worker failed: see stderr"
            assert what != "recovery", f"a kill is no damage: {' '.join(numbers)}"
            if what == "taken":
                log, rows, counted, _ = map(int, numbers)
                assert self.answered.get(log, 0) <= rows <= self.begun.get(log, 0)
                assert counted == rows
                self.answered[log] = self.begun[log] = rows
                self.taken += 1
            elif what == "appended":
                self.answered[int(numbers[0])] = self.begun[int(numbers[0])] = int(numbers[1])
            elif what == "begun":
                self.begun[int(numbers[0])] = int(numbers[1])
            elif what == "done":
                self.answered[int(numbers[0])] = int(numbers[1])
        return self

    def check(self, store: Store) -> dict[int, int]:
        """Assert that each log holds what was answered; returns the rows of each that holds any."""
        found = {totals.number: totals.rows for totals in store.counted() if totals.number is not None}
        for log in self.begun:
            assert self.answered.get(log, 0) <= found.get(log, 0) <= self.begun[log]
        assert all(log in self.begun for log, rows in found.items() if rows)
        return {log: rows for log, rows in found.items() if rows}


@contextmanager
def reading(workers: Crew, folder: Path, window_rows: int, *, folds: bool = False) -> Iterator[None]:
    """Let readers check every promise while others write; the first of them catches up, too, unless logs are folded."""
    for reader in range(READERS):
        command = ("watch", folder, window_rows) if folds else ("read", folder, window_rows, reader == 0)
        workers.ask(*command, until="reading")
    ended = False
    try:
        yield
        ended = True
    finally:
        (folder / STOP).touch()
        said = workers.joined()
        (folder / STOP).unlink()
        if ended:
            assert [line for line in said if line[0] == "ended"] == [["ended", "0"]] * READERS, "a reader failed"
            assert all(int(line[1]) > 0 for line in said if line[0] == "read")


# ---------------------------------------------------------------- kills


def kill_writers(
    workers: Crew, readers: Crew, folder: Path, point: str, window_rows: int = SMALL, kills: int = 5
) -> None:
    """Kill one writer after another at a point, each as often as the case's seed says, beside readers."""
    generator = seeded(point, window_rows)
    store, ledger = store_in(folder, window_rows), Ledger()
    watch = Watch(store)
    with reading(readers, folder, window_rows):
        if window_rows == SMALL:
            ledger.read(workers.ask("append", folder, window_rows, RING_FULL, "killed"))
        for _ in range(kills):
            nth, seed = int(generator.integers(1, 15)), int(generator.integers(1_000))
            said = workers.ask("write", folder, window_rows, point, nth, seed)
            assert said[-1] == KILLED, f"the worker did not die at {point}"
            logs = ledger.read(said[:-1]).check(store)
            watch.look()
            assert ledger.answered.get(OWN, 0) <= counted_rows(store) <= logs.get(OWN, 0)
            check_recount(store, window_rows, logs)
            watch.look()
    assert ledger.taken > 0, "every worker died while it started"


def kill_catch_ups(workers: Crew, folder: Path, point: str, window_rows: int = SMALL, kills: int = 5) -> None:
    """Kill workers at a point while they catch up on the rows of three killed ones."""
    generator = seeded(point, window_rows, "catch-up")
    store = store_in(folder, window_rows)
    logs: dict[int, int] = {}
    for turn in range(kills):
        sizes = generator.integers(1, 300 if turn % 3 == 2 else 9_000, 3)
        if turn % 3 == 1:  # the logs end together, so that the next rows belong to buckets that hold rows already
            sizes = 9_000 * turn - np.array([logs.get(log, 0) for log in (1, 2, 3)])
        for size in sizes.tolist():
            workers.append(folder, size, "held", window_rows=window_rows)
        workers.killed()
        nth = int(generator.integers(1, 4))
        code = workers.catch_up(folder, point, nth, window_rows=window_rows)
        assert code in (-9, 0)
        logs = {totals.number: totals.rows for totals in store.counted() if totals.number and totals.rows}
        assert counted_rows(store) == sum(logs.values()) > 0
        if turn % 3:  # or else the next one finds even more
            check_recount(store, window_rows, logs)
    check_recount(store, window_rows, logs)


def storm(
    workers: Crew, readers: Crew, folder: Path, window_rows: int, kills: int, seed: int, together: int = 3
) -> int:
    """Kill workers at random that append and catch up at the same time, then all at once; returns how many started."""
    store, ledger = store_in(folder, window_rows), Ledger()
    with reading(readers, folder, window_rows):
        said = workers.ask("storm", folder, window_rows, together, kills, seed, False)
        logs = ledger.read(said[:-1]).check(store)
        assert said[-1] == ["ended", "0"]
    check_recount(store, window_rows, logs)
    assert set(ledger.begun) <= set(range(OWN, OWN + together)), "a worker took one slot more than there are workers"
    used = {f"{number}.{kind}" for number in range(OWN + together) for kind in ("log", "lock")}
    assert names_in(folder) - used == {"checkpoint.state", "evaluation.lock"}
    return ledger.taken


def storm_of_folds(workers: Crew, readers: Crew, folder: Path, kills: int, seed: int) -> None:
    """The same with workers that fold each other's logs: no sum goes back, and each row counts once."""
    store = store_in(folder)
    with reading(readers, folder, SMALL, folds=True):
        said = workers.ask("storm", folder, SMALL, 3, kills, seed, True)
        assert said[-1] == ["ended", "0"]
        assert {line[0] for line in said[:-1]} <= {"taken", "begun", "done"}, "a worker failed, or found damage"
    begun = {int(line[1]): int(line[2]) for line in said if line[0] == "begun"}
    answered = {int(line[1]): int(line[2]) for line in said if line[0] == "done"}
    least, most = (
        sum(recount(ids_of_worker(worker, 0, rows)) for worker, rows in sent.items()) for sent in (answered, begun)
    )
    for fold in (False, True):
        with store.evaluating():
            commit_all(store)
            if fold:
                store.fold(LATER)
        bins = store.root.progress.head.total
        assert (least <= bins).all()
        assert (bins <= most).all()
        # The rows of a worker that was killed before it counted them are counted by the next one in its slot.
        assert sum(answered.values()) <= counted_rows(store) <= store.rows
        assert (bins.sum(axis=1) == store.rows).all()
    left = [totals.rows for totals in store.counted() if totals.number is not None and totals.number >= OWN]
    assert sum(left) == 0, "only logs without rows are left"
    assert store.notes == []


def kill_replays(workers: Crew, folder: Path, point: str, rows: int = 12_000) -> None:
    """Kill workers that replay rows by the clock of events: verdicts are those of a replay without a stop."""
    generator, kills = seeded(point, "replay"), 0
    for _ in range(20):
        nth, seed = int(generator.integers(1, 5)), int(generator.integers(1_000))
        (ended,) = workers.ask("replay", folder, SMALL, point, nth, seed, rows)
        assert ended in (KILLED, ["ended", "0"])
        kills += ended == KILLED
        if ended != KILLED:
            break
    assert workers.ask("replay", folder, SMALL, "", 1, 1, rows) == [["ended", "0"]]
    found, expected = replayed(folder, SMALL), replayed(None, SMALL)
    row_ids = ids(0, 0, rows)
    expected.observe(content(row_ids), arrival=LATER, event=arrival(row_ids))
    reports = [monitor.evaluate(LATER).report for monitor in (found, expected)]
    assert_same_evidence(reports[0].evidence, reports[1].evidence)
    np.testing.assert_equal(vars(found.store.root.latches), vars(expected.store.root.latches))
    assert len({str(report.verdicts) for report in reports}) == len({report.rows_observed for report in reports}) == 1
    assert found.store.notes == []
    found.store.leave()
    assert kills > 0, f"no worker died at {point}"


# ---------------------------------------------------------------- folds


def kill_folds(workers: Crew, folder: Path, point: str) -> None:
    """Kill workers at a point while they fold the logs of killed ones: no sum goes back, no row counts twice."""
    store = store_in(folder)
    watch = Watch(store)
    begin = expected = 0
    for turn, rows in enumerate((2_000, 33, 700), 1):
        for _ in range(3):
            workers.append(folder, rows, "held", first=begin)
            expected += rows
        workers.killed()
        before = watch.look()
        assert before[0] == expected
        assert workers.catch_up(folder, point, older_than=LATER) == -9, f"it did not die at {point}"
        _check_folded(store, watch, begin + rows)
        assert workers.catch_up(folder, older_than=LATER) == 0
        assert {f"{number}.log" for number in range(2, 8)}.isdisjoint(names_in(folder))
        begin += rows
        _check_folded(store, watch, begin)
        assert watch.look()[2] == 3.0 * turn
    assert store.notes == []


def _check_folded(store: Store, watch: Watch, each: int) -> None:
    """Assert that three logs, folded or not, count as they did before."""
    rows, counted, *_ = watch.look()
    assert rows == counted == 3 * each
    with store.evaluating():
        commit_all(store)
        snapshot = store.snapshot(LATER)
    np.testing.assert_array_equal(store.root.progress.head.total, sum(recount(ids(log, 0, each)) for log in (1, 2, 3)))
    assert snapshot.observed == snapshot.totals[-1].rows == 3 * each
    latest = float(arrival(ids(3, each - 1, each))[0])
    assert snapshot.latest_at == latest
