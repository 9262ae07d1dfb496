from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driftgauge.drift.reference.baseline import PREDICTION
from driftgauge.drift.reference.build import build_baseline
from driftgauge.edges.formats.drift_status import EVERYTHING, SUMMARY, Selection, report_json
from driftgauge.edges.formats.estimated_performance import estimated_json
from driftgauge.edges.http.drift_status import MORE, drift_status, selected
from driftgauge.edges.http.errors import json_response
from driftgauge.edges.http.openapi.schemas_status import Column, ColumnSummary, DriftStatus
from driftgauge.monitor.monitor import ColumnMonitor
from starlette.datastructures import QueryParams

from tests.conftest import ExampleOf
from tests.examples import MAKERS, Example
from tests.monitors import START, monitor_of, observed, small_options
from tests.served import IN_MEMORY, Served, served, total

METRICS_OF = {
    **{key: key for key in ("psi", "psi_debiased", "psi_noise", "missing_ratio", "unseen_ratio", "out_of_range_ratio")},
    **{key: key for key in ("ks_statistic", "wasserstein_ratio", "js_distance", "value_rows")},
    "psi_expected_max": "psi_expected_max",
    "mean_shift": "mean_shift_ratio",
    "p_value": "drift_pvalue",
}
"""The metric that says the same as a key of the status, without its `model_feature_`."""


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
        "state": IN_MEMORY,
        "prediction_log": None,
    }
    assert server.metric("model_monitoring_healthy") == 0


def test_the_status_is_compressed_where_that_is_wanted(server: Served) -> None:
    plain = server.client.get("/drift/status", headers={"accept-encoding": "identity"})
    small = server.client.get("/drift/status", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert (small.headers["content-encoding"], small.headers["vary"]) == ("gzip", "Accept, Accept-Encoding")
    assert small.json()["features"] == plain.json()["features"]


@pytest.mark.parametrize("path", ["/metrics", "/drift/status"])
def test_nothing_acceptable_is_said_to_be_so(path: str, server: Served) -> None:
    answer = server.client.get(path, headers={"accept-encoding": "identity;q=0"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (406, "not_acceptable")


def test_metrics_and_status_say_the_same(binary: Example) -> None:
    with served(binary, metrics_windows=("all",)) as server:
        server.predict({"instances": [{**row, "mean area": 3 * row["mean area"]} for row in binary.rows() * 3]})
        status, series = server.status(windows="all"), server.metrics()
        hash_known = server.metric("model_info", task="binary", baseline_hash=status["baseline"]["hash"])
    assert hash_known == 1
    model = {"model_name": "binary", "model_version": "1.2"}
    assert status["status"] == "drift_detected"
    for name, column in [*status["features"].items(), ("prediction", status["prediction"])]:
        severity = {None: 0.0, "info": 1.0, "warning": 2.0, "critical": 3.0}[column["severity"]]
        at = frozenset({**model, "feature_name": name}.items())
        assert series["model_feature_drift_severity", at] == severity
        assert series["model_feature_reference_mean", at] == column["reference"]["mean"]
        assert series.get(("model_feature_evidence_log10", at)) == column["evidence_log10"]
        assert series["model_feature_evidence_threshold_log10", at] == column["evidence_threshold_log10"]
        for origin in ("reference", "live"):
            of_origin = frozenset({**model, "feature_name": name, "origin": origin}.items())
            assert series.get(("model_feature_autocorrelation_rows", of_origin)) == column[f"tau_{origin}"]
        for window, statistics in column["windows"].items():
            at = frozenset({**model, "feature_name": name, "window": window}.items())
            for key, metric in METRICS_OF.items():
                assert series.get((f"model_feature_{metric}", at)) == statistics[key], (name, key)
            chi_squared = series.get(("model_feature_chi_squared_ratio", at))
            assert chi_squared == (
                statistics["p_value"] and statistics["chi_squared"] / statistics["chi_squared_degrees"]
            )
            for level in ("warning", "critical"):
                limit = series.get(("model_feature_psi_threshold", at | {("severity", level)}))
                assert limit == (statistics["psi_threshold"] and statistics["psi_threshold"][level])
    assert series["model_drifted_features", frozenset(model.items())] == len(status["drifted_features"])


# ---------------------------------------------------------------- the body of the status


@pytest.mark.parametrize("name", MAKERS)
def test_the_status_is_the_report_with_the_models_name_and_how_monitoring_is(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    for monitor in (monitor_of(example), observed(example, example.rows())):
        some = Selection(features=frozenset(example.names[:1]), windows=frozenset({"24h"}))
        for selection in (SUMMARY, EVERYTHING, some):
            status = drift_status(monitor, [], IN_MEMORY, monitor.last.at + 5.0, selection)
            body = bytes(json_response(status).body)
            assert _without_nan(status) == json.loads(body)
            own: dict[str, Any] = {
                "model_name": "m",
                "model_version": "1",
                "about": None,
                "report_age_seconds": 5.0,
                "more": MORE if selection is SUMMARY else None,
                "estimated_performance": estimated_json(monitor.last.estimated),
                "performance": None,
                "references": None,
                "multivariate": None,
                "release": None,
                "ingestion": None,
                "quality": None,
                "labels": None,
                "outcomes": {},
                "news": None,
                "monitoring": {"healthy": True, "problems": [], "state": IN_MEMORY, "prediction_log": None},
            }
            assert json.loads(body) == _without_nan({**report_json(monitor.last.report, selection), **own})
            DriftStatus.model_validate_json(body)


def _without_nan(value: Any) -> Any:
    """Return a value with null for what is not a number."""
    if isinstance(value, dict):
        return {key: _without_nan(own) for key, own in value.items()}
    if isinstance(value, list):
        return [_without_nan(own) for own in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def test_a_body_with_a_statistic_more_or_less_is_not_the_documented_one(binary: Example) -> None:
    monitor = observed(binary, binary.rows())
    status = json.loads(bytes(json_response(drift_status(monitor, [], IN_MEMORY, 0.0, EVERYTHING)).body))
    column = DriftStatus.model_validate(status).features["mean area"]
    assert isinstance(column, Column)
    assert column.windows["24h"].psi_threshold is None
    for statistic in status[PREDICTION]["windows"]["1h"]:
        less = json.loads(json.dumps(status))
        del less[PREDICTION]["windows"]["1h"][statistic]
        with pytest.raises(ValueError, match=statistic):
            DriftStatus.model_validate(less)
    status[PREDICTION]["windows"]["1h"]["surprise"] = 1
    with pytest.raises(ValueError, match="surprise"):
        DriftStatus.model_validate(status)


def test_a_summary_with_a_statistic_more_or_less_is_not_the_documented_one(binary: Example) -> None:
    status = json.loads(bytes(json_response(drift_status(observed(binary, binary.rows()), [], IN_MEMORY, 0.0)).body))
    assert isinstance(DriftStatus.model_validate(status).features["mean area"], ColumnSummary)
    for statistic in status[PREDICTION]:
        less = json.loads(json.dumps(status))
        del less[PREDICTION][statistic]
        with pytest.raises(ValueError, match=statistic):
            DriftStatus.model_validate(less)
    status[PREDICTION]["surprise"] = 1
    with pytest.raises(ValueError, match="surprise"):
        DriftStatus.model_validate(status)


def test_problems_make_monitoring_unhealthy(binary: Example) -> None:
    for problems in ([], ["x: y"]):
        status = drift_status(monitor_of(binary), problems, IN_MEMORY, 0.0)
        assert status["monitoring"] == {
            "healthy": not problems,
            "problems": problems,
            "state": IN_MEMORY,
            "prediction_log": None,
        }


# ---------------------------------------------------------------- parts of the status


def test_without_a_query_the_status_is_a_summary_and_says_how_to_get_the_rest(server: Served, binary: Example) -> None:
    server.predict({"instances": binary.rows(60)})
    status, everything = server.status(), server.status(windows="all")
    assert (status["more"], everything["more"]) == (MORE, None)
    for name in binary.names:
        short, whole = status["features"][name], everything["features"][name]
        assert {key: whole[key] for key in short} == short
        assert len(short) == 16
        assert "windows" not in short
    for own in (status, everything):
        own["quality"]["requests"].pop("seconds")
        own.pop("efficiency")
    assert {**status, "features": {}, PREDICTION: {}, "more": None, "report_age_seconds": 0.0} == {
        **everything,
        "features": {},
        PREDICTION: {},
        "report_age_seconds": 0.0,
        "evaluated_at": status["evaluated_at"],
    }


@pytest.mark.parametrize(
    ("query", "columns", "windows"),
    [
        ("windows=all", None, {"50", "1000", "2m", "1h", "24h"}),
        ("windows=main", None, set()),
        ("windows=50,24h", None, {"50", "24h"}),
        ("windows=50&windows=main,1h", None, {"50", "1h"}),
        ("feature=mean%20area", {"mean area"}, set()),
        ("feature=mean%20area,prediction&windows=1000", {"mean area", PREDICTION}, {"1000"}),
        ("feature=mean%20area&feature=prediction", {"mean area", PREDICTION}, set()),
        ("feature=&windows=", None, set()),
    ],
)
def test_a_query_selects_columns_and_windows(
    query: str, columns: set[str] | None, windows: set[str], server: Served, binary: Example
) -> None:
    server.predict({"instances": binary.rows(20)})
    status = server.client.get(f"/drift/status?{query}").raise_for_status().json()
    listed = status["features"] | ({PREDICTION: status[PREDICTION]} if PREDICTION in status else {})
    assert set(listed) == (columns or {*binary.names, PREDICTION})
    for column in listed.values():
        assert set(column["windows"]) == windows
        assert {"ks_statistic", "p95", "reference"} <= set(column)
    assert set(status["windows"]) == {"50", "1000", "2m", "1h", "24h"}
    assert status["drift_score"] == server.status()["drift_score"]


def test_a_name_with_a_comma_has_a_parameter_of_its_own(server: Served) -> None:
    names = ("Size, cm", "Size", "cm")
    report = server.monitor.last.report
    columns = tuple(replace(column, name=name) for column, name in zip(report.baseline.columns, names, strict=False))
    named = replace(report, baseline=replace(report.baseline, columns=columns))
    for query, chosen in (
        ("feature=Size, cm", ["Size, cm"]),
        ("feature=cm,Size", ["Size", "cm"]),
        ("feature=cm&feature=Size, cm", ["Size, cm", "cm"]),
    ):
        assert sorted(selected(QueryParams(query), named).features or ()) == chosen


@pytest.mark.parametrize(
    ("query", "code", "field", "message"),
    [
        ("feature=mean aria", "unknown_feature", "feature", "there is no column 'mean aria'; there is mean radius"),
        ("feature=prediction,x", "unknown_feature", "feature", "there is no column 'x'; there is mean radius"),
        (
            "windows=5m",
            "unknown_window",
            "windows",
            "there is no window '5m'; there is main, all, 50, 1000, 2m, 1h, 24h",
        ),
        ("feature=mean area&windows=all,9", "unknown_window", "windows", "there is no window '9'; there is main"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(
    query: str, code: str, field: str, message: str, server: Served
) -> None:
    answer = server.client.get(f"/drift/status?{query}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["detail"]) == (422, code, {"field": field})
    assert error["message"].startswith(message)


def test_the_summary_of_thirty_features_is_short() -> None:
    names = [f"a feature of the model {place:02}" for place in range(30)]
    generator = np.random.default_rng(0)
    baseline = build_baseline(
        {name: generator.normal(size=2_000) for name in [*names, PREDICTION]}, created="2026-01-01T00:00:00Z"
    )
    monitor = ColumnMonitor(
        baseline, model_name="wide", model_version="1", now=START, options=small_options(200, 1_000)
    )
    monitor.observe(generator.normal(1.0, size=(2_000, 31)), arrival=START)
    monitor.evaluate(START)
    assert len(monitor.last.report.drifted) == 30
    assert len(bytes(json_response(drift_status(monitor, [], IN_MEMORY, START)).body)) <= 25_000


def test_with_monitoring_off_predictions_are_answered_and_counted_and_no_more(binary: Example) -> None:
    with served(binary, monitoring_enabled=False) as running:
        assert running.predict({"instances": binary.rows(60)}).status_code == 200
        series = running.metrics()
        status = running.client.get("/drift/status")
        assert running.client.get("/health").json()["monitoring"] == {"healthy": True, "problems": []}
        assert running.monitor.store.rows == 0
    assert total(series, "model_predictions_total") == 60
    assert total(series, "model_prediction_latency_seconds_count") == 1
    names = {name for name, _ in series}
    assert not any(name.startswith(("model_feature_", "model_drift", "model_evaluation")) for name in names)
    assert (status.status_code, status.json()["error"]["code"]) == (404, "monitoring_disabled")
    assert "monitoring_enabled=true" in status.json()["error"]["message"]
