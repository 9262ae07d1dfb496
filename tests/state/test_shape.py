from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import Bins
from driftgauge.drift.scales import Scales
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.metrics.series import PROCESS
from driftgauge.state.shape import SLACK_ROWS, StateShape

from tests.monitors import small_baseline
from tests.states import (
    COUNTED,
    SERIES,
    TIMED,
    small_shape,
)


def test_the_layout_of_a_state_holds_the_largest_window_and_slack() -> None:
    spans = [TimeSpan("10s", 10), TimeSpan("24h", 86_400)]
    shape = small_shape(1_000, SERIES, spans=spans)
    columns, bins, capacity = 4, small_baseline().binner.width, 1_000 + SLACK_ROWS
    digest = [("head", (5,)), ("total", (columns, bins))]
    counters = [(COUNTED.name, (2, 1)), (TIMED.name, (2, len(TIMED.buckets) + 2)), ("process", (len(PROCESS),))]
    assert [(field.name, field.shape) for field in shape.digested.fields] == digest
    assert [(field.name, field.shape) for field in shape.counted.fields] == [*counters, ("rows", (1,))]
    assert {field.name: field.shape for field in shape.layout.fields} == {
        "header": (3,),
        "latest": (1,),
        "values": (capacity, columns),
        "codes": (capacity, columns),
        "arrival": (capacity,),
        "event": (capacity,),
        "numbers": (capacity,),
        "row_checks": (capacity,),
        "digest_sequence": (1,),
        "digest_checks": (2,),
        "digest_copies": (2, shape.digested.size_bytes // 8),
        "bucket_10s": (2, 10),
        "counts_10s": (2, 10, columns, bins),
        "sums_10s": (2, 10, 2, columns),
        "stamps_10s": (2, 10),
        "bucket_24h": (2, 96),
        "counts_24h": (2, 96, columns, bins),
        "sums_24h": (2, 96, 2, columns),
        "stamps_24h": (2, 96),
        "block_reserved": (1,),
        "block_counts": (4_096, columns, bins),
        "block_hours": (4_096,),
        "block_at": (4_096,),
        "counters_sequence": (1,),
        "counters_checks": (2,),
        "counters_copies": (2, shape.counted.size_bytes // 8),
        "origin_blocks": (1,),
        "origin_counts": (columns, bins),
    }
    assert small_shape(1_000, SERIES).layout.size_bytes < shape.layout.size_bytes
    assert small_shape(1_000, spans=spans).layout.size_bytes < shape.layout.size_bytes
    assert small_shape(10, SERIES, spans=spans).layout.size_bytes < shape.layout.size_bytes


@pytest.mark.parametrize(
    ("columns", "bins", "blocks"), [(30, 23, 4_096), (100, 23, 1_823), (1_000, 60, 69), (9_000, 60, 64)]
)
def test_the_more_counts_a_block_has_the_fewer_blocks_are_held(columns: int, bins: int, blocks: int) -> None:
    one = Bins("value", edges=tuple(np.arange(bins - 4.0).tolist()))  # and the special ones
    binner = Binner([one] * columns)
    assert (binner.columns, binner.width) == (columns, bins)
    scales = Scales.of(np.zeros(1), np.ones(1), np.zeros(1), np.ones(1), np.ones(1, dtype=np.bool_))
    shapes = {field.name: field.shape for field in StateShape(binner, scales, 10).layout.fields}
    assert shapes["block_counts"] == (blocks, columns, bins)
    assert shapes["block_hours"] == shapes["block_at"] == (blocks,)
