"""The process that compares whole rows: its report, its priority, its end and its failures."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.multivariate.report import MOST_ROWS, compare_rows
from driftgauge.drift.novelty.attach import Detected, with_novelty
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.monitor.row_process import NICE, RowProcess, RowsNotCompared

from tests.monitor.test_whole_rows import rows, table


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return build_baseline(table(rows(5_000, 0)), created="2026-01-01T00:00:00Z")


def test_the_process_says_what_the_function_does(baseline: Baseline) -> None:
    reference, current = rows(800, 5), rows(700, 6, correlation=0.1)
    text = RowProcess(60.0).compare(baseline, reference, current, 7)
    expected = compare_rows(baseline, reference, current, np.random.default_rng(7))
    assert expected.reason in text


def test_the_process_does_not_get_the_detector_of_outliers(baseline: Baseline) -> None:
    def fit(_: FloatArray) -> Detected:
        return Detected("isolation_forest", lambda own: own[:, 0], np.zeros(5_000))  # cannot be sent

    detecting = with_novelty(baseline, table(rows(5_000, 0)), detect=fit)
    assert detecting.novelty is not None
    assert "AUC" in RowProcess(60.0).compare(detecting, rows(800, 5), rows(700, 6), 7)


def test_the_process_has_the_lowest_priority_and_ends_with_its_server(baseline: Baseline) -> None:
    process, failed = RowProcess(60.0), []
    large = np.random.default_rng(0).normal(size=(MOST_ROWS, 60))
    wide = build_baseline({str(i): large[:, i] for i in range(60)}, created="2026-01-01T00:00:00Z")

    def compare() -> None:
        try:
            process.compare(wide, large, large, 0)
        except RowsNotCompared as error:
            failed.append(error)

    thread = threading.Thread(target=compare)
    thread.start()
    deadline = time.monotonic() + 30.0
    while (running := process._running) is None or os.getpriority(os.PRIO_PROCESS, running.pid) != NICE:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.close()
    thread.join(30.0)
    assert len(failed) == 1
    with pytest.raises(RowsNotCompared, match="stopping"):
        process.compare(baseline, large, large, 0)


def test_what_the_process_says_last_is_the_reason(baseline: Baseline) -> None:
    with pytest.raises(RowsNotCompared, match=r"ended with 1: .*Error"):
        RowProcess(60.0).compare(baseline, np.zeros((300, 1)), np.zeros((300, 9)), 0)
