"""`POST /labels`: what it stores, what it answers, and what it refuses."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driftgauge.edges.http.openapi.schemas_labels import LabelsAnswer
from driftgauge.edges.http.openapi.schemas_performance import PerformanceHistory
from driftgauge.edges.http.openapi.schemas_status import DriftStatus
from driftgauge.errors import PredictionLogError
from driftgauge.monitor import label_intake

from tests.examples import Example
from tests.served import Served, served


@pytest.fixture
def server(binary: Example, tmp_path: Path) -> Iterator[Served]:
    with served(binary, state_dir=tmp_path, outcomes={"click": {"kind": "event"}}) as running:
        yield running


def predicted(server: Served, example: Example, count: int) -> list[str]:
    """Return the ids of predictions, once they are in the log."""
    answer = server.predict({"instances": example.rows(1) * count}).json()
    ids = [row["prediction_id"] for row in answer["predictions"]]
    log = server.context.monitoring.predictions
    assert log is not None
    log.writer.written().result(10)
    return ids


def post(server: Served, body: Any, **options: Any) -> dict[str, Any]:
    answer = server.client.post("/labels", json=body, **options)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    LabelsAnswer.model_validate(found)
    return found


def some(found: dict[str, Any], of: str = "labels") -> dict[str, int]:
    """Return the fates that any label had."""
    return {fate: count for fate, count in found[of].items() if count}


def test_labels_are_joined_with_their_predictions_and_counted(server: Served, binary: Example) -> None:
    first, second = predicted(server, binary, 2)
    classes = binary.bundle.info.classes
    assert some(post(server, {"prediction_id": first, "label": classes[1]})) == {"matched": 1}
    found = post(server, [{"prediction_id": first, "label": 1}, {"prediction_id": second, "label": classes[0]}])
    assert (found["model_name"], found["rows"], found["errors"]) == ("binary", 2, [])
    assert some(found) == {"repeated": 1, "matched": 1}
    assert some(post(server, {"labels": [{"prediction_id": first, "label": classes[0]}]})) == {"corrected": 1}
    counted = {fate: server.metric("model_labels_total", result=fate) for fate in ("matched", "repeated", "corrected")}
    assert counted == {"matched": 2.0, "repeated": 1.0, "corrected": 1.0}
    assert server.metric("model_label_lag_seconds_count") == 2.0
    assert abs(server.metric("model_label_timestamp_seconds") - time.time()) < 60.0


def test_a_row_at_fault_does_not_fail_the_others(server: Served, binary: Example) -> None:
    (known,) = predicted(server, binary, 1)
    found = post(server, [{"prediction_id": known, "label": 1}, {"prediction_id": "x", "label": "what"}, 7])
    assert some(found) == {"matched": 1, "refused": 2}
    assert [(error["row"], error["prediction_id"], error["code"]) for error in found["errors"]] == [
        (1, "x", "invalid_label"),
        (2, None, "unknown_shape"),
    ]
    assert server.metric("model_labels_total", result="refused") == 2.0


def test_a_label_that_comes_before_its_prediction_waits(server: Served, binary: Example) -> None:
    assert some(post(server, {"prediction_id": "later", "label": 1})) == {"waiting": 1}
    assert server.metric("model_labels_waiting") == 1.0
    server.predict({"features": binary.rows(1)[0], "prediction_id": "later"})
    deadline = time.monotonic() + 30.0
    while server.metric("model_labels_total", result="matched") < 1.0:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert server.metric("model_labels_waiting") == 0.0


def test_lines_and_compressed_bodies_are_read(server: Served, binary: Example) -> None:
    ids = predicted(server, binary, 2_000)
    lines = b"\n".join(
        json.dumps({"prediction_id": own, "label": 1, "outcomes": {"click": True}}).encode() for own in ids
    )
    headers = {"content-type": "application/x-ndjson; charset=utf-8", "content-encoding": "gzip"}
    answer = server.client.post("/labels", content=gzip.compress(lines), headers=headers)
    assert some(answer.json()) == {"matched": 2_000}
    assert some(answer.json(), "outcomes") == {"matched": 2_000}


def test_a_request_of_which_nothing_can_be_read_is_refused_with_each_rows_error(server: Served) -> None:
    one = server.client.post("/labels", json={"prediction_id": "a", "label": "what"})
    assert (one.status_code, one.json()["error"]["code"]) == (422, "invalid_label")
    assert one.json()["error"]["message"].startswith("label: 'what' is not one of the model's classes")
    many = server.client.post("/labels", json=[{"prediction_id": "a", "label": "what"}] * 3).json()["error"]
    assert many["message"].startswith("all 3 rows are refused: label: 'what'")
    assert [error["row"] for error in many["detail"]["errors"]] == [0, 1, 2]
    assert server.metric("model_labels_total", result="refused") == 4.0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "not_json"),
        (b"nothing", 400, "not_json"),
        (b"[]", 422, "empty_batch"),
        (b"7", 422, "unknown_shape"),
        (b"x" * 9_000_000, 413, "body_too_large"),
    ],
)
def test_a_body_without_rows_is_refused(server: Served, body: bytes, status: int, code: str) -> None:
    answer = server.client.post("/labels", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_another_model_is_not_found(server: Served) -> None:
    answer = server.client.post("/labels", params={"model": "other"}, json={"prediction_id": "a", "label": 1})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_labels_that_cannot_be_stored_are_to_be_sent_again(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    intake = server.context.model().monitoring.labels
    assert intake is not None

    def fails(*_: object) -> None:
        raise PredictionLogError("the disk is full")

    monkeypatch.setattr(intake, "add_now", fails)
    answer = server.client.post("/labels", json={"prediction_id": "a", "label": 1})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "labels_not_stored")
    assert answer.headers["retry-after"] == "5"
    assert "labels_not_stored: PredictionLogError: the disk is full" in server.status()["monitoring"]["problems"]


def test_without_a_prediction_log_labels_are_refused(binary: Example) -> None:
    with served(binary, prediction_log=False) as off:
        answer = off.client.post("/labels", json={"prediction_id": "a", "label": 1})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "prediction_log_disabled")
        assert "model_labels_waiting" not in off.client.get("/metrics").text


def test_labels_survive_a_restart(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path) as first:
        (known,) = predicted(first, binary, 1)
        post(first, [{"prediction_id": known, "label": 1}, {"prediction_id": "later", "label": 1}])
    with served(binary, state_dir=tmp_path) as second:
        assert some(post(second, {"prediction_id": known, "label": 1})) == {"repeated": 1}
        assert second.metric("model_labels_total", result="matched") == 1.0
        assert second.metric("model_labels_waiting") == 1.0


def test_a_regression_takes_numbers(regression: Example, tmp_path: Path) -> None:
    with served(regression, state_dir=tmp_path) as running:
        (known,) = predicted(running, regression, 1)
        assert some(post(running, {"prediction_id": known, "label": 12.5})) == {"matched": 1}
        refused = running.client.post("/labels", json={"prediction_id": known, "label": "much"})
        assert refused.json()["error"]["code"] == "invalid_label"


def test_outcomes_of_mature_predictions_have_gauges(
    binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_intake, "OUTCOME_SECONDS", 0.0)
    outcomes = {"click": {"kind": "event", "absent": 0, "below": [0.9, 0.5]}}
    with served(binary, state_dir=tmp_path, outcomes=outcomes, label_maturity_seconds=0) as running:
        ids = predicted(running, binary, 100)
        post(running, [{"prediction_id": own, "outcomes": {"click": True}} for own in ids[:70]])
        intake = running.context.model().monitoring.labels
        assert intake is not None
        intake.thread.submit(intake.settle).result(30.0)
        found = {
            name: running.metric(f"model_outcome_{name}", outcome_name="click") for name in ("mean", "rows", "severity")
        }
    assert found == {"mean": 0.7, "rows": 100.0, "severity": 1.0}


def test_the_status_the_history_and_the_page_say_labels_and_outcomes(
    binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_intake, "OUTCOME_SECONDS", 0.0)
    feature = binary.bundle.baseline.names[0]
    options: dict[str, Any] = {
        "outcomes": {"click": {"kind": "event", "below": [0.9, 0.5], "window": "1d"}},
        "label_maturity_seconds": 0,
        "performance_segments": (feature,),
    }
    clock = [1_700_000_000.0]
    with served(binary, now=lambda: clock[0], state_dir=tmp_path, **options) as running:
        ids = predicted(running, binary, 100)
        clicks = [{"prediction_id": own, "label": 1, "outcomes": {"click": n < 70}} for n, own in enumerate(ids)]
        post(running, clicks)
        clock[0] += 3 * 3_600.0
        model = running.context.model().monitoring
        assert model.labels is not None
        assert model.truth is not None
        model.labels.thread.submit(model.labels.settle).result(30.0)
        while model.truth.thread.submit(model.truth.step).result(30.0):
            pass
        status = running.status()
        history = running.client.get("/performance", params={"segment": feature}).json()
        page = running.client.get("/", headers={"accept": "text/html"}).text
    DriftStatus.model_validate(status)
    PerformanceHistory.model_validate(history)
    assert (status["labels"]["results"]["matched"], status["labels"]["waiting"]) == (100, 0)
    assert status["labels"]["last_received_at"] == "2023-11-14T22:13:20Z"
    click = status["outcomes"]["click"]
    assert (click["status"], click["rows"], click["mean"]["value"]) == ("warning", 100, 0.7)
    assert click["limits"] == {"below": {"warning": 0.9, "critical": 0.5}, "above": None}
    assert {name: own["rows"] for name, own in click["versions"].items()} == {status["model_version"]: 100}
    assert [(own["feature"], own["rows"]) for own in click["segments"]] == [(feature, 100)]
    assert history["outcomes"] == status["outcomes"]
    (cohort,) = history["cohorts"]
    assert (cohort["outcomes"]["click"]["mean"]["value"], cohort["outcomes"]["click"]["predictions"]) == (0.7, 100)
    assert [own["rows"] for own in cohort["outcomes"]["click"]["segments"]] == [100]
    assert "Business outcomes" in page
    assert "Beyond its limit" in page
    assert 'id="labels"' in page
