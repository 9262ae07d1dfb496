from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from app.drift.baseline import PREDICTION
from app.drift.report import Policy
from app.edges.http.errors import json_response
from app.edges.http.schemas import DriftStatus
from app.edges.http.status import drift_status, rfc3339
from app.monitor import Monitor, MonitorOptions
from app.serving import Predictor
from tests.conftest import ExampleOf
from tests.examples import MAKERS, Example

NOW = 1_700_000_000.0
STATISTICS = {
    "rows", "psi", "psi_debiased", "psi_noise", "psi_threshold", "natural_variation", "mean", "std", "min", "max",
    "missing_ratio", "unseen_ratio", "out_of_range_ratio",
}  # fmt: skip
COLUMN = STATISTICS | {"kind", "status", "severity", "reason", "since", "reference", "windows"}
STATUS = {
    "model_name", "model_version", "status", "severity", "reason", "evaluated_at", "rows_observed", "drift_score",
    "recent_mean", "reference_mean", "drifted_features", "baseline", "thresholds", "windows", "features", "monitoring",
    PREDICTION,
}  # fmt: skip


def monitor_of(example: Example) -> Monitor:
    options = MonitorOptions(policy=Policy(windows=(50, 1000)))
    return Monitor(example.bundle.baseline, model_name="m", model_version="1", now=NOW, options=options)


def observed(example: Example, rows: list[dict[str, Any]], at: float = NOW) -> Monitor:
    monitor = monitor_of(example)
    monitor.observe(Predictor(example.bundle).predict(example.batch(rows)).columns, arrival=at)
    monitor.evaluate(at)
    return monitor


@pytest.mark.parametrize("name", MAKERS)
def test_it_has_the_documented_keys_before_any_row_and_after(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    classes = {"prediction_class"} if name == "multiclass" else set()
    for monitor in (monitor_of(example), observed(example, example.rows())):
        status = drift_status(monitor, [])
        assert set(status) == STATUS | classes
        assert list(status["features"]) == example.names
        for column in (*status["features"].values(), *(status[name] for name in ("prediction", *classes))):
            assert set(column) == COLUMN
            assert list(column["windows"]) == ["50", "1000"]
            assert all(set(window) == STATISTICS for window in column["windows"].values())
        DriftStatus.model_validate_json(bytes(json_response(status).body))


def test_without_rows_there_is_not_enough_data_and_no_number(binary: Example) -> None:
    status = drift_status(monitor_of(binary), [])
    assert (status["status"], status["severity"], status["rows_observed"]) == ("insufficient_data", None, 0)
    assert status["windows"]["1000"] == {"rows": 0, "capacity": 1000, "from": None, "to": None}
    assert math.isnan(status["features"]["mean area"]["mean"])
    assert status["drifted_features"] == []


def test_the_statistics_are_those_of_numpy(binary: Example) -> None:
    status = drift_status(observed(binary, binary.rows(), NOW + 60), [])
    for name in binary.names:
        column, values, reference = status["features"][name], binary.held_out[name], binary.reference[name]
        for window, part in ((column, values), (column["windows"]["50"], values.tail(50))):
            found = [window[key] for key in ("rows", "mean", "std", "min", "max")]
            assert found == pytest.approx([len(part), part.mean(), part.std(ddof=0), part.min(), part.max()])
        expected = [len(reference), reference.mean(), reference.std(ddof=0), reference.min(), reference.max()]
        assert [column["reference"][key] for key in ("rows", "mean", "std", "min", "max")] == pytest.approx(expected)
        beyond = ((values < reference.min()) | (values > reference.max())).mean()
        assert column["out_of_range_ratio"] == pytest.approx(beyond)
    scores = binary.estimator.predict_proba(binary.held_out)[:, 1]
    assert status["recent_mean"] == pytest.approx(scores.mean())
    assert status["reference_mean"] == pytest.approx(scores.mean())  # the baseline's score is of the same rows
    assert status["drift_score"] == pytest.approx(status["prediction"]["psi_debiased"], nan_ok=True)
    assert status["windows"]["50"] == {
        "rows": 50,
        "capacity": 50,
        "from": "2023-11-14T22:14:20.000Z",
        "to": "2023-11-14T22:14:20.000Z",
    }


def test_a_shifted_feature_is_named_worst_first_with_its_severity(binary: Example) -> None:
    rows = [{**row, "mean area": row["mean area"] * 3} for row in binary.rows()]
    status = drift_status(observed(binary, rows * 3), [])
    column = status["features"]["mean area"]
    assert status["status"] == "drift_detected"
    assert status["severity"] == column["severity"] == "critical"
    assert status["drifted_features"][0] == "mean area"
    assert column["since"] == rfc3339(NOW)
    assert column["psi_debiased"] >= column["psi_threshold"]["critical"]


def test_missing_and_unseen_values_are_shares_of_the_window(category: Example) -> None:
    rows = [{**row, "radius": None, "shape": "square"} for row in category.rows(30)] + category.rows(30)
    features = drift_status(observed(category, rows), [])["features"]
    assert features["radius"]["missing_ratio"] == 0.5
    assert features["shape"]["unseen_ratio"] == 0.5
    assert features["shape"]["kind"] == "categorical"
    assert math.isnan(features["shape"]["mean"])


def test_problems_make_monitoring_unhealthy(binary: Example) -> None:
    assert drift_status(monitor_of(binary), [])["monitoring"] == {"healthy": True, "problems": []}
    assert drift_status(monitor_of(binary), ["x: y"])["monitoring"] == {"healthy": False, "problems": ["x: y"]}


def test_the_baseline_is_told_by_its_hash(binary: Example) -> None:
    baseline = binary.bundle.baseline
    found = drift_status(monitor_of(binary), [])["baseline"]
    assert found == {"hash": baseline.hash, "rows": baseline.rows, "created": baseline.created}


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, None),
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000.1234, "2023-11-14T22:13:20.123Z"),
        (-62135596800.0, "0001-01-01T00:00:00.000Z"),
    ],
)
def test_times_are_rfc_3339_in_utc(at: float | None, text: str | None) -> None:
    assert rfc3339(at) == text
    if at is not None and text is not None:
        assert np.isclose(datetime.fromisoformat(text).astimezone(UTC).timestamp(), at, atol=0.001)
