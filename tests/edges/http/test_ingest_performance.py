"""Performance of models that other servers serve, from labels, once the settings say their task."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.reference.baseline import dumps
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.main import create_app

from tests.examples import quiet
from tests.ingesting import post
from tests.served import Served
from tests.servers import serving

ROWS = 250
START = 1_700_000_000.0
OPTIONS: dict[str, Any] = {
    "windows": (1_000, 10_000),
    "label_maturity_seconds": 0.0,
    "performance_interval_seconds": 3_600.0,
    "prediction_log": True,
}


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = START

    def __call__(self) -> float:
        return self.now


@contextlib.contextmanager
def watching(folder: Path, columns: dict[str, Any], clock: Clock, **table: Any) -> Iterator[Served]:
    """Monitor a model of one feature, whose baseline has these columns too."""
    path = folder / "baseline.json"
    path.write_text(dumps(build_baseline({"x": np.linspace(0.0, 1.0, 400), **columns}, created="2026-01-01T00:00:00Z")))
    app = create_app(quiet(models={"m": {"baseline": path, **table}}, state_dir=folder, **OPTIONS), clock=clock)
    with serving(app) as client:
        yield Served(client, app)


def evaluated(server: Served, clock: Clock, predictions: Sequence[Any], labels: Sequence[Any]) -> dict[str, Any]:
    """Ingest predictions, then their labels, and return the performance hours later."""
    rows = [
        {"features": {"x": 0.5}, "prediction_id": f"p{number}", "timestamp": START, **own}
        for number, own in enumerate(predictions)
    ]
    assert post(server, rows, "/ingest/m")["rows"]["taken"] == len(rows)
    log = server.context.monitoring.predictions
    truth = server.context.monitoring.model("m").truth
    assert log is not None
    assert truth is not None
    log.writer.written().result(30.0)
    given = [{"prediction_id": f"p{number}", "label": label} for number, label in enumerate(labels)]
    assert post(server, given, "/ingest/m")["labels"]["matched"] == len(given)
    clock.now += 3 * 3_600.0
    while truth.thread.submit(truth.step).result(30.0):
        pass
    answer = server.client.get("/performance", params={"model": "m"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["performance"]
    return found


def metrics(performance: dict[str, Any]) -> dict[str, float]:
    main = performance["windows"]["10000"]
    assert (main["rows"], main["coverage_ratio"]) == (ROWS, 1.0)
    return {name: own["value"] for name, own in main["metrics"].items()}


SCORES = {"prediction": np.linspace(0.0, 1.0, 400)}


def test_two_classes_are_told_by_the_score_and_judged_by_absolute_limits(tmp_path: Path) -> None:
    clock = Clock()
    floors = {"performance_floors": {"accuracy": 0.95}}
    with watching(tmp_path, SCORES, clock, task="binary", **floors) as server:
        predictions = [{"prediction": 0.875 if number % 2 else 0.125} for number in range(ROWS)]
        labels = [(number % 2) ^ (number % 5 == 0) for number in range(ROWS)]  # every fifth is wrong
        found = evaluated(server, clock, predictions, labels)
        known = metrics(found)
        assert known["accuracy"] == 0.8
        assert known["roc_auc"] == pytest.approx(0.8, abs=0.01)
        assert found["windows"]["10000"]["metrics"]["accuracy"]["held_out"] is None
        assert found["severity"] == "critical"
        assert "its limit of 0.95" in found["reason"]
        assert server.metric("model_accuracy", window="10000") == 0.8
        assert server.metric("model_performance_severity") == 3.0


def test_without_limits_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    clock = Clock()
    with watching(tmp_path, SCORES, clock, task="binary", classes=["good", "bad"]) as server:
        predictions = [{"prediction": 0.875, "prediction_class": "bad"}] * ROWS
        found = evaluated(server, clock, predictions, ["bad", "good"] * (ROWS // 2))
        assert metrics(found)["precision"] == 0.5
        assert (found["status"], found["severity"]) == ("normal", None)
        assert found["reason"] == "there is no performance on held-out rows to compare with"


@pytest.mark.parametrize("columns", [{}, {"prediction": np.linspace(0.4, 1.0, 400)}])
def test_several_classes_are_judged_with_and_without_scores(columns: dict[str, Any], tmp_path: Path) -> None:
    clock, names = Clock(), ("a", "b", "c")
    columns = {**columns, "prediction_class": Categories(np.arange(400) % 3, names)}
    with watching(tmp_path, columns, clock, task="multiclass") as server:
        score = {"prediction": 0.75} if "prediction" in columns else {}
        predictions = [{"prediction_class": names[number % 3], **score} for number in range(ROWS)]
        labels = ["c" if number % 5 == 0 else names[number % 3] for number in range(ROWS)]
        found = evaluated(server, clock, predictions, labels)
        right = sum(own["prediction_class"] == label for own, label in zip(predictions, labels, strict=True))
        assert metrics(found)["accuracy"] == right / ROWS


def test_numbers_are_judged_by_their_errors(tmp_path: Path) -> None:
    clock = Clock()
    columns = {"prediction": np.linspace(-20.0, 80.0, 400)}
    with watching(tmp_path, columns, clock, task="regression") as server:
        found = evaluated(server, clock, [{"prediction": float(number % 50)} for number in range(ROWS)], [10.0] * ROWS)
        errors = [abs(number % 50 - 10.0) for number in range(ROWS)]
        assert metrics(found)["mean_absolute_error"] == pytest.approx(np.mean(errors))


def test_without_a_task_performance_is_not_evaluated(tmp_path: Path) -> None:
    with watching(tmp_path, SCORES, Clock()) as server:
        assert server.context.monitoring.model("m").truth is None
        assert server.client.get("/models").json()["models"][0]["task"] == "unknown"


def test_a_label_that_is_no_class_is_refused(tmp_path: Path) -> None:
    with watching(tmp_path, SCORES, Clock(), task="binary") as server:
        found = post(server, [{"prediction_id": "p0", "label": 7}], "/ingest/m")
        assert found["refused"]["reasons"] == {"invalid_label": 1}
