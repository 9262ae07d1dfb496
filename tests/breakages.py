"""Broken states: each breaks one promise of the protocol, and names the kills that the harness exposes it with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from driftgauge.common.layout import WordArray
from driftgauge.common.private_files import FileLock
from driftgauge.state.checkpoint import Checkpoint
from driftgauge.state.double_buffer import DoubleBuffer
from driftgauge.state.log import ARRIVAL, AT, NUMBER, VALUES, Log
from driftgauge.state.pages import Page, Pages, PageTable
from driftgauge.state.root import Root
from driftgauge.state.slot import Slot
from driftgauge.state.slots import Slots

from tests.crashes import kill_catch_ups, kill_folds, kill_writers
from tests.writers import Crew


@dataclass(frozen=True)
class Breakage:
    """A change to the state's code, and the part of the harness that has to notice it."""

    apply: Callable[[], None]
    expose: Callable[[Crew, Crew, Path], None]


def _writers(point: str) -> Callable[[Crew, Crew, Path], None]:
    return lambda workers, readers, folder: kill_writers(workers, readers, folder, point)


def _catch_ups(point: str) -> Callable[[Crew, Crew, Path], None]:
    return lambda workers, readers, folder: kill_catch_ups(workers, folder, point)


def _folds(point: str) -> Callable[[Crew, Crew, Path], None]:
    return lambda workers, readers, folder: kill_folds(workers, folder, point)


# ---------------------------------------------------------------- logs


def _committed_before_the_records() -> None:
    def append(self: Any, values: Any, arrival: Any, at: Any) -> None:
        reader, numbers = self.reader, np.arange(self.rows, self.rows + len(values))
        self.rows += len(values)
        reader.committed[0] = self.rows
        self._failpoint("append.committed")
        cells = np.empty((len(values), reader.records.shape[1]))
        cells[:, ARRIVAL], cells[:, AT], cells[:, VALUES:-1] = arrival, at, values
        records = cells.view(np.uint64)
        records[:, NUMBER] = numbers + 1
        records[:, -1] = reader.checks(records)
        reader.records[numbers % len(reader.records)] = records
        self._failpoint("append.written")

    _patch(Log, "append", append)


def _counters_in_place() -> None:
    real = DoubleBuffer.write_words

    def write_words(self: Any, words: WordArray) -> None:
        if self.name != "counters" or self.sequence == 0:
            real(self, words)
            return
        turn = self.sequence % 2
        self._copies[turn] = words
        self._failpoint("counters.copied")
        self._checks[turn] = self._check(words, self.sequence)
        self._checks[1 - turn] = 0
        self._failpoint("counters.checked")
        self._failpoint("counters.published")

    _patch(DoubleBuffer, "write_words", write_words)


# ---------------------------------------------------------------- the checkpoint


def _root_before_its_pages() -> None:
    real = Checkpoint.commit
    waiting: list[tuple[Any, int, int, WordArray]] = []

    def written(self: Any, table: PageTable, pages: Mapping[int, Page]) -> PageTable:
        numbers, copy, checks = table.numbers.copy(), table.copy.copy(), table.checks.copy()
        for place, (number, arrays) in pages.items():
            words = self._layout.packed(arrays)
            numbers[place], copy[place], checks[place] = number, 1 - copy[place], words @ self._multipliers
            waiting.append((self, int(copy[place]), place, words))
        return PageTable(numbers, copy, checks)

    def commit(self: Any, root: Root, pages: Mapping[int, Page]) -> None:
        real(self, root, pages)
        while waiting:
            own, copy, place, words = waiting.pop(0)
            own._words[copy, place] = words
            self._failpoint("checkpoint.page")

    _patch(Pages, "written", written)
    _patch(Checkpoint, "commit", commit)


def _pages_in_place() -> None:
    def written(self: Any, table: PageTable, pages: Mapping[int, Page]) -> PageTable:
        numbers, checks = table.numbers.copy(), table.checks.copy()
        for place, (number, arrays) in pages.items():
            words = self._layout.packed(arrays)
            numbers[place], checks[place] = number, words @ self._multipliers
            self._words[table.copy[place], place] = words
            self._failpoint("checkpoint.page")
        return PageTable(numbers, table.copy, checks)

    _patch(Pages, "written", written)


def _positions_in_a_second_step() -> None:
    real = Checkpoint.commit

    def commit(self: Any, root: Root, pages: Mapping[int, Page]) -> None:
        before = self.last_read
        if before is not None and before.positions != root.positions:
            real(self, replace(root, positions=before.positions), pages)
            root, pages = replace(root, table=self.last_read.table), {}
        real(self, root, pages)

    _patch(Checkpoint, "commit", commit)


# ---------------------------------------------------------------- folds


def _deleted_before_the_fold() -> None:
    def remove(self: Any, slot: Slot, before: Callable[[], bool]) -> None:
        lock = FileLock(self.folder / f"{slot.number}.lock")
        if lock.acquire():
            (self.folder / f"{slot.number}.log").unlink()
            self.failpoint("fold.deleted")
            before()
            self.failpoint("fold.committed")
            lock.release()

    _patch(Slots, "remove", remove)


def _patch(owner: type, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)


BREAKAGES: Final[Mapping[str, Breakage]] = {
    "committed before the records": Breakage(_committed_before_the_records, _writers("append.committed")),
    "counters in place": Breakage(_counters_in_place, _writers("counters.copied")),
    "root before its pages": Breakage(_root_before_its_pages, _catch_ups("checkpoint.page")),
    "pages in place": Breakage(_pages_in_place, _catch_ups("checkpoint.page")),
    "positions in a second step": Breakage(_positions_in_a_second_step, _catch_ups("checkpoint.published")),
    "deleted before the fold": Breakage(_deleted_before_the_fold, _folds("fold.deleted")),
}
