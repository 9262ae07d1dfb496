"""Catch-up: rows that were appended to logs since the last commit are read, binned and counted.

Everything here works on one root of a checkpoint and returns the next one; the holder of the evaluation lock commits
it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from driftgauge.common.layout import WordArray
from driftgauge.drift.bins import IntArray
from driftgauge.drift.evidence.progress import rows_at_once
from driftgauge.drift.windows.buckets import bucketed
from driftgauge.drift.windows.streams import CodeCache, merged, newest_of
from driftgauge.drift.windows.time_spans import Block, Summing
from driftgauge.drift.windows.window import Rows
from driftgauge.errors import Reason
from driftgauge.metrics.counters import Counters
from driftgauge.metrics.series import DROPPED, LATE
from driftgauge.state.checkpoint import Checkpoint
from driftgauge.state.double_buffer import Damaged
from driftgauge.state.log import LogReader
from driftgauge.state.pages import Page
from driftgauge.state.root import FOLDED, Root
from driftgauge.state.shape import StateShape

AHEAD_SECONDS: Final = 300.0
"""An arrival more than this after the latest time that was counted is of a clock that was ahead."""
_NO_PLACES: Final = np.empty(0, np.int64)


@dataclass(frozen=True)
class PendingRows:
    """The rows that the next commit counts, in the order of their arrival."""

    rows: Rows
    positions: Mapping[int, int]
    """The read position of each log after them."""
    damaged: int
    """Rows that are left out because they fail their checksums."""
    is_last: bool
    """Whether every log was read to its end, as it was when these rows were read."""


class CatchUp:
    """Reads the rows behind the read positions of logs, and counts them."""

    def __init__(self, shape: StateShape) -> None:
        self._shape = shape
        self._summing = Summing(shape.scales)
        self._at_once = rows_at_once(shape.binner, shape.detector)
        self._cache = CodeCache(shape.binner, shape.window_rows)

    def read(
        self, logs: Mapping[int, tuple[LogReader, int]], root: Root, limit: float, now: float
    ) -> PendingRows | None:
        """Return the next rows of logs, None if there are none; rows later than `limit` get the time `now`.

        Beside each log stands how many rows it has.
        """
        begins = {key: root.positions[key] for key, (_, rows) in logs.items() if rows > root.positions[key]}
        if not begins:
            return None
        most = max(1, self._at_once // len(begins))
        parts = [logs[key][0].read(begin, min(logs[key][1], begin + most)) for key, begin in begins.items()]
        codes = [
            self._cache.codes(key, begins[key], part.values, keep=bool(part.valid.all()))
            for key, part in zip(begins, parts, strict=True)
        ]
        rows = merged(parts, codes)
        after = {key: begins[key] + len(part.valid) for key, part in zip(begins, parts, strict=True)}
        damaged = sum(len(part.valid) for part in parts) - len(rows)
        is_last = all(end == logs[key][1] for key, end in after.items())
        return PendingRows(replace(rows, at=np.where(rows.at > limit, now, rows.at)), after, damaged, is_last)

    def newest(
        self, logs: Mapping[int, LogReader], positions: Mapping[int, int], latest: float
    ) -> tuple[Rows, list[int]]:
        """Return the newest rows that were counted, as many as the largest window holds, and which logs lack some.

        `latest` is the latest time that was counted. Rows of a clock that was ahead of it are older than those since.
        """
        rows, parts, codes, damaged = self._shape.window_rows, [], [], []
        limit = latest + AHEAD_SECONDS if self._shape.clock == "arrival" else math.inf
        arrivals = [log.arrivals(max(0, positions[key] - rows), positions[key], limit) for key, log in logs.items()]
        for (key, log), held in zip(logs.items(), newest_of(arrivals, rows), strict=True):
            begin = positions[key] - held
            part = log.read(begin, positions[key])
            parts.append(replace(part, arrival=np.where(part.arrival <= limit, part.arrival, -math.inf)))
            if not parts[-1].valid.all():
                damaged.append(key)
            codes.append(self._cache.codes(key, begin, parts[-1].values, keep=key not in damaged))
        self._cache.keep_only(logs)
        return merged(parts, codes), damaged

    def count(
        self, checkpoint: Checkpoint, root: Root, pending: PendingRows
    ) -> tuple[Root, Mapping[int, Page], IntArray]:
        """Return the root after some rows, the pages that change, and the places of damaged pages."""
        shape, rows, late = self._shape, pending.rows, 0
        pages: Mapping[int, Page] = {}
        damaged, progress = _NO_PLACES, root.progress
        if len(rows):
            progress = progress.after(shape.binner, shape.detector, rows.codes, rows.at)
            counts = (progress.head.total - root.progress.head.total).astype(np.uint32)
            block = Block(rows.values, rows.codes, rows.at, counts, self._summing(rows.values))
            pages, late, damaged = self._pages(checkpoint, root, block)
        carried = self._carried(root.carried, late, pending.damaged)
        positions = {**root.positions, **pending.positions}
        return replace(root, progress=progress, positions=positions, carried=carried), pages, damaged

    def _pages(self, checkpoint: Checkpoint, root: Root, block: Block) -> tuple[dict[int, Page], int, IntArray]:
        """Return the pages that rows change, the rows too late for all windows, and the places of damaged pages."""
        pages: dict[int, Page] = {}
        rings, late, damaged = self._shape.rings, [], [_NO_PLACES]
        for span in self._shape.spans:
            newest = int(rings.part(span, root.table.numbers).max())
            new, missed = bucketed(span, block, newest, self._shape.binner, self._summing)
            late.append(missed)
            places = rings.place(span, new.numbers)
            again = np.flatnonzero(root.table.numbers[places] == new.numbers)
            before, whole = checkpoint.buckets(root, places[again])
            damaged.append(places[again][~whole])
            new.add(before, again[whole])
            pages |= dict(zip(places.tolist(), new.pages(), strict=True))
        return pages, min(late, default=0), np.concatenate(damaged)

    def _carried(self, carried: WordArray, late: int, damaged: int) -> WordArray:
        """Return the carried counters with rows that came too late, and damaged ones."""
        words = carried.copy()
        counters = Counters(self._shape.series, self._shape.counted.arrays(words))
        if late and LATE in self._shape.series:
            counters.add(LATE.name, late)
        if damaged and DROPPED in self._shape.series:
            counters.add(DROPPED.name, damaged, Reason.STATE_DAMAGED)
        return words

    def without_future(self, root: Root, limit: float, now: float) -> tuple[Root, int]:
        """Return a root without buckets later than `now` if its latest time exceeds `limit`: a clock was ahead.

        Returns how many there were, too.
        """
        if root.progress.head.at <= limit:
            return root, 0
        places = self._shape.rings.later(root.table.numbers, now)
        return replace(root.without(places), progress=root.progress.up_to(now)), len(places)

    def folded(self, root: Root, key: int, log: LogReader, oldest: float) -> tuple[Root | None, str]:
        """Return a root with the counters and rows of a log among the carried ones, and what is damaged of it.

        Return None while it is not read to its end, or its newest row did not arrive before `oldest`. A log without
        rows is folded where no log has any.
        """
        position, said = root.positions.get(key, 0), ""
        if position == FOLDED:  # a worker ended between its fold and its deletion
            return root, said
        if self._shape.has_rows and (
            not 0 < log.rows_after(position) == position or log.arrivals(position - 1, position)[0] >= oldest
        ):
            return None, said
        words = root.carried.copy()
        carried = self._shape.counted.arrays(words)
        try:
            for name, array in log.counted().items():
                carried[name] += 0 if name == "rows" else array
        except Damaged as error:
            said = f"is folded without its counters: {error}"
        carried["rows"] += position
        # In the last place, so that it is forgotten last: by then all workers have stopped counting the log.
        others = {own: read for own, read in root.positions.items() if own != key}
        return replace(root, positions={**others, key: FOLDED}, carried=words), said
