"""State shared by evaluations: evidence, latches, read positions; and totals of removed slots."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, IntArray
from driftgauge.drift.evidence.detector import Detector, Evidence, Rate
from driftgauge.drift.verdict.rule import SEVERITIES
from driftgauge.state.block_ring import Counted
from driftgauge.state.layout import Buffer, Field, Layout
from driftgauge.state.shape import StateShape
from driftgauge.state.versions import Arrays, Damaged, Versions, WordArray, version_fields

MAX_SLOTS: Final = 64
"""Workers that may share a state at once."""


@dataclass(frozen=True)
class Settled:
    """Which thresholds effects have reached, and as of when."""

    reached: BoolArray
    """Shape [severities, columns]."""
    rows: int
    """Rows that had been appended."""
    clock: float
    """What time it was by the monitor's clock, seconds since 1970; -inf before the first row."""


@dataclass(frozen=True)
class Remembered:
    """What the last evaluation left."""

    evidence: Evidence
    settled: Settled
    counted: Mapping[int, Counted] = field(default_factory=dict)
    """How far the blocks of each slot were weighed, by the slot's key."""
    evaluated_at: float = -math.inf
    """When a report was made last, by whichever worker: by the server's clock, seconds since 1970."""


@dataclass(frozen=True)
class MemoryShape:
    """Dimensions of the evaluation state."""

    columns: int
    bins: int
    bets: int
    slots: int

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The arrays of what is remembered."""
        columns = self.columns
        return (
            Field("rate", "f8", (4,)),
            Field("threshold", "f8", (1,)),
            Field("won", "f8", (self.bets,)),
            Field("evidence", "f8", (columns,)),
            Field("raised_since", "f8", (columns,)),
            Field("cleared_at", "f8", (columns,)),
            Field("settled", "f8", (3,)),
            Field("reached", "?", (len(SEVERITIES), columns)),
            Field("keys", "i8", (self.slots,)),
            Field("blocks", "i8", (self.slots,)),
            Field("counts", "u4", (self.slots, columns, self.bins)),
        )

    @cached_property
    def layout(self) -> Layout:
        """The layout of a memory."""
        return Layout(version_fields("memory", self.fields))


class Memory:
    """Keeps what evaluations remember, in memory or a mapped file; one evaluation writes at a time."""

    def __init__(self, shape: MemoryShape, detector: Detector, buffer: Buffer | None = None) -> None:
        """Remember nothing yet, or see what is remembered in a buffer, which `begin` makes usable if it is new."""
        self.detector: Final = detector
        self._shape = shape
        arrays = shape.layout.arrays(bytearray(shape.layout.size_bytes) if buffer is None else buffer)
        self._versions = Versions("memory", shape.fields, arrays)
        self._read: tuple[int, Remembered] | None = None
        if buffer is None:
            self.begin()

    @property
    def slots(self) -> int:
        """Number of slots whose read positions can be kept."""
        return self._shape.slots

    def copy(self, *, as_read: bool = False) -> Memory:
        """Return a private copy of the memory; an empty one if it is damaged.

        With `as_read` it is of what was read last, without another look into the file.
        """
        own = Memory(self._shape, self.detector)
        if as_read:
            if self._read is not None:
                own.keep(self._read[1])
            return own
        with contextlib.suppress(Damaged):
            own.keep(self.read())
        return own

    def restore(self) -> bool:
        """Restore what this process read last, or the start; return whether it had read anything.

        Evidence and how far it has weighed belong together, so no row is weighed twice.
        """
        read = self._read
        if read is None:
            self.begin()
        else:
            self.keep(read[1])
        return read is not None

    def begin(self) -> None:
        """Remember what there is before the first row."""
        none = self.detector.start()
        reached = np.zeros((len(SEVERITIES), len(none.values)), dtype=np.bool_)
        self.keep(Remembered(none, Settled(reached, 0, -math.inf)))

    def read(self) -> Remembered:
        """Return what is remembered; Damaged if it is not whole."""
        seen = self._versions.sequence
        if self._read is None or self._read[0] != seen:
            self._read = seen, self._remembered(self._versions.read()[1])
        return self._read[1]

    def _remembered(self, arrays: Arrays) -> Remembered:
        rows, seconds, since, until = arrays["rate"].tolist()
        settled, clock, evaluated_at = arrays["settled"].tolist()
        keys = arrays["keys"].tolist()
        raised = ~np.isnan(arrays["raised_since"])
        raised.flags.writeable = False  # as all that is read
        return Remembered(
            evidence=Evidence(
                wealth=arrays["won"],
                values=arrays["evidence"],
                raised=raised,
                since=arrays["raised_since"],
                cleared=arrays["cleared_at"],
                threshold=float(arrays["threshold"][0]),
                rate=Rate(rows, seconds, None if math.isnan(since) else since, until),
                tau=self.detector.tau,
            ),
            settled=Settled(arrays["reached"], int(settled), clock),
            counted={
                key: Counted(int(arrays["blocks"][place]), arrays["counts"][place])
                for place, key in enumerate(keys)
                if key >= 0
            },
            evaluated_at=evaluated_at,
        )

    def keep(self, remembered: Remembered) -> None:
        """Remember something else."""
        evidence, settled = remembered.evidence, remembered.settled
        since = math.nan if evidence.rate.since is None else evidence.rate.since
        keys = np.full(self._shape.slots, -1, dtype=np.int64)
        blocks = np.zeros(self._shape.slots, dtype=np.int64)
        counts = np.zeros((self._shape.slots, self._shape.columns, self._shape.bins), dtype=np.uint32)
        for place, (key, counted) in enumerate(remembered.counted.items()):
            keys[place], blocks[place], counts[place] = key, counted.blocks, counted.counts
        self._versions.write(
            {
                "rate": (evidence.rate.rows, evidence.rate.seconds, since, evidence.rate.until),
                "threshold": evidence.threshold,
                "won": evidence.wealth,
                "evidence": evidence.values,
                "raised_since": evidence.since,
                "cleared_at": evidence.cleared,
                "settled": (settled.rows, settled.clock, remembered.evaluated_at),
                "reached": settled.reached,
                "keys": keys,
                "blocks": blocks,
                "counts": counts,
            }
        )

    def change(self, **changes: object) -> None:
        """Remember something of it else; keywords as the fields of Remembered."""
        self.keep(replace(self.read(), **changes))  # type: ignore[arg-type]  # mypy does not see through **


# ---------------------------------------------------------------- of slots that are no more


@dataclass(frozen=True)
class Retired:
    """Totals of removed slots, whose rows have left all windows."""

    words: WordArray
    """All that they counted, added up, in the layout of `StateShape.counted`."""
    bin_rows: IntArray
    """Shape [columns, K]."""
    rows: int
    keys: frozenset[int]
    """Of the slots that are in these totals, though their files may still be there."""


def retired_fields(shape: StateShape) -> tuple[Field, ...]:
    """Return the arrays of retired totals."""
    return (
        Field("words", "u8", (-(-shape.counted.size_bytes // 8),)),
        Field("bin_rows", "i8", (shape.binner.columns, shape.binner.width)),
        Field("rows", "i8", (1,)),
        Field("keys", "i8", (MAX_SLOTS,)),
    )


def retired_layout(shape: StateShape) -> Layout:
    """Return the layout of retired totals."""
    return Layout(version_fields("retired", retired_fields(shape)))


class RetiredTotals:
    """Keeps the totals of slots that are no more; one evaluation writes at a time."""

    def __init__(self, shape: StateShape, buffer: Buffer | None = None) -> None:
        """Begin with nothing, or see the totals in a buffer, which `begin` makes usable if it is new."""
        self._shape = shape
        layout = retired_layout(shape)
        arrays = layout.arrays(bytearray(layout.size_bytes) if buffer is None else buffer)
        self._versions = Versions("retired", retired_fields(shape), arrays)
        self._read: tuple[int, Retired] | None = None
        if buffer is None:
            self.begin()

    @property
    def sequence(self) -> int:
        """How often the totals were written."""
        return self._versions.sequence

    def begin(self) -> None:
        """Begin with nothing."""
        fields = {field.name: np.zeros(field.shape, field.dtype) for field in retired_fields(self._shape)}
        self._versions.write({**fields, "keys": np.full(MAX_SLOTS, -1)})

    def restore(self) -> bool:
        """Restore what this process read last, so that sums do not fall; return whether it had read anything."""
        read = self._read
        if read is None:
            self.begin()
        else:
            self.write(read[1])
        return read is not None

    def read(self) -> Retired:
        """Return the totals; Damaged if they are not whole."""
        seen = self._versions.sequence
        if self._read is None or self._read[0] != seen:
            _, arrays = self._versions.read()
            keys = frozenset(key for key in arrays["keys"].tolist() if key >= 0)
            self._read = seen, Retired(arrays["words"], arrays["bin_rows"], int(arrays["rows"][0]), keys)
        return self._read[1]

    def write(self, retired: Retired) -> None:
        """Keep other totals."""
        keys = np.full(MAX_SLOTS, -1, dtype=np.int64)
        keys[: len(retired.keys)] = sorted(retired.keys)
        self._versions.write({"words": retired.words, "bin_rows": retired.bin_rows, "rows": retired.rows, "keys": keys})
