"""Gradual drift on a real server: the status, the metrics and the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftgauge.edges.http.openapi.schemas_status import DriftStatus
from driftgauge.monitor.long_windows import NOT_JUDGED

from tests.edges.http.test_performance import Clock
from tests.examples import Example
from tests.served import Served, served

DAY = 86_400.0
START = 19_675 * DAY
PSI, THRESHOLD = "model_long_window_feature_psi_debiased", "model_long_window_feature_psi_threshold"
SEVERITY, ROWS = "model_long_window_feature_drift_severity", "model_long_window_rows"
OPTIONS: dict[str, Any] = {"windows": (500, 1_000), "time_windows": ("1h", "7d", "30d")}


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def server(binary: Example, tmp_path: Path, clock: Clock) -> Iterator[Served]:
    with served(binary, now=clock, state_dir=tmp_path, **OPTIONS) as running:
        yield running


def pass_days(server: Served, clock: Clock, days: int) -> None:
    """Let days pass, each with the rows of the reference, of which the last column is moved."""
    monitor = server.context.monitoring.model().monitor
    rng = np.random.default_rng(1)
    reference = monitor.baseline.columns
    for _ in range(days):
        columns = []
        for own in reference:
            counts = np.array(own.counts) / sum(own.counts)
            places = rng.choice(len(counts), 400, p=counts)
            edges = np.array(own.bins.edges) if own.kind == "numeric" else np.empty(0)
            middles = (edges[1:] + edges[:-1]) / 2.0
            columns.append(middles[np.minimum(places, len(middles) - 1)] if len(middles) else places.astype(float))
        rows = np.stack(columns, axis=1)
        rows[:, 0] += 0.5 * reference[0].std
        monitor.observe(rows, arrival=clock.now + np.linspace(0.0, DAY - 1.0, 400))
        clock.now += DAY
        monitor.evaluate(clock.now)


def found_in(server: Served, name: str) -> Mapping[tuple[str, ...], float]:
    """Return the samples of a series by feature, window and severity."""
    labels = ("feature_name", "window", "severity")
    return {
        tuple(dict(own)[label] for label in labels if label in dict(own)): value
        for (series, own), value in server.metrics().items()
        if series == name
    }


def test_a_column_that_moved_is_told_by_the_long_windows(server: Served, clock: Clock) -> None:
    pass_days(server, clock, 9)
    status = server.status()
    DriftStatus.model_validate(status)
    assert status["monitoring"]["problems"] == []
    gradual, name = status["gradual_drift"], server.context.monitoring.model().monitor.baseline.names[0]
    assert list(gradual["windows"]) == ["7d", "30d"]
    assert gradual["severity"] == "warning"
    assert gradual["changed"][0] == name
    week = gradual["windows"]["7d"]
    assert week["from"] == "2023-11-16T01:00:00Z"
    assert (week["days"], gradual["windows"]["30d"]["days"]) == (6, 9)
    assert [window["reason"] for window in gradual["windows"].values()] == [None, None]
    own = week["features"][name]
    assert own["psi_debiased"] > own["psi_threshold"]["warning"] >= 0.025


def test_the_metrics_are_those_of_the_status(server: Served, clock: Clock) -> None:
    pass_days(server, clock, 9)
    windows = server.status()["gradual_drift"]["windows"]
    psi, thresholds = found_in(server, PSI), found_in(server, THRESHOLD)
    assert {window for _, window in psi} == {"7d", "30d"}
    assert found_in(server, ROWS) == {(name,): own["rows"] for name, own in windows.items()}
    for (feature, window), value in psi.items():
        own = windows[window]["features"][feature]
        assert value == pytest.approx(own["psi_debiased"])
        for limit in ("warning", "critical"):
            assert thresholds[feature, window, limit] == pytest.approx(own["psi_threshold"][limit])
        level = {None: 0.0, "info": 1.0, "warning": 2.0}[own["severity"]]
        assert found_in(server, SEVERITY)[feature, window] == level


def test_before_six_days_nothing_is_judged(server: Served, clock: Clock) -> None:
    pass_days(server, clock, 4)
    status = server.status()
    DriftStatus.model_validate(status)
    gradual = status["gradual_drift"]
    assert (gradual["severity"], gradual["changed"]) == (None, [])
    assert {own["reason"] for own in gradual["windows"].values()} == {"4 of 6 whole days with at least 50 rows"}
    assert all(own["psi_debiased"] is None for own in gradual["windows"]["30d"]["features"].values())
    assert all(math.isnan(value) for value in found_in(server, PSI).values())
    assert "Too few days" in server.client.get("/", headers={"accept": "text/html"}).text


def test_without_a_long_window_there_is_nothing(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path) as running:
        assert "gradual_drift" not in running.status()
        assert not [name for name, _ in running.metrics() if name.startswith("model_long_window")]


def test_a_failure_is_a_problem_and_the_status_goes_on(
    server: Served, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_days(server, clock, 7)
    report = server.context.monitoring.model().monitor.last.report
    monkeypatch.setattr(type(report.windows["30d"].days), "rows", property(lambda _: 1 / 0))
    monkeypatch.setattr(server.context.monitoring.model().long_windows, "_last", None)
    server.status()
    status = server.status()
    assert "gradual_drift" not in status
    assert any(NOT_JUDGED in problem for problem in status["monitoring"]["problems"])
