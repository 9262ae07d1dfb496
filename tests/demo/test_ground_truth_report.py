from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
from driftgauge.demo import ground_truth_report as demo
from driftgauge.demo.flights import SPRING, right_scores
from driftgauge.demo.ground_truth import MonthlyPerformance
from driftgauge.models.bundle import load_bundle
from rich.console import Console

from tests.trained_demo import TrainedDemo


def printed(
    performance: MonthlyPerformance, sent: pd.DataFrame, scores: list[float], trained: TrainedDemo
) -> list[list[str]]:
    out = io.StringIO()
    demo.print_performance(Console(file=out, width=200), performance, sent, scores, trained.bundle, 7)
    return [line.split() for line in out.getvalue().splitlines()]


def test_the_table_has_the_held_out_month_and_each_month_beside_its_estimate(
    trained_demo: TrainedDemo, flights: pd.DataFrame
) -> None:
    sent = flights[flights["time"].between("2013-08-31T00:00Z", "2013-09-03T00:00Z")].reset_index(drop=True)
    scores = right_scores(flights, SPRING, trained_demo.bundle, sent)
    metrics = {name: {"value": value, "lower": 0.0, "upper": 1.0} for name, value in
               (("accuracy", 0.8123), ("roc_auc", 0.7456))}  # fmt: skip
    counted = {"predictions": 1_234, "coverage_ratio": 0.98, "mean_lag_seconds": 9_900.0, "metrics": metrics}
    unknown: dict[str, Any] = {"predictions": 3, "coverage_ratio": 0.0, "mean_lag_seconds": None, "metrics": {}}
    performance = MonthlyPerformance()
    performance.add({
        "performance": {"matured_until": "2013-09-02T00:00:00Z", "reason": "It is as good as before."},
        "cohorts": [
            {"start": "2013-08-01T00:00:00Z", **counted},
            {"start": "2013-09-01T00:00:00Z", **counted},
            {"start": "2013-10-01T00:00:00Z", **unknown},
        ],
    })  # fmt: skip
    rows = printed(performance, sent, scores.tolist(), trained_demo)
    bundle = load_bundle(trained_demo.bundle)
    assert bundle.info.performance is not None
    assert bundle.held_out is not None
    assert bundle.held_out.calibration is not None
    held = bundle.info.performance
    quality = [f"{held.metrics[name]:.3f}" for name in ("accuracy", "roc_auc")]
    assert ["July,", "held", "out", f"{held.rows:,}", *quality] in rows
    for name, begin, end in (("August", "2013-08-01", "2013-09-01"), ("September", "2013-09-01", "2013-09-02")):
        own = (sent["time"] >= f"{begin}T00:00Z") & (sent["time"] < f"{end}T00:00Z")
        estimate = bundle.held_out.calibration.estimate(scores[own.to_numpy()])
        cells = ["0.812", f"{estimate['accuracy']:.3f}", "0.746", f"{estimate['roc_auc']:.3f}"]
        assert [name, "1,234", "98.0", "%", "2.8", "h", *cells] in rows
    assert ["October", "3", "0.0", "%"] in rows
    assert ["Now:", "It", "is", "as", "good", "as", "before."] in rows


def test_a_short_replay_has_no_month_yet(trained_demo: TrainedDemo, flights: pd.DataFrame) -> None:
    rows = printed(MonthlyPerformance(), flights.head(10), [0.5] * 10, trained_demo)
    assert "No flight is a day old yet" in " ".join(rows[-1])


def test_without_a_calibration_nothing_is_estimated(flights: pd.DataFrame) -> None:
    assert demo.estimated_by_month(flights.head(3), np.full(3, 0.5).tolist(), pd.Timestamp.now("UTC"), None) == {}
