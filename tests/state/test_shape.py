from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.common.layout import Layout
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import Bins
from driftgauge.drift.evidence.detector import Detector
from driftgauge.drift.scales import Scales
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.metrics.series import LATE
from driftgauge.metrics.server_series import WORKER_NUMBERS
from driftgauge.state.shape import StateShape

from tests.monitors import small_baseline
from tests.states import COUNTED, TIMED, small_shape

RECORD_WORDS = 8
"""Four values, the number, two times and the checksum."""


def _wide(columns: int, window_rows: int = 10) -> StateShape:
    """Return the shape of a state of many columns."""
    bins = [Bins("value", edges=(0.0, 1.0))] * columns
    ones = np.ones(columns)
    scales = Scales.of(0 * ones, ones, 0 * ones, ones, ones.astype(np.bool_))
    detector = Detector(bins, np.ones((columns, Binner(bins).width)))
    return StateShape(Binner(bins), scales, detector, window_rows)


def _shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    return {field.name: field.shape for field in layout.fields}


@pytest.mark.parametrize(
    ("columns", "unread"), [(1, 8_192), (30, 8_192), (508, 8_192), (600, 6_944), (1_000, 4_177), (5_000, 4_096)]
)
def test_unread_rows_take_32_mib_but_are_bounded(columns: int, unread: int) -> None:
    shape = _wide(columns, 700)
    assert shape.unread_rows == unread
    assert shape.capacity == 700 + unread
    if 4_096 < unread < 8_192:
        assert unread == 32 * 2**20 // (8 * (columns + 4))


def test_a_log_holds_the_largest_window_and_the_unread_rows() -> None:
    shape = small_shape(1_000)
    held = _shapes(shape.log)
    assert held["records"] == (1_000 + shape.unread_rows, RECORD_WORDS)
    assert held["counters_copies"] == (2, -(-shape.counted.size_bytes // 8))
    assert small_shape(10).log.size_bytes < shape.log.size_bytes
    assert small_shape(1_000, ()).log.size_bytes < shape.log.size_bytes
    assert small_shape(1_000, spans=()).log.size_bytes == shape.log.size_bytes


def test_a_worker_counts_its_series_its_process_and_its_rows() -> None:
    assert _shapes(small_shape(10).counted) == {
        COUNTED.name: (2, 1),
        TIMED.name: (2, len(TIMED.buckets) + 2),
        LATE.name: (1, 1),
        "process": (WORKER_NUMBERS,),
        "rows": (1,),
    }


def test_a_checkpoint_holds_two_copies_of_each_bucket_and_of_its_root() -> None:
    spans = [TimeSpan("10s", 10), TimeSpan("24h", 86_400)]
    shape, binner = small_shape(1_000, spans=spans), small_baseline().binner
    held = _shapes(shape.checkpoint)
    bucket = math.ceil(4 * 4 * binner.width / 64) * 64 + 64  # counts, and 2 x 4 sums: each on a cache line
    assert held["pages"] == (2, 10 + 96, bucket // 8)
    assert held["checkpoint_copies"] == (2, shape.root.size_bytes // 8)


def test_the_size_of_a_checkpoint_does_not_depend_on_windows_of_rows() -> None:
    assert small_shape(10).checkpoint.size_bytes == small_shape(10_000).checkpoint.size_bytes
    assert small_shape(10, spans=()).checkpoint.size_bytes < small_shape(10).checkpoint.size_bytes


def test_shapes_of_other_settings_differ() -> None:
    shape = small_shape(10)
    assert shape == replace(shape)
    for other in ({"window_rows": 11}, {"clock": "event"}, {"spans": ()}, {"series": ()}, {"max_workers": 1}):
        assert replace(shape, **other) != shape
