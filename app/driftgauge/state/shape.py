"""The shape of a state: the arrays of each log and of the checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.common.layout import Field, Layout
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import Bins
from driftgauge.drift.evidence.detector import Detector
from driftgauge.drift.evidence.live_dependence import LEVELS, LiveDependence
from driftgauge.drift.evidence.progress import Progress
from driftgauge.drift.evidence.trimmed import KEPT_PAIRS
from driftgauge.drift.scales import Scales
from driftgauge.drift.windows.blocks import HOURS
from driftgauge.drift.windows.buckets import Rings
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.metrics.counters import counter_fields
from driftgauge.metrics.series import CounterSpec
from driftgauge.metrics.server_series import WORKER_NUMBERS
from driftgauge.state.double_buffer import double_buffer_fields
from driftgauge.state.history import HistoryShape
from driftgauge.state.pages import page_field
from driftgauge.state.root import MAX_SLOTS, Root, arrays_of

_FEWEST_UNREAD: Final = 4_096
_MOST_UNREAD: Final = 8_192
_UNREAD_BYTES: Final = 33_554_432
EXTRA_WORDS: Final = 4
"""Words of a record beside the values: number, arrival, time, checksum."""


@dataclass(frozen=True)
class StateShape:
    """Everything that decides what the bytes of a state mean."""

    binner: Binner
    scales: Scales
    detector: Detector
    window_rows: int
    """Rows of the largest sliding window."""
    series: tuple[CounterSpec, ...] = ()
    """Counters and histograms of a worker."""
    spans: tuple[TimeSpan, ...] = ()
    clock: str = "arrival"
    """Name of the clock that gives rows their times."""
    max_workers: int = MAX_SLOTS

    @property
    def has_rows(self) -> bool:
        """Whether rows are appended; the server's own state has counters alone."""
        return self.window_rows > 0

    @property
    def record_words(self) -> int:
        """Words of eight bytes of a row in a log."""
        return self.binner.columns + EXTRA_WORDS

    @property
    def unread_rows(self) -> int:
        """Most rows of a log that no catch-up has read."""
        return min(max(_UNREAD_BYTES // (8 * self.record_words), _FEWEST_UNREAD), _MOST_UNREAD)

    @property
    def capacity(self) -> int:
        """Rows that a log holds: those of the largest window and the unread ones."""
        return self.window_rows + self.unread_rows

    @cached_property
    def counted(self) -> Layout:
        """The layout of a worker's counters; `rows` are those that it has counted."""
        process, rows = Field("process", "f8", (WORKER_NUMBERS,)), Field("rows", "i8", (1,))
        return Layout([*counter_fields(self.series), process, rows])

    @cached_property
    def log(self) -> Layout:
        """The layout of a log."""
        committed, records = Field("committed", "i8", (1,)), Field("records", "u8", (self.capacity, self.record_words))
        return Layout([committed, *double_buffer_fields("counters", self.counted), records])

    @cached_property
    def rings(self) -> Rings:
        """The places of the buckets of all time windows; each has a page in a checkpoint."""
        return Rings(self.spans)

    @cached_property
    def page(self) -> Layout:
        """The layout of a page: what one bucket of time holds."""
        columns, bins = self.binner.columns, self.binner.width
        hours = [Field("hours", "u4", (HOURS,))] if any(span.crosses_hours for span in self.spans) else []
        return Layout([Field("counts", "u4", (columns, bins)), Field("sums", "f8", (2, columns)), *hours])

    @property
    def live(self) -> LiveDependence | None:
        """What is known of the dependence between rows before the first; None where it is not measured."""
        return self.start.progress.evidence.live

    @cached_property
    def level(self) -> Layout:
        """The layout of a page with a level of live dependence."""
        columns, bins = self.binner.columns, self.binner.width
        waiting, squares = Field("waiting", "u4", (columns, bins)), Field("squares", "i4", (KEPT_PAIRS, 2, columns))
        return Layout([waiting, squares, Field("ratio", "f8", (columns,))])

    @cached_property
    def history(self) -> HistoryShape:
        """The shape of the history."""
        return HistoryShape(self.binner.columns)

    @cached_property
    def start(self) -> Root:
        """The root of a checkpoint before the first row."""
        progress = Progress.start(self.binner, self.detector)
        return Root.start(progress, self.counted.words, self.rings.places, LEVELS if progress.evidence.live else 0)

    @cached_property
    def root(self) -> Layout:
        """The layout of a checkpoint's root."""
        return Layout([Field(name, own.dtype.str[1:], own.shape) for name, own in arrays_of(self.start).items()])

    @cached_property
    def checkpoint(self) -> Layout:
        """The layout of a checkpoint."""
        pages, levels = len(self.start.table.numbers), len(self.start.levels.numbers)
        fields = page_field("pages", pages, self.page), page_field("levels", levels, self.level)
        return Layout([*double_buffer_fields("checkpoint", self.root), *fields])


def service_shape(series: Sequence[CounterSpec]) -> StateShape:
    """Return the shape of a state that has counters and no rows; its one column is never observed."""
    bins, unknown, no = [Bins("value", edges=(0.0,))], np.full(1, np.nan), np.zeros(1, np.bool_)
    binner = Binner(bins)
    return StateShape(
        binner=binner,
        scales=Scales.of(unknown, unknown, unknown, unknown, no),
        detector=Detector(bins, np.ones((1, binner.width)), watched=no),
        window_rows=0,
        series=tuple(series),
    )
