"""Checkpoint: everything derived from the rows of all logs, and how far each log was read.

Pages hold the buckets of the time windows; the root holds the rest, and which of the two copies of each page is
current. A commit writes changed pages beside their current copies and then the root. The root is a double buffer, so
one number switches all of it, and a commit that was never finished leaves no trace.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import BoolArray, IntArray
from driftgauge.drift.evidence.detector import Evidence, Rate
from driftgauge.drift.evidence.progress import Progress
from driftgauge.drift.verdict.rule import SEVERITIES
from driftgauge.drift.windows.blocks import Head
from driftgauge.drift.windows.buckets import NEVER, Buckets, first_bucket
from driftgauge.drift.windows.time_spans import TimeSpan, Totals
from driftgauge.state.double_buffer import Damaged, DoubleBuffer, multipliers
from driftgauge.state.failpoints import Failpoint, no_failpoint
from driftgauge.state.layout import Arrays, Buffer, WordArray
from driftgauge.state.shape import MAX_SLOTS, StateShape

FOLDED: Final = -1
"""The read position of a log that is part of the carried counters."""
Page = tuple[int, Mapping[str, Any]]
"""The number of a bucket and its arrays."""


@dataclass(frozen=True)
class Latches:
    """The thresholds that effects have reached, and as of when."""

    latched: BoolArray
    """Shape [severities, columns]."""
    rows: int
    """Rows that had been counted."""
    clock: float
    """The time by the monitor's clock, seconds since 1970; -inf before the first row."""


@dataclass(frozen=True)
class PageTable:
    """What each page holds, and where."""

    bucket: IntArray
    """The number of the bucket, shape [pages]; NEVER for an empty page."""
    copy: IntArray
    """Which of its two copies is current, shape [pages]."""
    checks: WordArray
    """The checksum of that copy, shape [pages]."""


@dataclass(frozen=True)
class Root:
    """The root of a checkpoint; its arrays are never written to."""

    progress: Progress
    """Totals and evidence of all rows that were read."""
    latches: Latches
    evaluated_at: float
    """When any worker made the last report, by the server's clock, seconds since 1970."""
    positions: Mapping[int, int]
    """How many rows of each log were read, by the log's key, or FOLDED."""
    carried: WordArray
    """Counters of folded logs, and those that catch-ups count, in the layout of `StateShape.counted`."""
    table: PageTable

    def with_position(self, key: int, position: int, keys: Collection[int]) -> Root:
        """Return the root with the read position of one more log.

        Positions of logs that are gone, which are not among `keys`, make room for it: those folded first.
        """
        gone = [own for own in self.positions if own not in keys]
        gone.sort(key=lambda own: self.positions[own] != FOLDED)
        forgotten = gone[: max(0, len(self.positions) + 1 - MAX_SLOTS)]
        kept = {own: read for own, read in self.positions.items() if own not in forgotten}
        return replace(self, positions={**kept, key: position})


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
        firsts = accumulate((span.buckets for span in shape.spans), initial=0)
        self._first: Final[Mapping[TimeSpan, int]] = dict(zip(shape.spans, firsts, strict=False))
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
            read = newest, self._root_from(arrays)
            self._read = read
        return read[1]

    @property
    def last_read(self) -> Root | None:
        """The root that this process read or wrote last."""
        return self._read[1] if self._read else None

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
                self.commit(self._start(), {})
                return f"{error}; it begins empty"
            places = np.flatnonzero(root.table.bucket != NEVER)
            damaged = places[~self.buckets(root, places)[1]]
            self.commit(self.without(root, damaged), {})
            return f"{error}; restored as it was read last, but for {len(damaged)} buckets of time windows"
        return ""

    def _newest_known(self) -> Root | None:
        """Return the newest root that this process has read or can read."""
        known = [self._read] if self._read else []
        with contextlib.suppress(Damaged):
            sequence, arrays = self._root.read()
            known.append(((sequence, 0), self._root_from(arrays)))
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
        self._root.write(_arrays_of(root))
        self._read = self._root.stamp, root

    def _start(self) -> Root:
        shape, pages = self._shape, self._shape.pages
        return Root(
            progress=Progress.start(shape.binner, shape.detector),
            latches=Latches(np.zeros((len(SEVERITIES), shape.binner.columns), np.bool_), 0, -math.inf),
            evaluated_at=-math.inf,
            positions={},
            carried=np.zeros(shape.counted.words, np.uint64),
            table=PageTable(np.full(pages, NEVER), np.zeros(pages, np.int64), np.zeros(pages, np.uint64)),
        )

    def _root_from(self, arrays: Arrays) -> Root:
        rows, ended, hour, at, latched_rows, clock, evaluated_at, threshold, *rate = arrays["numbers"].tolist()
        rate_rows, seconds, until, since = rate
        raised = ~np.isnan(arrays["raised_since"])
        raised.flags.writeable = False
        evidence = Evidence(
            wealth=arrays["wealth"],
            values=arrays["evidence"],
            raised=raised,
            since=arrays["raised_since"],
            cleared=arrays["cleared_at"],
            threshold=threshold,
            rate=Rate(rate_rows, seconds, None if math.isnan(since) else since, until),
            tau=self._shape.detector.tau,
        )
        head = Head(int(rows), int(ended), int(hour), at, arrays["total"])
        return Root(
            progress=Progress(head, arrays["weighed"], evidence),
            latches=Latches(arrays["latched"], int(latched_rows), clock),
            evaluated_at=evaluated_at,
            positions={key: read for key, read in arrays["positions"].tolist() if key >= 0},
            carried=arrays["carried"],
            table=PageTable(arrays["page_bucket"], arrays["page_copy"].astype(np.int64), arrays["page_checks"]),
        )

    # ------------------------------------------------------------ pages

    def places(self, span: TimeSpan, numbers: IntArray) -> IntArray:
        """Return the pages of buckets with some numbers, shape as given."""
        return self._first[span] + numbers % span.buckets

    def numbers(self, root: Root, span: TimeSpan) -> IntArray:
        """Return the numbers of the buckets of a span, shape [buckets]; NEVER for empty ones."""
        first = self._first[span]
        return root.table.bucket[first : first + span.buckets]

    def totals(self, root: Root, now: float) -> tuple[tuple[Totals, ...], IntArray]:
        """Return what each time window holds at a moment, and the places of damaged pages, which are left out.

        The caller holds the evaluation lock: without it pages may be overwritten meanwhile.
        """
        totals, damaged = [], []
        for span in self._shape.spans:
            numbers = self.numbers(root, span)
            oldest = first_bucket(span, now)
            held = self._first[span] + np.flatnonzero((numbers >= oldest) & (numbers < oldest + span.buckets))
            buckets, whole = self.buckets(root, held)
            totals.append(buckets.totals(span, now))
            damaged.append(held[~whole])
        return tuple(totals), np.concatenate([np.empty(0, np.int64), *damaged])

    def buckets(self, root: Root, places: IntArray) -> tuple[Buckets, BoolArray]:
        """Return the buckets at some places that fit their checksums, and which of the places do."""
        words = self._pages[root.table.copy[places], places]
        whole: BoolArray = words @ self._multipliers == root.table.checks[places]
        if not whole.all():
            words = words[whole]
        fields, page = {field.name: field for field in self._shape.page.fields}, self._shape.page
        counts, sums = (
            words.view(fields[name].dtype)[:, page.offsets[name] // size :][:, : fields[name].size_bytes // size]
            for name, size in (("counts", 4), ("sums", 8))
        )
        held = len(words)
        return Buckets(
            numbers=root.table.bucket[places[whole]],
            counts=counts.reshape(held, *fields["counts"].shape),
            sums=sums.reshape(held, *fields["sums"].shape),
        ), whole

    def without(self, root: Root, places: IntArray) -> Root:
        """Return a root in which some pages are empty."""
        bucket = root.table.bucket.copy()
        bucket[places] = NEVER
        return replace(root, table=replace(root.table, bucket=bucket))


def _arrays_of(root: Root) -> Mapping[str, Any]:
    """Return the fields of `StateShape.root`."""
    head, evidence, latches = root.progress.head, root.progress.evidence, root.latches
    rate = evidence.rate
    numbers = (head.rows, head.ended, head.hour, head.at, latches.rows, latches.clock, root.evaluated_at)
    since = math.nan if rate.since is None else rate.since
    unused = [(-1, 0)] * (MAX_SLOTS - len(root.positions))
    return {
        "numbers": (*numbers, evidence.threshold, rate.rows, rate.seconds, rate.until, since),
        "total": head.total,
        "weighed": root.progress.weighed,
        "wealth": evidence.wealth,
        "evidence": evidence.values,
        "raised_since": evidence.since,
        "cleared_at": evidence.cleared,
        "latched": latches.latched,
        "positions": [*root.positions.items(), *unused],
        "carried": root.carried,
        "page_bucket": root.table.bucket,
        "page_copy": root.table.copy,
        "page_checks": root.table.checks,
    }
