"""`Monitor.label`: ground truth in a program of one's own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.errors import Reason, Refused
from driftgauge.library.monitor import Monitor
from driftgauge.library.truth import truth_rows
from driftgauge.models.creation.create import create_bundle
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score

from tests.examples import Example
from tests.library.watching import evaluated


def opened(example: Example, folder: Path | None, **options: Any) -> Monitor:
    return Monitor.open(example.folder, state_dir=folder or "memory", on_error="raise", **options)


def observe(monitor: Monitor, example: Example, ids: list[str]) -> None:
    monitor.observe(example.rows(1) * len(ids), prediction=[0.5] * len(ids), ids=ids)


def some(found: dict[str, int]) -> dict[str, int]:
    return {fate: count for fate, count in found.items() if count}


def test_labels_are_joined_with_observed_predictions(binary: Example, tmp_path: Path) -> None:
    with opened(binary, tmp_path) as monitor:
        observe(monitor, binary, ["a", "b", "c"])
        first, second = binary.bundle.info.classes
        found = monitor.label(["a", "b", "c", "d"], np.array([1, 0, 1, 1]), at="2026-01-31T12:00:00Z")
        assert found["matched"] + found["waiting"] == 4
        assert found["refused"] == 0
        assert some(monitor.label("a", second)) == {"repeated": 1}
        assert some(monitor.label(pd.Series(["a", "b"]), pd.Series([first, None]))) == {"corrected": 1}


def test_outcomes_need_no_label(binary: Example, tmp_path: Path) -> None:
    with opened(binary, tmp_path, outcomes={"revenue": {"kind": "number"}}) as monitor:
        assert some(monitor.label(["a", "b"], outcomes={"revenue": [12.5, None]})) == {}
        labels = monitor._parts().monitoring.model().labels
        assert labels is not None
        deadline = time.monotonic() + 30.0
        while labels.facts.waiting != 1:  # a look at the labels may hold the facts up until the next one
            assert time.monotonic() < deadline, labels.facts
            time.sleep(0.1)


def test_a_label_that_cannot_be_read_does_not_fail_the_others(binary: Example, tmp_path: Path) -> None:
    with opened(binary, tmp_path) as monitor:
        assert some(monitor.label(["a", "b"], ["what", 1])) == {"refused": 1, "waiting": 1}
        problems = monitor._parts().monitoring.current_problems()
        assert any(text.startswith("labels_refused: Refused: label: 'what'") for text in problems)


def test_without_a_state_folder_there_is_nothing_to_join(binary: Example) -> None:
    with opened(binary, None) as monitor:
        with pytest.raises(Refused, match="open the monitor with state_dir") as caught:
            monitor.label("a", 1)
        assert caught.value.reason is Reason.PREDICTION_LOG_DISABLED
    with Monitor.open(binary.folder, state_dir="memory") as quiet:
        assert quiet.label("a", 1) == {}


def test_lists_must_have_a_value_for_each_id() -> None:
    with pytest.raises(Refused, match="labels: there are 1 values for 2 ids"):
        truth_rows(["a", "b"], [1], None, None)
    with pytest.raises(Refused, match="revenue: there are 3 values for 1 ids"):
        truth_rows("a", 1, None, {"revenue": [1, 2, 3]})


def test_missing_values_say_nothing() -> None:
    rows = truth_rows(
        ["a", "b", "c"], [float("nan"), None, True], [None, None, 5.0], {"x": np.array([1.5, np.nan, 2.0])}
    )
    assert rows == [
        {"prediction_id": "a", "outcomes": {"x": 1.5}},
        {"prediction_id": "c", "label": True, "outcomes": {"x": 2.0}, "observed_at": 5.0},
    ]


def test_labels_of_a_bundle_of_two_are_its_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 1))
    y = np.where(x[:, 0] + rng.normal(size=600) > 0, "late", "in time")
    model = LogisticRegression().fit(x, y)
    table = {"a": x[:, 0], "y": y}
    create_bundle(model, table, "y", name="m", version="1", out=tmp_path / "bundle", evaluation=table)
    options: dict[str, Any] = {"label_maturity_seconds": 0.0, "windows": (1_000,)}
    with Monitor.open(tmp_path / "bundle", state_dir=tmp_path / "state", on_error="raise", **options) as monitor:
        ids, scores = [f"{index}" for index in range(600)], model.predict_proba(x)[:, 1]
        assert some(monitor.label(ids, y)) == {"waiting": 600}
        monitor.observe(x, prediction=scores, ids=ids, at=np.full(600, time.time() - 7_200.0))
        own = evaluated(monitor)
        assert own.performance is not None
        found = own.performance.main_window.metrics["accuracy"].value
        assert found == pytest.approx(accuracy_score(y, model.predict(x)))
        assert own.performance.held is not None
        assert own.performance.label_drift is not None
