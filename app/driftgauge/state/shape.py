"""What a state is for, what lies in it, and what a reader takes of one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.scales import Scales
from driftgauge.drift.windows.blocks import Head
from driftgauge.drift.windows.time_spans import TimeSpan, Totals
from driftgauge.errors import DriftgaugeError
from driftgauge.metrics.series import PROCESS, CounterSpec
from driftgauge.state.block_ring import block_shapes
from driftgauge.state.bucket_ring import bucket_shapes
from driftgauge.state.layout import Field, Layout, counter_fields
from driftgauge.state.pending import Waiting
from driftgauge.state.versions import WordArray, version_fields

BLOCK_ROWS: Final = 2_048
"""Most rows written at once, and that wait to be binned."""
SLACK_ROWS: Final = 2 * BLOCK_ROWS
"""Rows that the ring holds beyond the largest window, so that a reader is seldom overrun."""
RESERVED, COMMITTED, FIRST = range(3)
"""Header fields: reserved end, committed end, oldest row."""


class Overrun(DriftgaugeError):
    """Other workers write faster than can be read, time and again."""


@dataclass(frozen=True)
class StateShape:
    """What a state is for; two states of one shape have the same layout."""

    binner: Binner
    scales: Scales
    window_rows: int
    series: tuple[CounterSpec, ...] = ()
    """Counters and histograms of a worker."""
    spans: tuple[TimeSpan, ...] = ()
    by_event: bool = False
    """Whether rows are timed by event rather than by arrival."""
    by_hour: bool = False
    """Whether evidence tells the hours of the day apart."""

    @property
    def capacity(self) -> int:
        """Rows that the ring holds."""
        return self.window_rows + SLACK_ROWS

    @cached_property
    def counted(self) -> Layout:
        """The layout of what a worker counts."""
        return Layout(
            [*counter_fields(self.series), Field("process", "f8", (len(PROCESS),)), Field("rows", "i8", (1,))]
        )

    @cached_property
    def digested(self) -> Layout:
        """The layout of what is known of all rows that were binned."""
        return Layout([Field("head", "f8", (5,)), Field("total", "i8", (self.binner.columns, self.binner.width))])

    @cached_property
    def layout(self) -> Layout:
        """The layout of a state."""
        columns, bins, capacity = self.binner.columns, self.binner.width, self.capacity
        return Layout(
            [
                Field("header", "i8", (3,)),
                Field("latest", "f8", (1,)),
                Field("values", "f8", (capacity, columns)),
                Field("codes", "u1", (capacity, columns)),
                Field("arrival", "f8", (capacity,)),
                Field("event", "f8", (capacity,)),
                Field("numbers", "i8", (capacity,)),
                Field("row_checks", "u8", (capacity,)),
                *version_fields("digest", self.digested.fields),
                *(Field(*shape) for shape in bucket_shapes(self.spans, columns, bins)),
                *(Field(*shape) for shape in block_shapes(columns, bins)),
                *version_fields("counters", self.counted.fields),
                # Where a reader of blocks begins that has read nothing: rows that were saved were weighed before.
                Field("origin_blocks", "i8", (1,)),
                Field("origin_counts", "u4", (columns, bins)),
            ]
        )


@dataclass(frozen=True)
class Taken:
    """What a state holds at one moment, but for its rows."""

    observed: int
    """Rows appended since the state began."""
    first: int
    """The oldest row that is held, unless it was overwritten."""
    latest_event: float
    """Seconds since 1970; -inf without rows."""
    head: Head
    step: int
    totals: tuple[Totals, ...]
    """What each time window holds."""
    waiting: Waiting
    """Rows behind the head, which are binned here alone."""

    @property
    def bin_rows(self) -> IntArray:
        """The rows counted in each bin since the state began, shape [columns, K]."""
        return self.waiting.head.total


@dataclass(frozen=True)
class Saved:
    """What could be saved of a state that is damaged."""

    values: FloatArray
    arrival: FloatArray
    event: FloatArray
    rows: int
    """That had been appended, as far as is known."""
    base: IntArray | None
    """Rows in each bin beyond those that were saved, shape [columns, K]."""
    counted: WordArray | None
    """The counters, as they were published last."""
