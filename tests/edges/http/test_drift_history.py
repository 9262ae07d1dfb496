"""`GET /drift/history`: what it answers, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from driftgauge.edges.http.drift_history import drift_history
from driftgauge.edges.http.errors import json_response
from driftgauge.edges.http.openapi.schemas_history import DriftHistory

from tests.examples import Example
from tests.monitors import START, small_monitor, some_rows
from tests.served import Served, served


@pytest.fixture
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


def history(server: Served, **query: Any) -> dict[str, Any]:
    answer = server.client.get("/drift/history", params=query)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    DriftHistory.model_validate(found)
    return found


def test_the_history_of_a_new_server_is_its_first_report(server: Served) -> None:
    found = history(server)
    assert (found["model_name"], found["model_version"]) == ("binary", "1.2")
    assert found["status"] == ["insufficient_data"]
    assert found["seconds"] == [60.0]
    assert found["features"] == {}
    assert (found["changes"], found["changes_dropped"], found["news"]) == ([], 0, None)


def test_columns_are_named_by_the_query(server: Served, binary: Example) -> None:
    first, second, *_ = binary.bundle.baseline.names
    found = history(server, feature=f"{second},{first}")
    assert [*found["features"]] == [first, second]
    assert {len(values) for own in found["features"].values() for values in own.values()} == {len(found["at"])}


def test_the_answer_is_the_history_of_the_monitor() -> None:
    monitor = small_monitor()
    for minute in range(30):
        monitor.observe(some_rows(100, minute, age=40.0 + minute), arrival=START + 60.0 * minute)
        monitor.evaluate(START + 60.0 * minute)
    found = drift_history(monitor, ["age", "city"], START)
    DriftHistory.model_validate_json(bytes(json_response(found).body))
    own = monitor.history.read(START)
    assert found["rows_observed"] == own.rows.astype(int).tolist()
    np.testing.assert_array_equal(found["features"]["city"]["psi_debiased"], own.psi[:, 2])
    np.testing.assert_array_equal(found["features"]["age"]["evidence_log10"], own.column("evidence_log10")[:, 0])
    assert found["features"]["age"]["severity"][-1] == monitor.last.report.verdicts[0].severity == "critical"
    assert found["recent_mean"][-1] == own.score_mean[-1]
    assert len(found["changes"]) == len(monitor.history.changes(START).changes) > 3
    assert {None, "age"} <= {change["feature"] for change in found["changes"]}
    assert any(sentence.startswith("age: new drift, severity critical") for sentence in found["news"]["changes"])
    assert found["news"]["since"] == "2023-11-14T22:13:00Z"


@pytest.mark.parametrize(
    "since", ["24h", "7d", "90m", "2020-01-01", "2020-01-01T00:00:00Z", "1577836800", "24", "-5.5"]
)
def test_a_time_since_is_how_long_ago_or_a_moment(since: str, server: Served) -> None:
    found = history(server, since=since)
    assert len(found["at"]) == 1
    assert found["news"]["changes"] == []
    status = server.client.get("/drift/status", params={"since": since}).json()
    assert status["news"] == found["news"]


def test_a_time_to_come_has_no_history_and_the_last_verdict_to_compare_with(server: Served) -> None:
    found = history(server, since="2999-01-01")
    assert found["at"] == found["changes"] == []
    assert found["news"]["changes"] == []


@pytest.mark.parametrize("path", ["/drift/history", "/drift/status"])
@pytest.mark.parametrize("since", ["", "yesterday", "0h", "24 h", "-24h", "1w", "9999999999h", "1e400"])
def test_what_is_no_time_is_refused(since: str, path: str, server: Served) -> None:
    answer = server.client.get(path, params={"since": since})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["detail"]) == (422, "invalid_timestamp", {"field": "since"})
    assert "24h" in error["message"]


def test_an_unknown_column_or_model_is_refused(server: Served) -> None:
    answer = server.client.get("/drift/history", params={"feature": "size of the moon"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unknown_feature")
    answer = server.client.get("/drift/history", params={"model": "other"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_more_columns_than_one_answer_has_are_refused(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftgauge.edges.http.drift_history.MOST_COLUMNS", 1)
    names = server.status()["features"]
    answer = server.client.get("/drift/history", params={"feature": ",".join([*names][:2])})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "too_many_columns")
    assert "at most 1" in answer.json()["error"]["message"]


def test_without_monitoring_there_is_no_history(binary: Example) -> None:
    with served(binary, monitoring_enabled=False) as running:
        answer = running.client.get("/drift/history")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "monitoring_disabled")
