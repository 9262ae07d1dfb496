"""Checkpoint: everything derived from the rows of all logs, and how far each log was read.

Pages hold the buckets of the time windows and the levels of live dependence; the root holds the rest, and which of the
two copies of each page is current. A commit writes changed pages beside their current copies and then the root. The
root is a double buffer, so one number switches all of it, and a commit that was never finished leaves no trace.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from driftgauge.common.layout import Buffer
from driftgauge.drift.bins import BoolArray, IntArray
from driftgauge.drift.evidence.live_dependence import Level
from driftgauge.drift.windows.buckets import NEVER, Buckets
from driftgauge.drift.windows.time_spans import Totals
from driftgauge.state.double_buffer import Damaged, DoubleBuffer
from driftgauge.state.failpoints import Failpoint, no_failpoint
from driftgauge.state.pages import Page, Pages, PageTable
from driftgauge.state.root import Root, arrays_of, root_from
from driftgauge.state.shape import StateShape


class Checkpoint:
    """The checkpoint in a buffer; the holder of the evaluation lock writes, and anyone reads the root."""

    def __init__(self, shape: StateShape, buffer: Buffer | None = None, *, failpoint: Failpoint = no_failpoint) -> None:
        """See the checkpoint in a buffer, which `repair` makes usable if it is new; by default one in memory."""
        arrays = shape.checkpoint.arrays(bytearray(shape.checkpoint.size_bytes) if buffer is None else buffer)
        self._shape = shape
        self._failpoint = failpoint
        self._root = DoubleBuffer("checkpoint", shape.root, arrays, failpoint)
        self._buckets = Pages(shape.page, arrays["pages"], failpoint)
        self._levels = Pages(shape.level, arrays["levels"], failpoint)
        self._known: dict[int, tuple[int, Level]] = {}
        """The levels that this process read or wrote last, with the checksums of their pages."""
        self._read: tuple[tuple[int, int], Root] | None = None
        if buffer is None:
            self.repair()

    # ------------------------------------------------------------ the root

    def read(self) -> Root:
        """Return the root; Damaged if its newest copy is not whole."""
        read, newest = self._read, self._root.stamp
        if read is None or read[0] != newest:
            sequence, arrays = self._root.read()
            if sequence < newest[0]:  # no kill leaves that behind
                raise Damaged(f"the newest copy of the {self._root.name} does not fit its checksum")
            read = newest, root_from(arrays, self._shape.start)
            self._read = read
        return read[1]

    @property
    def last_read(self) -> Root | None:
        """The root that this process read or wrote last."""
        return self._read[1] if self._read else None

    def read_or_last(self) -> Root:
        """Return the root, or as this process read it last if it is damaged now; Damaged if it never read it."""
        try:
            return self.read()
        except Damaged:
            if self.last_read is None:
                raise
            return self.last_read

    def without_pages(self) -> Checkpoint:
        """Return a checkpoint in memory with the root that this process read last, but for its pages."""
        checkpoint = Checkpoint(self._shape)
        if self.last_read is not None:
            empty = self._shape.start
            checkpoint.commit(replace(self.last_read, table=empty.table, levels=empty.levels), {})
        return checkpoint

    def repair(self) -> str:
        """Make a damaged root usable; return what was done, empty if it was not damaged.

        It is restored as this process read it last, or as the commit before left it, with the pages that still fit
        it. Read positions and totals belong together, so no row counts twice. Without any it begins empty.
        """
        try:
            self.read()
        except Damaged as error:
            root = self._newest_known()
            if root is None:
                self.commit(self._shape.start, {})
                return f"{error}; it begins empty"
            places = np.flatnonzero(root.table.numbers != NEVER)
            damaged = places[~self.buckets(root, places)[1]]
            self.commit(root.without(damaged), {})
            return f"{error}; restored as it was read last, but for {len(damaged)} buckets of time windows"
        return ""

    def _newest_known(self) -> Root | None:
        """Return the newest root that this process has read or can read."""
        known = [self._read] if self._read else []
        with contextlib.suppress(Damaged):
            sequence, arrays = self._root.read()
            known.append(((sequence, 0), root_from(arrays, self._shape.start)))
        return max(known, key=lambda read: read[0][0])[1] if known else None

    def commit(self, root: Root, pages: Mapping[int, Page]) -> None:
        """Write a root, its levels, and the buckets that changed, by their places: all of it or nothing."""
        live = root.progress.evidence.live
        levels = self._changed(root.levels, live.levels if live else ())
        changed = {place: (level.pairs, vars(level)) for place, level in levels.items()}
        tables = self._buckets.written(root.table, pages), self._levels.written(root.levels, changed)
        root = replace(root, table=tables[0], levels=tables[1])
        self._root.write(arrays_of(root))
        self._known |= {place: (int(root.levels.checks[place]), level) for place, level in levels.items()}
        self._read = self._root.stamp, root

    # ------------------------------------------------------------ levels

    def _changed(self, table: PageTable, levels: Sequence[Level]) -> dict[int, Level]:
        """Return the levels that are not in their pages yet, by their places."""
        start = self._shape.live
        known = dict(enumerate(start.levels)) if start else {}  # an empty level needs no page
        known |= {place: level for place, (check, level) in self._known.items() if check == int(table.checks[place])}
        return {place: level for place, level in enumerate(levels) if level is not known.get(place)}

    def with_levels(self, root: Root) -> tuple[Root, list[int]]:
        """Return a root with its levels of live dependence, and the places of damaged ones, which begin again.

        The caller holds the evaluation lock: without it pages may be overwritten meanwhile.
        """
        evidence, start = root.progress.evidence, self._shape.live
        if start is None or evidence.live is None or evidence.live.levels:
            return root, []
        levels, damaged = list(start.levels), []
        for place in np.flatnonzero(root.levels.numbers != NEVER).tolist():
            check = int(root.levels.checks[place])
            known = self._known.get(place)
            if known is None or known[0] != check:
                level = self._level(root.levels, place)
                if level is None:
                    damaged.append(place)
                    continue
                known = self._known[place] = check, level
            levels[place] = known[1]
        live = replace(evidence.live, levels=tuple(levels))
        progress = replace(root.progress, evidence=replace(evidence, live=live))
        return replace(root, progress=progress, levels=root.levels.without(np.array(damaged, np.int64))), damaged

    def _level(self, table: PageTable, place: int) -> Level | None:
        """Return a level as its page holds it, None if it does not fit its checksum."""
        words, whole = self._levels.words(table, np.array([place]))
        if not whole.all():
            return None
        arrays = self._shape.level.arrays(words)
        return Level(arrays["waiting"].astype(np.int64), int(table.numbers[place]), arrays["squares"], arrays["ratio"])

    # ------------------------------------------------------------ pages

    def totals(self, root: Root, now: float) -> tuple[tuple[Totals, ...], IntArray]:
        """Return what each time window holds at a moment, and the places of damaged pages, which are left out.

        The caller holds the evaluation lock: without it pages may be overwritten meanwhile.
        """
        totals, damaged = [], [np.empty(0, np.int64)]
        for span in self._shape.spans:
            held = self._shape.rings.held(span, root.table.numbers, now)
            buckets, whole = self.buckets(root, held)
            totals.append(buckets.totals(span, now))
            damaged.append(held[~whole])
        return tuple(totals), np.concatenate(damaged)

    def buckets(self, root: Root, places: IntArray) -> tuple[Buckets, BoolArray]:
        """Return the buckets at some places that fit their checksums, and which of the places do."""
        words, whole = self._buckets.words(root.table, places)
        pages = words.view(self._shape.page.record)[:, 0]
        hours = pages["hours"] if "hours" in (pages.dtype.names or ()) else None
        return Buckets(root.table.numbers[places[whole]], pages["counts"], pages["sums"], hours), whole
