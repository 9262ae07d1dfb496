from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from driftgauge.library.recorder import Outputs, Recorder, rows_in

from tests.library.watching import ROW, counted, watching
from tests.served import total


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        (ROW, 1),
        ([ROW], 1),
        ([ROW, ROW], 2),
        ([1.0, 2.0, "a"], 1),
        (["a", 1.0], 1),
        ([[1.0, 2.0], [3.0, 4.0]], 2),
        ([], 0),
        (np.zeros(3), 1),
        (np.zeros((4, 3)), 4),
        (pd.DataFrame([ROW] * 5), 5),
        (pa.table({"a": [1, 2]}), 2),
        (None, 1),
        ("text", 1),
    ],
)
def test_rows_are_counted_as_observations_take_them(rows: Any, count: int) -> None:
    assert rows_in(rows) == count


def test_latency_is_counted_by_the_size_of_the_call() -> None:
    with watching() as monitor:
        recorder = monitor._recorder()
        for rows in (1, 9, 10, 99, 100):
            recorder.answered([ROW] * rows, [0.5] * rows, Outputs.of(None, None), 0.125)
        series = counted(monitor)
        name = "model_prediction_latency_seconds_count"
        sizes = [total(series, name, batch_size_bucket=size) for size in ("small", "medium", "large")]
        assert sizes == [2, 2, 1]
        assert total(series, "model_prediction_latency_seconds_sum") == 0.625


def test_a_failure_to_count_is_handed_on_and_the_rows_are_still_observed() -> None:
    lost: list[Exception] = []
    seen: list[Any] = []

    def observe(rows: Any, *, prediction: Any = None, prediction_class: Any = None) -> None:
        seen.append((rows, prediction, prediction_class))

    def closed() -> Any:
        raise RuntimeError("the monitor is closed")

    recorder = Recorder(closed, observe, lost.append, ["age"], lambda: 0.0)
    recorder.answered(ROW, {"score": 0.5, "name": "a"}, Outputs.of("score", "name"), 0.1)
    recorder.failed(ROW)
    assert seen == [(ROW, 0.5, "a")]
    assert [str(error) for error in lost] == ["the monitor is closed"] * 2
