from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import driftgauge.state.store
import numpy as np
import pytest
from driftgauge.drift.bins import CodeArray, FloatArray
from driftgauge.drift.evidence.detector import Evidence
from driftgauge.drift.windows.blocks import Blocks, step_rows
from driftgauge.monitor.monitor import Monitor
from driftgauge.state.files import Busy
from driftgauge.state.members import added
from driftgauge.state.memory import MAX_SLOTS
from driftgauge.state.shape import BLOCK_ROWS
from driftgauge.state.store import Snapshot, Store
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import examples
from tests.monitors import START, small_baseline, some_rows
from tests.writers import COUNTED, SPANS, content, options_of, shape_of, store_in

BASELINE = small_baseline()
BINNER = BASELINE.binner
WINDOWS = (1, 40, 700)
STEP = 50
"""Rows of a block of evidence."""

unhurried = settings(deadline=None, max_examples=examples(30))


@contextmanager
def _stores(count: int, window_rows: int = 700) -> Iterator[list[Store]]:
    """Give so many stores of one folder, each with a slot of its own."""
    with tempfile.TemporaryDirectory() as folder:
        stores = [store_in(Path(folder), window_rows) for _ in range(count)]
        yield stores
        for store in stores:
            store.leave()


def _monitor(store: Store, window_rows: int = 700) -> Monitor:
    return Monitor(
        BASELINE, model_name="churn", model_version="1", now=START, options=options_of(window_rows), store=store
    )


# ---------------------------------------------------------------- the oracle


@dataclass
class _Written:
    """All rows that one slot was ever given."""

    values: FloatArray = field(default_factory=lambda: np.empty((0, BINNER.columns)))
    at: FloatArray = field(default_factory=lambda: np.empty(0))
    weighed: int = 0

    def append(self, values: FloatArray, at: FloatArray) -> None:
        self.values = np.concatenate([self.values, values])
        self.at = np.concatenate([self.at, at])

    @property
    def codes(self) -> CodeArray:
        return BINNER.codes(self.values)

    @property
    def come(self) -> FloatArray:
        """By when each row had come: a clock may go back, a row is still behind the one before it."""
        ordered: FloatArray = np.maximum.accumulate(self.at)
        return ordered

    def blocks(self) -> Blocks:
        """Return the rows that are not weighed in blocks, as they were appended, and take them for weighed."""
        step = step_rows(BINNER.columns)
        ends = [end for end in range(1, len(self.at) + 1) if end % step == 0 or end == len(self.at)]
        ends = [end for end in ends if end > self.weighed]
        starts = [self.weighed, *ends[:-1]]
        codes = self.codes
        counts = [BINNER.counts(codes[start:end]) for start, end in zip(starts, ends, strict=False)]
        self.weighed = len(self.at)
        shape = (len(ends), BINNER.columns, BINNER.width)
        at = np.array([self.come[end - 1] for end in ends])
        return Blocks(np.array(counts, dtype=np.int64).reshape(shape), np.zeros(len(ends), dtype=np.int64), at)


def _weighed(evidence: Evidence, written: Sequence[_Written]) -> Evidence:
    """Return what a detector makes of the blocks of all slots that it has not seen, in the order of their ends."""
    blocks = [own.blocks() for own in written]
    together = Blocks(*(np.concatenate([getattr(own, name) for own in blocks]) for name in ("counts", "hours", "at")))
    return BASELINE.detector().advance(evidence, together.part(np.argsort(together.at, kind="stable")))


def _assert_tells(snapshot: Snapshot, written: Sequence[_Written], window_rows: int, now: float) -> None:
    values = np.concatenate([own.values for own in written])
    at = np.concatenate([own.at for own in written])
    newest = np.argsort(np.concatenate([own.come for own in written]), kind="stable")[-window_rows:]
    assert snapshot.observed == len(at)
    np.testing.assert_array_equal(snapshot.rows.at, at[newest])
    np.testing.assert_array_equal(snapshot.rows.values, values[newest])
    np.testing.assert_array_equal(snapshot.rows.codes, BINNER.codes(values)[newest])
    for total, span in zip(snapshot.totals, SPANS, strict=True):
        age = np.floor(now / span.width) - np.floor(at / span.width)
        inside = (age >= 0) & (age < span.buckets)
        assert total.rows == inside.sum()
        np.testing.assert_array_equal(total.counts, BINNER.counts(BINNER.codes(values[inside])))
        z = np.nan_to_num(BASELINE.scales.standardised(values[inside]))
        np.testing.assert_allclose(total.sums, [z.sum(axis=0), (z * z).sum(axis=0)], rtol=1e-9, atol=1e-6)


# ---------------------------------------------------------------- all stores tell the same

batches = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.one_of(st.integers(1, 30), st.sampled_from([49, 50, 51, 400, BLOCK_ROWS, 2 * BLOCK_ROWS + 3, 6_000])),
        st.sampled_from([0.25, 1.0, 7.0, 100.0, 4_000.0]),
    ),
    max_size=10,
)


@unhurried
@given(batches, st.sampled_from(WINDOWS), st.integers(0, 1_000))
def test_every_store_tells_what_all_have_appended(
    steps: list[tuple[int, int, float]], window_rows: int, seed: int
) -> None:
    written, clock = [_Written() for _ in range(3)], START
    with _stores(3, window_rows) as stores:
        for step, (whose, size, passed) in enumerate(steps):
            clock += passed
            values, at = some_rows(size, seed + step), np.full(size, clock)
            stores[whose].append(values, at, at)
            written[whose].append(values, at)
            with stores[whose].counting() as counters:
                counters.add(COUNTED.name, size)
            stores[whose].publish()
        everything = BINNER.counts(np.concatenate([own.codes for own in written]))
        rows = sum(len(own.at) for own in written)
        for store in stores:
            for now in (clock, clock + 5.0):
                _assert_tells(store.snapshot(now), written, window_rows, now)
            assert store.rows == rows
            assert added(store.counted()).counted[COUNTED.name].sum() == rows
            np.testing.assert_array_equal(store.bin_rows(), everything)
            assert [member.number for member in store.counted()] == [0, 1, 2, None]
            assert store.workers == 3


@unhurried
@given(batches, st.lists(st.none() | st.integers(0, 2), min_size=10, max_size=10), st.integers(0, 1_000))
def test_every_row_is_weighed_once_whichever_store_does_it_and_however_often(
    steps: list[tuple[int, int, float]], weighings: list[int | None], seed: int
) -> None:
    written, clock = [_Written() for _ in range(3)], START
    expected = BASELINE.detector().start()
    with _stores(3) as stores:
        for step, ((whose, size, passed), by) in enumerate(zip(steps, weighings, strict=False)):
            clock += passed
            values, at = some_rows(size, seed + step, age=40.0 + step), np.full(size, clock)
            stores[whose].append(values, at, at)
            written[whose].append(values, at)
            if by is not None:
                _weigh(stores[by])
                expected = _weighed(expected, written)
        for store in stores:
            _weigh(store)
        expected = _weighed(expected, written)
        for store in stores:
            found = store.evidence()
            np.testing.assert_allclose(found.wealth, expected.wealth, rtol=1e-12)
            np.testing.assert_allclose(found.values, expected.values, rtol=1e-12)
            np.testing.assert_array_equal(found.raised, expected.raised)
            np.testing.assert_array_equal(found.since, expected.since)


def _weigh(store: Store) -> None:
    with store.evaluating():
        blocks, counted, lost = store.unweighed()
        assert lost == 0
        store.weigh(store.detector.advance(store.evidence(), blocks), counted)


def test_a_store_of_one_worker_is_as_good_in_memory() -> None:
    in_memory = Store.in_memory(shape_of(700), BASELINE.detector())
    values, at = some_rows(5_000), START + np.arange(5_000.0) / 10.0
    with _stores(1) as (in_files,):
        for store in (in_memory, in_files):
            store.append(values, at, at)
            _weigh(store)
        one, other = (store.snapshot(START + 500.0) for store in (in_memory, in_files))
        for name in ("values", "codes", "at"):
            np.testing.assert_array_equal(getattr(one.rows, name), getattr(other.rows, name))
        np.testing.assert_array_equal(in_memory.evidence().wealth, in_files.evidence().wealth)
        np.testing.assert_array_equal(in_memory.bin_rows(), in_files.bin_rows())
        assert (in_memory.is_persistent, in_files.is_persistent) == (False, True)


@pytest.mark.parametrize("window_rows", [1, 2, 3])
def test_a_row_is_as_new_as_those_before_it_when_a_clock_goes_back(window_rows: int) -> None:
    written = [_Written(), _Written()]
    with _stores(2, window_rows) as stores:
        for step, (whose, at) in enumerate([(1, 1.0), (0, 2.0), (0, 3.0), (1, 4.0), (1, -2.0)]):
            values, times = some_rows(1, step), np.array([START + at])
            stores[whose].append(values, times, times)
            written[whose].append(values, times)
        for store in stores:
            _assert_tells(store.snapshot(START + 5.0), written, window_rows, START + 5.0)


def test_rows_that_come_at_the_same_moment_are_in_one_order_for_all() -> None:
    with _stores(2, 40) as stores:
        for number, store in enumerate(stores):
            store.append(content(np.arange(30) + 1_000 * number), START, np.full(30, START))
        one, other = (store.snapshot(START) for store in stores)
        np.testing.assert_array_equal(one.rows.values, other.rows.values)


def test_monitors_of_one_folder_come_to_the_same_verdict() -> None:
    with _stores(2) as stores:
        monitors = [_monitor(store) for store in stores]
        for step in range(60):
            for monitor in monitors:
                values = content(np.arange(50)) + np.array([30.0, 0.0, 0.0, 0.0])
                monitor.store.append(values, START + step, np.full(50, START + step))
        reports = [monitor.evaluate(START + 60.0).report for monitor in monitors]
    assert reports[0].rows_observed == reports[1].rows_observed == 6_000
    assert reports[0].status == reports[1].status == "drift_detected"


# ---------------------------------------------------------------- one evaluation at a time


def test_one_evaluation_waits_for_another_and_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driftgauge.state.store, "LOCK_SECONDS", 0.01)
    with _stores(2) as (one, other):
        with one.evaluating(), pytest.raises(Busy, match="another process"), other.evaluating():
            pass
        with other.evaluating():
            pass


# ---------------------------------------------------------------- what is damaged


def _damage(store: Store) -> None:
    store._memory._versions._copies[:] = 7
    store._memory._read = None


def test_a_memory_that_is_damaged_meanwhile_is_begun_anew_and_noted() -> None:
    with _stores(1) as (store,):
        store.append(some_rows(500), START, np.full(500, START))
        _weigh(store)
        _damage(store)
        with store.evaluating():
            pass
        assert not store.evidence().wealth.any()
        (note,) = store.notes
        assert "memory" in note
        _weigh(store)
        assert store.evidence().wealth.any()


def test_rows_of_a_slot_that_cannot_be_read_for_a_while_are_weighed_once() -> None:
    with _stores(2) as stores:
        for seed, store in enumerate(stores):
            store.append(some_rows(500, seed), START, np.full(500, START))
        _weigh(stores[0])
        before = stores[0].evidence()
        checks = stores[1].state._arrays["digest_checks"]
        for flipped in (True, False):
            checks ^= np.uint64(1)
            _weigh(stores[0])
            assert len(stores[0].snapshot(START).rows) == (500 if flipped else 700)
        np.testing.assert_array_equal(stores[0].evidence().wealth, before.wealth)


@pytest.mark.parametrize("deleted", ["folder", "0.state", "1.state", "nothing"])
def test_workers_whose_files_were_deleted_weigh_their_rows_once(deleted: str, tmp_path: Path) -> None:
    folder = tmp_path / "1"
    monitors = [_monitor(store_in(folder, 700)) for _ in range(2)]
    for seed, monitor in enumerate(monitors):
        monitor.store.append(some_rows(500, seed), START, np.full(500, START))
        monitor.evaluate(START + 1.0)
    before = monitors[1].store.evidence()
    if deleted == "folder":
        shutil.rmtree(folder)
    elif deleted != "nothing":
        (folder / deleted).unlink()
    for _ in range(3):
        for monitor in monitors:
            monitor.evaluate(START + 2.0)
            np.testing.assert_array_equal(monitor.store.evidence().wealth, before.wealth)
    for seed, monitor in enumerate(monitors):
        monitor.store.append(some_rows(STEP, 7 + seed), START + 3.0, np.full(STEP, START + 3.0))
        monitor.evaluate(START + 4.0)
        assert (monitor.store.evidence().wealth != before.wealth).any()
    assert [monitor.store.is_persistent for monitor in monitors] == [
        deleted not in ("folder", f"{number}.state") for number in range(2)
    ]


def test_workers_of_other_settings_weigh_rows_apart(tmp_path: Path) -> None:
    sizes = (700, 700, 500, 500)
    monitors = [_monitor(store_in(tmp_path, rows), rows) for rows in sizes]
    for seed, monitor in enumerate(monitors):
        monitor.store.append(some_rows(500, seed), START, np.full(500, START))
    for monitor in monitors:
        monitor.evaluate(START + 1.0)
    before = [monitor.store.evidence() for monitor in monitors]
    for _ in range(3):
        for monitor, evidence in zip(monitors, before, strict=True):
            monitor.evaluate(START + 2.0)
            np.testing.assert_array_equal(monitor.store.evidence().wealth, evidence.wealth)
    assert [monitor.last.report.rows_observed for monitor in monitors] == [1_000] * 4
    np.testing.assert_array_equal(before[0].wealth, before[1].wealth)
    np.testing.assert_array_equal(before[2].wealth, before[3].wealth)
    assert (before[0].wealth != before[2].wealth).any()


def test_there_is_room_for_how_far_slots_were_weighed_that_are_seen() -> None:
    with _stores(1) as (store,):
        counted = store.state.origin()
        for key in range(3 * MAX_SLOTS):
            store.weigh(store.evidence(), store._known({key: counted}))
        assert list(store.remembered().counted) == list(range(2 * MAX_SLOTS, 3 * MAX_SLOTS))
        seen = dict.fromkeys(range(10, 10 + MAX_SLOTS), counted)
        assert list(store._known(seen)) == list(seen)


@pytest.mark.parametrize("name", ["evaluation.state", "retired.state"])
def test_what_was_damaged_before_a_worker_starts_is_noted(name: str, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.leave()
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:4_096] + b"\7" * (path.stat().st_size - 4_096))
    assert len(store_in(tmp_path).notes) == 1


def test_an_evaluation_that_waited_while_the_worker_left_leaves_everything_as_it_is(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.leave()
    with pytest.raises(Busy, match="has stopped"), store.evaluating():
        pass
