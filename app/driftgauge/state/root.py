"""The root of a checkpoint: all that is derived from rows, but for the buckets of the time windows."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import BoolArray, IntArray
from driftgauge.drift.evidence.progress import Progress
from driftgauge.drift.verdict.rule import LIMITS
from driftgauge.drift.windows.buckets import NEVER
from driftgauge.state.layout import Arrays, Field, WordArray

MAX_SLOTS: Final = 64
"""Workers that may share a state at once."""
FOLDED: Final = -1
"""The read position of a log that is part of the carried counters."""


@dataclass(frozen=True)
class Latches:
    """The thresholds that effects have reached, and as of when."""

    latched: BoolArray
    """Shape [limits, columns]."""
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

    @classmethod
    def start(cls, progress: Progress, carried_words: int, pages: int) -> Root:
        """Return the root before the first row."""
        return cls(
            progress=progress,
            latches=Latches(np.zeros((len(LIMITS), len(progress.head.total)), np.bool_), 0, -math.inf),
            evaluated_at=-math.inf,
            positions={},
            carried=np.zeros(carried_words, np.uint64),
            table=PageTable(np.full(pages, NEVER), np.zeros(pages, np.int64), np.zeros(pages, np.uint64)),
        )

    def with_position(self, key: int, position: int, keys: Collection[int]) -> Root:
        """Return the root with the read position of one more log, 0 instead of a negative one.

        Positions of logs that are gone, which are not among `keys`, make room for it: those folded first.
        """
        gone = sorted((own for own in self.positions if own not in keys), key=lambda own: self.positions[own] != FOLDED)
        forgotten = gone[: max(0, len(self.positions) + 1 - MAX_SLOTS)]
        kept = {own: read for own, read in self.positions.items() if own not in forgotten}
        return replace(self, positions={**kept, key: max(0, position)})

    def without(self, places: IntArray | slice) -> Root:
        """Return the root with some pages empty."""
        bucket = self.table.bucket.copy()
        bucket[places] = NEVER
        return replace(self, table=replace(self.table, bucket=bucket))


# ---------------------------------------------------------------- as arrays


def root_fields(like: Root) -> list[Field]:
    """Return the arrays that a root takes."""
    return [Field(name, leaf.dtype.str[1:], leaf.shape) for name, leaf in root_arrays(like).items()]


def root_arrays(root: Root) -> Arrays:
    """Return a root as arrays: each field of it and of the dataclasses in it, by its path."""
    return {name: _array_of(leaf) for name, leaf in _leaves(root, "root")}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not is_dataclass(value):
        yield path, value
        return
    for field in fields(value):
        yield from _leaves(getattr(value, field.name), f"{path}.{field.name}")


def _array_of(leaf: Any) -> Any:
    """Return an array, a number, None (as NaN) or the positions as an array."""
    if isinstance(leaf, Mapping):
        return np.array([*leaf.items(), *[(-1, 0)] * (MAX_SLOTS - len(leaf))])
    return np.asarray(leaf, np.float64 if leaf is None else None)


def root_from(arrays: Arrays, like: Root) -> Root:
    """Return the root of such arrays, with the types of another one."""
    root: Root = _grown(like, "root", arrays)
    return root


def _grown(like: Any, path: str, arrays: Arrays) -> Any:
    if is_dataclass(like) and not isinstance(like, type):
        names = [field.name for field in fields(like)]
        return type(like)(**{name: _grown(getattr(like, name), f"{path}.{name}", arrays) for name in names})
    array = arrays[path]
    if isinstance(like, np.ndarray):
        return array
    if isinstance(like, Mapping):
        return {key: read for key, read in array.tolist() if key >= 0}
    number = array.item()
    return None if like is None and math.isnan(number) else number
