"""The root of a checkpoint: all that is derived from rows, but for what its pages hold."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

import numpy as np

from driftgauge.common.layout import Arrays, WordArray
from driftgauge.drift.bins import IntArray
from driftgauge.drift.evidence.detector import Detector
from driftgauge.drift.evidence.live_dependence import LiveDependence
from driftgauge.drift.evidence.progress import Progress
from driftgauge.drift.verdict.latches import Latches
from driftgauge.state.pages import PageTable

MAX_SLOTS: Final = 64
"""Workers that may share a state at once."""
FOLDED: Final = -1
"""The read position of a log that is part of the carried counters."""


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
    """The pages with the buckets of the time windows."""
    levels: PageTable
    """The pages with the levels of live dependence."""

    @classmethod
    def start(cls, progress: Progress, carried_words: int, pages: int, levels: int) -> Root:
        """Return the root before the first row."""
        return cls(
            progress=progress,
            latches=Latches.start(len(progress.head.total)),
            evaluated_at=-math.inf,
            positions={},
            carried=np.zeros(carried_words, np.uint64),
            table=PageTable.start(pages),
            levels=PageTable.start(levels),
        )

    def with_position(self, key: int, position: int, keys: Collection[int]) -> Root:
        """Return the root with the read position of one more log, 0 instead of a negative one.

        Positions of logs that are gone, which are not among `keys`, make room for it: those folded first.
        """
        gone = sorted((own for own in self.positions if own not in keys), key=lambda own: self.positions[own] != FOLDED)
        forgotten = gone[: max(0, len(self.positions) + 1 - MAX_SLOTS)]
        kept = {own: read for own, read in self.positions.items() if own not in forgotten}
        return replace(self, positions={**kept, key: max(0, position)})

    def begun_with(self, live: LiveDependence, detector: Detector) -> Root:
        """Return the root with what is known of earlier rows; no rows have come."""
        evidence = replace(self.progress.evidence, live=live, tau=detector.tau_in_force(live))
        return replace(self, progress=replace(self.progress, evidence=evidence))

    def without(self, places: IntArray | slice) -> Root:
        """Return the root without some buckets."""
        return replace(self, table=self.table.without(places))


def arrays_of(value: Any, path: str = "root") -> Arrays:
    """Return a root as arrays: each field of it, and of the dataclasses in it, by its path.

    Tuples are left out: pages hold them.
    """
    if isinstance(value, tuple):
        return {}
    if parts := _parts(value):
        return {at: array for name, part in parts.items() for at, array in arrays_of(part, f"{path}.{name}").items()}
    if isinstance(value, Mapping):  # the positions
        return {path: np.array([*value.items(), *[(-1, 0)] * (MAX_SLOTS - len(value))])}
    return {path: np.asarray(value, np.float64 if value is None else None)}


def root_from(arrays: Arrays, like: Any, path: str = "root") -> Any:
    """Return the root of such arrays, with the types of another one and empty tuples."""
    if isinstance(like, tuple):
        return ()
    if parts := _parts(like):
        return type(like)(**{name: root_from(arrays, part, f"{path}.{name}") for name, part in parts.items()})
    array = arrays[path]
    if isinstance(like, np.ndarray):
        return array
    if isinstance(like, Mapping):
        return {key: read for key, read in array.tolist() if key >= 0}
    return None if like is None and np.isnan(array) else array.item()


def _parts(value: Any) -> Mapping[str, Any]:
    """Return the fields of a dataclass by name; nothing for other values."""
    return {own.name: getattr(value, own.name) for own in fields(value)} if is_dataclass(value) else {}
