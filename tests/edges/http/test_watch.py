from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from tests.examples import Example
from tests.served import Served, served


@pytest.fixture
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


def test_the_status_is_found_with_and_without_the_models_name(server: Served) -> None:
    named = server.client.get("/drift/status", params={"model": "binary"})
    assert named.status_code == 200
    assert named.json()["model_name"] == server.status()["model_name"] == "binary"


@pytest.mark.parametrize("name", ["nobody", "", "binary/1.2", "\udcff".encode("utf-8", "surrogateescape")])
def test_the_status_of_an_unknown_model_is_not_found(name: str | bytes, server: Served) -> None:
    answer = server.client.get("/drift/status", params={"model": name})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert answer.json()["error"]["message"].endswith("there is binary")


def test_a_reader_sees_the_rows_that_came_before(server: Served, binary: Example) -> None:
    for count in (1, 30, 61):
        sent = binary.rows(count)
        before = server.status()["rows_observed"]
        server.predict({"instances": sent})
        assert server.status()["rows_observed"] == before + count
        assert server.metric("model_window_rows", window="1000") == before + count


def test_a_failing_evaluation_leaves_the_last_report_and_is_shown(
    server: Served, binary: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: float) -> None:
        raise ArithmeticError("no verdict")

    server.predict({"instances": binary.rows(5)})
    assert server.status()["rows_observed"] == 5
    with monkeypatch.context() as patched:
        patched.setattr(server.monitor, "evaluate", broken)
        server.predict({"instances": binary.rows(5)})
        status = server.status()
    assert status["rows_observed"] == 5
    assert status["monitoring"] == {
        "healthy": False,
        "problems": ["evaluation_failed: ArithmeticError: no verdict"],
    }
    assert server.metric("model_monitoring_healthy") == 0


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("text/html", "text/plain; version=0.0.4"),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", "application/openmetrics-text"),
        ("application/openmetrics-text", "application/openmetrics-text"),
    ],
)
def test_metrics_come_in_the_format_that_is_asked_for(
    accept: str, content_type: str, server: Served, binary: Example
) -> None:
    server.predict({"instances": binary.rows(20)})
    answer = server.client.get("/metrics", headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(content_type)
    openmetrics = "openmetrics" in content_type
    assert answer.text.endswith("# EOF\n") is openmetrics
    families = list((openmetrics_families if openmetrics else text_families)(answer.text))
    found = {sample.name: sample.value for family in families for sample in family.samples}
    assert found["model_predictions_total"] == 20
    assert len({family.name for family in families}) == len(families)


def test_metrics_and_status_say_the_same(server: Served, binary: Example) -> None:
    server.predict({"instances": [{**row, "mean area": 3 * row["mean area"]} for row in binary.rows() * 3]})
    status, series = server.status(), server.metrics()
    model = {"model_name": "binary", "model_version": "1.2"}
    assert status["status"] == "drift_detected"
    for name, column in [*status["features"].items(), ("prediction", status["prediction"])]:
        severity = {None: 0.0, "warning": 1.0, "critical": 2.0}[column["severity"]]
        at = frozenset({**model, "feature_name": name}.items())
        assert series["model_feature_drift_severity", at] == severity
        assert series["model_feature_reference_mean", at] == column["reference"]["mean"]
        for window, statistics in column["windows"].items():
            at = frozenset({**model, "feature_name": name, "window": window}.items())
            for key in ("psi", "psi_debiased", "psi_noise", "missing_ratio", "out_of_range_ratio"):
                if statistics[key] is not None:
                    assert series[f"model_feature_{key}", at] == statistics[key], (name, key)
    assert series["model_drifted_features", frozenset(model.items())] == len(status["drifted_features"])
    assert server.metric("model_info", task="binary", baseline_hash=status["baseline"]["hash"]) == 1
