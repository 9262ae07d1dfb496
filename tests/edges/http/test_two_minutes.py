"""The rule on the last two minutes is in the status, the metrics and the page, and no part of the verdict."""

from __future__ import annotations

import time
from typing import Any

import pytest
from driftgauge.drift.verdict.numbers import percent
from driftgauge.drift.verdict.two_minutes import MEAN_RATIO, OUTLIER_RATIO
from driftgauge.edges.http.openapi.schemas_status import DriftStatus
from driftgauge.metrics.two_minute_gauges import TWO_MINUTE_GAUGES

from tests.examples import Example
from tests.served import Served, served

NOW = 1_800_000_000.0
SETTINGS: dict[str, Any] = {"outliers": True, "preset": "two-minutes", "evaluation_rest_factor": 0}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def send(running: Served, rows: list[dict[str, Any]]) -> None:
    assert running.predict({"instances": rows}).status_code == 200


def times(rows: list[dict[str, Any]], name: str, factor: float) -> list[dict[str, Any]]:
    return [{**row, name: row[name] * factor} for row in rows]


def said(running: Served) -> Any:
    status = running.status()
    assert DriftStatus.model_validate(status)
    return status["two_minutes"]


def forgotten(running: Served) -> Any:
    """What is said once a later evaluation finds no row in the window."""
    deadline = time.monotonic() + 30.0
    while (found := said(running))["rows"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_too_many_outliers_alarm_and_are_forgotten_after_two_minutes(binary: Example) -> None:
    clock, name = Clock(), binary.names[0]
    rows = binary.rows(40)
    with served(binary, now=clock, **SETTINGS, evaluation_interval_seconds=0.05) as running:
        assert said(running)["reason"] == "no rows in the last two minutes"
        assert "model_recent_outlier_ratio" not in {sample for sample, _ in running.metrics()}
        send(running, rows)
        before = said(running)
        assert before["outlier_ratio"] <= OUTLIER_RATIO
        clock.now += 10.0
        send(running, times(rows[:20], name, 1e4))
        alarm = said(running)
        assert alarm["alarms"] is True
        assert alarm["rows"] == 60
        assert alarm["outlier_ratio"] == pytest.approx((before["outlier_ratio"] * 40 + 20) / 60)
        assert "of 60 rows are outliers (limit 20 %)" in alarm["reason"]
        assert running.metric("model_recent_outlier_ratio") == alarm["outlier_ratio"]
        assert running.metric("model_recent_outlier_threshold_ratio") == OUTLIER_RATIO
        page = running.client.get("/", headers={"accept": "text/html"}).text
        assert "Last two minutes" in page
        assert "rows are outliers (limit" in page
        clock.now += 130.0
        assert forgotten(running) == {
            "alarms": False,
            "reason": "no rows in the last two minutes",
            "rows": 0,
            "outlier_ratio": None,
            "outlier_threshold_ratio": OUTLIER_RATIO,
            "mean_threshold_ratio": MEAN_RATIO,
            "features": {},
        }
        assert running.status()["severity"] != "critical"


def test_a_mean_off_that_of_the_training_alarms_by_the_feature(binary: Example) -> None:
    baseline, clock = binary.bundle.baseline, Clock()
    rows, name = binary.rows(50), binary.names[0]
    mean = {own: sum(row[own] for row in rows) / len(rows) for own in binary.names}
    expected = {column.name: column.mean for column in baseline.columns if column.name in mean}
    off = {own: abs(mean[own] * (3.0 if own == name else 1.0) / expected[own] - 1.0) for own in mean}
    with served(binary, now=clock, **SETTINGS) as running:
        send(running, times(rows, name, 3.0))
        found = said(running)
        metrics = {own: running.metric("model_feature_recent_mean_deviation_ratio", feature_name=own) for own in mean}
        assert running.metric("model_recent_mean_deviation_threshold_ratio") == MEAN_RATIO
    assert metrics == pytest.approx(off)
    assert found["features"] == pytest.approx({own: ratio for own, ratio in off.items() if ratio > MEAN_RATIO})
    assert list(found["features"].values()) == sorted(found["features"].values(), reverse=True)
    assert found["alarms"] is True
    assert f"{name} ({percent(off[name])})" in found["reason"]


def test_without_the_preset_nothing_of_it_is_shown(binary: Example) -> None:
    with served(binary, outliers=True) as running:
        send(running, binary.rows(5))
        assert "two_minutes" not in running.status()
        assert not {gauge.name for gauge in TWO_MINUTE_GAUGES} & {name for name, _ in running.metrics()}
        assert "Last two minutes" not in running.client.get("/", headers={"accept": "text/html"}).text


def test_a_column_that_is_not_monitored_has_no_part_in_it(binary: Example) -> None:
    name = binary.names[0]
    with served(binary, now=Clock(), **SETTINGS, features={name: {"monitor": False}}) as running:
        send(running, times(binary.rows(30), name, 3.0))
        assert name not in said(running)["features"]
