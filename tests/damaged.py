"""Two workers of one folder in one process, and damage to the bytes of their files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from driftgauge.common.layout import Layout
from driftgauge.errors import Reason
from driftgauge.metrics.series import DROPPED
from driftgauge.state.double_buffer import Damaged
from driftgauge.state.files import HEADER_BYTES
from driftgauge.state.slots import Slots
from driftgauge.state.snapshot import sum_totals
from driftgauge.state.store import Store
from hypothesis import strategies as st

from tests.writers import COUNTED, KEY, SPANS, arrival, content, ids, ids_at, recount, shape_of

WINDOW: Final = 200
SHAPE: Final = replace(shape_of(WINDOW), spans=SPANS[:2])
LONGEST: Final = 121.0
"""Seconds after which no bucket of a time window is left."""
WORKERS: Final = 2
KINDS: Final[Mapping[str, Callable[[bytes, np.random.Generator], bytes]]] = {
    "a bit": lambda old, rng: bytes([old[0] ^ 1 << int(rng.integers(8))]) + old[1:],
    "zeros": lambda old, rng: bytes(len(old)),
    "ones": lambda old, rng: b"\xff" * len(old),
    "noise": lambda old, rng: rng.bytes(len(old)),
}


@dataclass(frozen=True)
class Damage:
    """Bytes of a file that are overwritten."""

    file: str
    part: str
    """An array of the file, `header`, or `all`."""
    offset: float
    """The first byte, as a share of the part."""
    length: int
    kind: str
    seed: int

    def apply(self, folder: Path) -> None:
        """Overwrite them."""
        layout = SHAPE.checkpoint if self.file == "checkpoint.state" else SHAPE.log
        begin, size = _extent(layout, self.part)
        with (folder / self.file).open("r+b") as file:
            first = begin + int(self.offset * size)
            file.seek(first)
            old = file.read(min(self.length, begin + size - first))
            file.seek(first)
            file.write(KINDS[self.kind](old, np.random.default_rng(self.seed)))


def _extent(layout: Layout, part: str) -> tuple[int, int]:
    """Return where a part of a file begins, and its bytes."""
    if part in ("header", "all"):
        return 0, HEADER_BYTES if part == "header" else HEADER_BYTES + layout.size_bytes
    sizes = {field.name: field.size_bytes for field in layout.fields}
    return HEADER_BYTES + layout.offsets[part], sizes[part]


def _damages() -> st.SearchStrategy[Damage]:
    def of(file: str, layout: Layout) -> st.SearchStrategy[Damage]:
        parts = st.sampled_from(["header", "all", *(field.name for field in layout.fields)])
        lengths = st.one_of(st.just(1), st.sampled_from([8, 64, 4_096]), st.integers(1, HEADER_BYTES + 2**22))
        shares = st.one_of(st.just(0.0), st.floats(0.0, 1.0, exclude_max=True))
        return st.builds(Damage, st.just(file), parts, shares, lengths, st.sampled_from([*KINDS]), st.integers(0, 99))

    logs = [of(f"{number}.log", SHAPE.log) for number in range(WORKERS)]
    return st.one_of(*logs, of("checkpoint.state", SHAPE.checkpoint))


Step = tuple[str, int, int] | Damage
steps_of = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, WORKERS - 1), st.sampled_from([1, 7, 60, 300, 2_500])),
        st.tuples(st.just("append"), st.integers(0, WORKERS - 1), st.sampled_from([1, 7, 60, 300])),
        st.tuples(st.just("evaluate"), st.integers(0, WORKERS - 1), st.just(0)),
        st.tuples(st.just("scrape"), st.integers(0, WORKERS - 1), st.just(0)),
        _damages(),
    ),
    max_size=14,
)


@dataclass
class Running:
    """Workers of one folder, and the rows that were sent to them."""

    folder: Path
    stores: list[Store] = field(default_factory=list)
    sent: int = 0
    """Rows of all logs: their ids ascend, as their times do."""
    appended: list[int] = field(default_factory=lambda: [0] * WORKERS)

    def start(self) -> Running:
        self.stores = [Store.open(Slots(self.folder, KEY, SHAPE)) for _ in range(WORKERS)]
        return self

    def restart(self, worker: int) -> None:
        """Replace a worker, in good order."""
        self.stores[worker].leave()
        self.stores[worker] = Store.open(Slots(self.folder, KEY, SHAPE))
        self.appended[worker] = own_count(self.stores[worker])

    def append(self, worker: int, rows: int) -> None:
        """Append rows and publish, as a server does: nothing may be raised."""
        row_ids = ids(0, self.sent, self.sent + rows)
        self.sent += rows
        store, done = self.stores[worker], 0
        while done < rows:
            part = row_ids[done:]
            more = store.append(content(part), arrival(part), arrival(part))
            done += more
            if done < rows and more == 0:
                self.evaluate(worker)
        with store.counting() as counters:
            counters.add(COUNTED.name, rows)
        store.publish()
        self.appended[worker] += rows
        assert own_count(store) == self.appended[worker], "a worker's own counter changed"

    @property
    def now(self) -> float:
        return float(arrival(ids(0, self.sent, self.sent + 1))[0])

    def evaluate(self, worker: int) -> Any:
        """Evaluate as a server does, with one further try."""
        try:
            return self._evaluate(worker)
        except Exception:
            return self._evaluate(worker)

    def _evaluate(self, worker: int) -> Any:
        store = self.stores[worker]
        rounds = 0
        with store.evaluating():
            while (pending := store.pending(self.now + 300.0, self.now + 300.0)) is not None:
                store.commit(pending)
                rounds += 1
                assert rounds < 100, "a catch-up does not end"
        with store.evaluating():
            snapshot = store.snapshot(self.now)
            store.keep(store.root.latches, self.now)
            store.fold(self.now - 10_000.0)
        found = ids_at(snapshot.rows.at)
        assert len(found) <= WINDOW
        assert (np.diff(found) > 0).all()
        np.testing.assert_array_equal(snapshot.rows.values, content(found))
        np.testing.assert_array_equal(snapshot.rows.codes, SHAPE.binner.codes(snapshot.rows.values))
        for total in snapshot.totals:
            assert 0 <= total.rows <= self.sent
            assert (total.counts.sum(axis=1) == total.rows).all()
        return snapshot

    def scrape(self, worker: int) -> None:
        """Read all sums, as a scrape does, with one further try after an evaluation."""
        store = self.stores[worker]
        try:
            _read_sums(store)
        except Damaged:
            self.evaluate(worker)
            _read_sums(store)

    def said(self) -> str:
        """Return all that the workers note."""
        return "; ".join(note for store in self.stores for note in store.notes)

    def lost(self) -> float:
        """Return the rows that were counted as dropped."""
        counted = sum_totals(self.stores[0].counted())[DROPPED.name]
        return float(counted[[*DROPPED.children].index((Reason.STATE_DAMAGED,))].sum())


def own_count(store: Store) -> int:
    """Return what a worker has counted itself."""
    (own,) = (totals for totals in store.own_and_known() if totals.number == store.number)
    return int(own.counted[COUNTED.name].sum())


def _read_sums(store: Store) -> None:
    assert store.rows >= 0
    assert sum_totals(store.counted())[COUNTED.name].sum() >= own_count(store)
    assert (store.root.progress.head.total >= 0).all()
    assert store.root.evaluated_at <= 1e10
    assert len(store.notes) < 100
    assert store.workers >= 1
    assert np.isnan(store.root.progress.evidence.values).sum() == np.isnan(SHAPE.detector.start().values).sum()


@contextmanager
def running_workers() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        running = Running(Path(folder)).start()
        try:
            yield running
        finally:
            for store in running.stores:
                store.leave()


def check_recovered(running: Running) -> None:
    """Send enough rows to fill every window, and assert that all workers agree with a recount again."""
    running.sent += int(2 * LONGEST * 128)  # nothing comes for a while
    for worker in range(WORKERS):
        running.evaluate(worker)
    begin = running.sent
    for worker in (0, 1, 1, 0):
        running.append(worker, WINDOW)
        running.evaluate(worker)
    row_ids = ids(0, begin, running.sent)
    for worker in range(WORKERS):
        snapshot = running.evaluate(worker)
        np.testing.assert_array_equal(ids_at(snapshot.rows.at), row_ids[-WINDOW:])
        np.testing.assert_array_equal(snapshot.rows.values, content(row_ids[-WINDOW:]))
        np.testing.assert_array_equal(snapshot.rows.codes, SHAPE.binner.codes(snapshot.rows.values))
        for total in snapshot.totals:
            np.testing.assert_array_equal(total.counts, recount(row_ids[arrival(row_ids) >= total.start]))
        running.scrape(worker)


def play(running: Running, steps: Sequence[Step]) -> None:
    for step in steps:
        if isinstance(step, Damage):
            step.apply(running.folder)
        elif step[0] == "append":
            running.append(step[1], step[2])
        else:
            getattr(running, step[0])(step[1])
