"""Checkpoint: everything derived from the rows of all logs, and how far each log was read.

Pages hold the buckets of the time windows; the root holds the rest, and which of the two copies of each page is
current. A commit writes changed pages beside their current copies and then the root. The root is a double buffer, so
one number switches all of it, and a commit that was never finished leaves no trace.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from driftgauge.common.layout import Buffer, WordArray
from driftgauge.drift.bins import BoolArray, IntArray
from driftgauge.drift.windows.buckets import NEVER, Buckets
from driftgauge.drift.windows.time_spans import Totals
from driftgauge.state.double_buffer import Damaged, DoubleBuffer, multipliers
from driftgauge.state.failpoints import Failpoint, no_failpoint
from driftgauge.state.root import PageTable, Root, arrays_of, root_from
from driftgauge.state.shape import StateShape

Page = tuple[int, Mapping[str, Any]]
"""The number of a bucket and its arrays."""


class Checkpoint:
    """The checkpoint in a buffer; the holder of the evaluation lock writes, and anyone reads the root."""

    def __init__(self, shape: StateShape, buffer: Buffer | None = None, *, failpoint: Failpoint = no_failpoint) -> None:
        """See the checkpoint in a buffer, which `repair` makes usable if it is new; by default one in memory."""
        arrays = shape.checkpoint.arrays(bytearray(shape.checkpoint.size_bytes) if buffer is None else buffer)
        self._shape = shape
        self._failpoint = failpoint
        self._root = DoubleBuffer("checkpoint", shape.root, arrays, failpoint)
        self._pages: WordArray = arrays["pages"]
        self._multipliers = multipliers(shape.page.words)
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

    def without_pages(self) -> Checkpoint:
        """Return a checkpoint in memory with the root that this process read last, but for its pages."""
        checkpoint = Checkpoint(self._shape)
        if self.last_read is not None:
            checkpoint.commit(self.last_read.without(slice(None)), {})
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
            places = np.flatnonzero(root.table.bucket != NEVER)
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
        """Write a root and the pages that changed, by their places: all of it or nothing."""
        bucket, copy, checks = root.table.bucket.copy(), root.table.copy.copy(), root.table.checks.copy()
        for place, (number, arrays) in pages.items():
            words = self._shape.page.packed(arrays)
            bucket[place], copy[place] = number, 1 - copy[place]
            self._pages[copy[place], place] = words
            checks[place] = words @ self._multipliers
            self._failpoint("checkpoint.page")
        root = replace(root, table=PageTable(bucket, copy, checks))
        self._root.write(arrays_of(root))
        self._read = self._root.stamp, root

    # ------------------------------------------------------------ pages

    def totals(self, root: Root, now: float) -> tuple[tuple[Totals, ...], IntArray]:
        """Return what each time window holds at a moment, and the places of damaged pages, which are left out.

        The caller holds the evaluation lock: without it pages may be overwritten meanwhile.
        """
        totals, damaged = [], [np.empty(0, np.int64)]
        for span in self._shape.spans:
            held = self._shape.rings.held(span, root.table.bucket, now)
            buckets, whole = self.buckets(root, held)
            totals.append(buckets.totals(span, now))
            damaged.append(held[~whole])
        return tuple(totals), np.concatenate(damaged)

    def buckets(self, root: Root, places: IntArray) -> tuple[Buckets, BoolArray]:
        """Return the buckets at some places that fit their checksums, and which of the places do."""
        words = self._pages[root.table.copy[places], places]
        whole: BoolArray = words @ self._multipliers == root.table.checks[places]
        if not whole.all():
            words = words[whole]
        pages = words.view(self._shape.page.record)[:, 0]
        return Buckets(root.table.bucket[places[whole]], pages["counts"], pages["sums"]), whole
