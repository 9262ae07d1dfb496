"""`GET /performance`, and performance in the status and in the metrics of a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from driftgauge.edges.http.openapi.schemas_performance import PerformanceHistory
from driftgauge.edges.http.openapi.schemas_status import DriftStatus
from driftgauge.errors import PredictionLogError
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.label_store import LabelStore
from driftgauge.predictions.labels import GivenLabel

from tests.examples import Example
from tests.served import Served, served

ROWS = 250
START = 1_700_000_000.0


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(binary: Example, tmp_path: Path, clock: Clock) -> Iterator[Served]:
    options: dict[str, Any] = {
        "windows": (1_000, 10_000),
        "label_maturity_seconds": 0.0,
        "performance_interval_seconds": 3_600.0,
        "prediction_log": True,
    }
    with served(binary, now=clock, state_dir=tmp_path, **options) as running:
        yield running


def test_a_history_that_cannot_be_read_is_unavailable(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = server.context.model().monitoring.truth
    assert truth is not None

    async def fails(*_: object) -> None:
        raise PredictionLogError("the disk is full")

    monkeypatch.setattr(truth, "history", fails)
    answer = server.client.get("/performance")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "prediction_log_not_read")


def test_a_segment_that_is_not_in_the_settings_is_refused(binary: Example, tmp_path: Path, clock: Clock) -> None:
    options: dict[str, Any] = {"prediction_log": True, "performance_segments": ("mean area",)}
    with served(binary, now=clock, state_dir=tmp_path, **options) as running:
        assert get(running, "/performance", segment="mean area")["cohorts"] == []
        answer = running.client.get("/performance", params={"segment": "carrier"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unknown_feature")
        assert "'carrier' is not in the setting performance_segments; there is mean area" in answer.text


def get(server: Served, path: str, **query: Any) -> Any:
    answer = server.client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def evaluated(server: Served, example: Example, clock: Clock) -> None:
    """Predict rows, give each the label that was predicted and every fifth the other, and evaluate hours later."""
    rows = (example.rows() * ROWS)[:ROWS]
    predictions = server.predict({"data": rows}).json()["predictions"]
    monitoring = server.context.monitoring
    model, log = monitoring.model(), monitoring.predictions
    assert log is not None
    assert model.truth is not None
    log.writer.written().result(30.0)
    store = log.store()
    labels = LabelStore(store.engine, store.register(model.logged.model))
    given = [
        GivenLabel(key_of(own["prediction_id"]), float(own["prediction"] != 1 if index % 5 == 0 else own["prediction"]))
        for index, own in enumerate(predictions)
    ]
    labels.add(given, clock.now)
    clock.now += 3 * 3_600.0
    while model.truth.thread.submit(model.truth.step).result(30.0):
        pass


def test_a_new_server_has_no_performance(server: Served) -> None:
    found = get(server, "/performance")
    PerformanceHistory.model_validate(found)
    assert found["cohorts"] == []


def test_performance_is_that_of_the_labels(server: Served, binary: Example, clock: Clock) -> None:
    evaluated(server, binary, clock)
    found = get(server, "/performance", by="hour")
    PerformanceHistory.model_validate(found)
    main = found["performance"]["windows"]["10000"]
    assert (main["rows"], main["coverage_ratio"]) == (ROWS, 1.0)
    accuracy = main["metrics"]["accuracy"]
    assert accuracy["value"] == 0.8
    assert accuracy["lower"] < 0.8 < accuracy["upper"]
    assert accuracy["held_out"] is not None
    assert [own["rows"] for own in found["cohorts"]] == [ROWS]
    assert found["cohorts"][0]["metrics"]["accuracy"]["value"] == 0.8
    assert found["performance"]["severity"] == "critical"
    assert found["performance"]["label_drift"]["rows"] == ROWS


def test_the_status_and_the_metrics_have_it_too(server: Served, binary: Example, clock: Clock) -> None:
    evaluated(server, binary, clock)
    status = get(server, "/drift/status")
    DriftStatus.model_validate(status)
    assert status["performance"]["windows"]["1000"]["metrics"]["accuracy"]["value"] == 0.8
    assert server.metric("model_accuracy", window="1000") == 0.8
    assert (
        server.metric("model_accuracy_lower", window="1000")
        < 0.8
        < server.metric("model_accuracy_upper", window="1000")
    )
    assert server.metric("model_performance_severity") == 3.0
    assert server.metric("model_labelled_rows", window="10000") == ROWS
    assert server.metric("model_label_coverage_ratio", window="10000") == 1.0


def test_cohorts_are_joined_by_day_and_limited_in_time(server: Served, binary: Example, clock: Clock) -> None:
    evaluated(server, binary, clock)
    day = get(server, "/performance")["cohorts"]
    assert [own["start"] for own in day] == ["2023-11-14T00:00:00Z"]
    assert get(server, "/performance", by="hour", since="1h")["cohorts"] == []
    (month,) = get(server, "/performance", by="month", since="1d")["cohorts"]
    assert (month["start"], month["end"]) == ("2023-11-01T00:00:00Z", "2023-12-01T00:00:00Z")
    assert (month["rows"], month["metrics"]) == (day[0]["rows"], day[0]["metrics"])


@pytest.mark.parametrize("since", ["9999999999w", "32503680001", "-1"])
def test_a_month_of_any_moment_is_answered(server: Served, since: str) -> None:
    assert server.client.get("/performance", params={"by": "month", "since": since}).status_code in (200, 422)


def test_an_unknown_span_and_an_unknown_model_are_refused(server: Served) -> None:
    for query in ({"by": "minute"}, {"model": "other"}):
        assert server.client.get("/performance", params=query).status_code in (404, 422)


def test_the_page_draws_performance_by_cohort_unless_its_history_cannot_be_read(
    server: Served, binary: Example, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated(server, binary, clock)
    assert "Performance by hour" not in page_text(server)  # of one cohort
    evaluated(server, binary, clock)
    text = page_text(server)
    assert 'aria-label="Accuracy by hour: newest 0.8' in text
    assert text.partition('id="cohorts-table"')[2].partition("</table>")[0].count("0.8 (") >= 2
    truth = server.context.model().monitoring.truth
    assert truth is not None

    async def fails(*_: object) -> None:
        raise PredictionLogError("the disk is full")

    monkeypatch.setattr(truth, "history", fails)
    assert "Performance by hour" not in page_text(server)


def page_text(server: Served) -> str:
    answer = server.client.get("/", headers={"accept": "text/html"})
    assert answer.status_code == 200
    return answer.text
