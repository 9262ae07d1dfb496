"""The rolling reference in the status, in the metrics and on the page of a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driftgauge.drift.novelty.novelty import OUTLIER
from driftgauge.drift.rolling.reference import FEWEST_ROWS
from driftgauge.edges.http.openapi.schemas_status import DriftStatus
from driftgauge.monitor.rolling_loop import NOT_COMPARED, RollingLoop

from tests.edges.http.test_performance import Clock
from tests.examples import Example
from tests.served import Served, served

DAY = 86_400.0
START = 19_675 * DAY + DAY / 2.0
FEATURE = "model_reference_feature_psi_debiased"
OPTIONS: dict[str, Any] = {
    "windows": (500, 1_000),
    "max_age_seconds": 3_600.0,
    "prediction_log": True,
    "reference": "rolling",
    "rolling_reference_days": 2,
    "rolling_reference_refresh_seconds": 1e9,
}


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def server(binary: Example, tmp_path: Path, clock: Clock) -> Iterator[Served]:
    with served(binary, now=clock, state_dir=tmp_path, **OPTIONS) as running:
        yield running


def loop_of(server: Served) -> RollingLoop:
    loop = server.context.monitoring.model().rolling
    assert loop is not None
    return loop


def predict(server: Served, example: Example, rows: int) -> None:
    data = (example.rows() * rows)[:rows]
    for first in range(0, rows, 500):
        assert server.predict({"data": data[first : first + 500]}).status_code == 200
    log = server.context.monitoring.predictions
    assert log is not None
    log.writer.written().result(30.0)


def built(server: Served, example: Example, clock: Clock) -> None:
    """Predict enough rows on a day, build the reference of it two days later, and predict some more."""
    predict(server, example, FEWEST_ROWS + 500)
    clock.now += 2.0 * DAY
    loop = loop_of(server)
    while loop.thread.submit(loop.step).result(30.0):  # in its thread, which may be in the middle of a step
        pass
    predict(server, example, 600)


def test_the_status_says_nothing_of_a_reference_before_it_is_built(server: Served) -> None:
    status = server.status()
    DriftStatus.model_validate(status)
    assert status["references"] is None
    assert not [name for name, _ in server.metrics() if name.startswith("model_reference_feature_")]


def test_both_references_are_in_the_status(server: Served, binary: Example, clock: Clock) -> None:
    built(server, binary, clock)
    status = server.status()
    DriftStatus.model_validate(status)
    training, rolling = status["references"]["training"], status["references"]["rolling"]
    assert (rolling["from"], rolling["to"]) == ("2023-11-14T00:00:00Z", "2023-11-15T00:00:00Z")
    assert set(training["features"]) == set(rolling["features"]) == {*status["features"], "prediction"}
    for name, own in rolling["features"].items():
        assert (own["rows"], own["days"]) == (FEWEST_ROWS + 500, 1)
        assert abs(own["psi_debiased"]) < 0.05, name
        assert own["severity"] is None
    assert rolling["changed"] == []
    assert training["severity"] == status["severity"]


def test_the_metrics_have_a_label_for_the_reference(server: Served, binary: Example, clock: Clock) -> None:
    built(server, binary, clock)
    series = server.metrics()
    features = server.status()["references"]
    found = {
        (dict(labels)["reference"], dict(labels)["feature_name"]): value
        for (name, labels), value in series.items()
        if name == FEATURE
    }
    assert {reference for reference, _ in found} == {"training", "rolling"}
    for (reference, feature), value in found.items():
        assert value == pytest.approx(features[reference]["features"][feature]["psi_debiased"])
    assert server.metric("model_reference_end_timestamp_seconds") == START + DAY / 2.0
    assert server.metric("model_reference_built_timestamp_seconds") == START + 2.0 * DAY


def test_without_the_setting_there_is_no_reference(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path, prediction_log=True) as running:
        assert running.context.monitoring.model().rolling is None
        assert running.status()["references"] is None


def test_by_the_clock_of_events_no_day_is_counted_before_the_first_event(
    binary: Example, tmp_path: Path, clock: Clock
) -> None:
    options: dict[str, Any] = {"reference": "rolling", "rolling_reference_refresh_seconds": 1e9, "clock": "event"}
    with served(binary, now=clock, state_dir=tmp_path, **options) as running:
        loop = loop_of(running)
        assert not loop.thread.submit(loop.step).result(30.0)
        assert not list(tmp_path.rglob("rolling-*"))
        stamps = ["2023-11-14T12:00:00Z"] * 10
        running.predict({"data": binary.rows(10), "timestamps": stamps}).raise_for_status()
        assert loop.thread.submit(loop.step).result(30.0)


def test_the_column_of_outliers_is_compared_with_the_training_alone(
    binary: Example, tmp_path: Path, clock: Clock
) -> None:
    with served(binary, now=clock, state_dir=tmp_path, **OPTIONS, outliers=True) as running:
        built(running, binary, clock)
        status = running.status()
        DriftStatus.model_validate(status)
        assert status["monitoring"]["problems"] == []
        training, rolling = (status["references"][name]["features"] for name in ("training", "rolling"))
        assert set(training) == set(rolling) == {*status["features"], "prediction", OUTLIER}
        assert training[OUTLIER]["psi_debiased"] is not None
        assert (rolling[OUTLIER]["rows"], rolling[OUTLIER]["psi_debiased"]) == (0, None)
        for name in set(rolling) - {OUTLIER}:
            assert rolling[name]["rows"] == FEWEST_ROWS + 500, name
            assert rolling[name]["psi_debiased"] is not None, name
        found = {
            dict(labels)["reference"]
            for (name, labels) in running.metrics()
            if name == FEATURE and OUTLIER in dict(labels).values()
        }
        assert "training" in found


def test_a_comparison_that_fails_is_a_problem_and_everything_else_goes_on(
    server: Served, binary: Example, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(server, binary, clock)

    def failing(*_: object) -> None:
        raise ArithmeticError("of the comparison")

    monkeypatch.setattr(loop_of(server).work, "report_on", failing)
    status = server.status()
    assert status["references"] is None
    assert f"{NOT_COMPARED}: ArithmeticError: of the comparison" in server.status()["monitoring"]["problems"]
    for path in ("/metrics", "/"):
        assert server.client.get(path, follow_redirects=True).status_code == 200, path
