"""What the first panels say: is it all right, which alerts fire, which replicas are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from tests.alerting.promtool import Given, assert_answers
from tests.alerting.queries import dashboard_queries, load, panels
from tests.e2e.programs import needs_servers

pytestmark = needs_servers

JOB: Final = {"model_name": "", "model_version": ""}
"""A series of the job, which names no model."""
QUIET: Final[dict[str, list[tuple[dict[str, str], float | str]]]] = {
    "up": [(JOB, 1)],
    "model_info": [({"baseline_hash": "b1"}, 1)],
    "model_drift_severity": [({}, 0)],
    "model_evaluated_features": [({}, 12)],
    "model_monitoring_healthy": [({}, 1)],
    "ALERTS": [({**JOB, "alertname": "Watchdog", "severity": "none", "alertstate": "firing", "job": ""}, 1)],
}


def asked(dashboard: str, panel: str) -> list[str]:
    """Return the queries of a panel."""
    values = {"model_name": "delay", "model_version": "1", "__range": "10m"}
    found = [q.expr for q in dashboard_queries(values) if (q.dashboard, q.panel) == (f"driftgauge-{dashboard}", panel)]
    assert found
    return found


def alert(severity: str, name: str = "ModelMissingValues", **labels: str) -> tuple[dict[str, str], float]:
    return {"alertname": name, "severity": severity, "alertstate": "firing", **labels}, 1


def with_(**changed: list[tuple[dict[str, str], float | str]]) -> Given:
    return QUIET | changed


SITUATIONS: Final = {
    "too few rows yet": with_(model_evaluated_features=[({}, 0)]),
    "all right": QUIET,
    "all right, small change": with_(model_drift_severity=[({}, 1)]),
    "drift: warning": with_(model_drift_severity=[({}, 2)]),
    "drift: critical": with_(model_drift_severity=[({}, 3)], ALERTS=[alert("warning")]),
    "monitoring has a problem": with_(model_monitoring_healthy=[({}, 0)], model_drift_severity=[({}, 3)]),
    "a server is down": with_(up=[(JOB, 1), ({**JOB, "instance": "app-2:8000"}, 0)], ALERTS=[alert("critical")]),
}


@pytest.mark.parametrize("answer", SITUATIONS)
def test_the_first_panel_answers_whether_it_is_all_right(answer: str, tmp_path: Path) -> None:
    (value,) = (value for value, shown in _answers().items() if shown["text"] == answer)
    assert_answers(SITUATIONS[answer], [(asked("overview", "Is it all right?")[0], "{}", float(value))], tmp_path)


@pytest.mark.parametrize(("severity", "colour"), [("warning", "orange"), ("critical", "red")])
def test_an_alert_on_something_else_than_drift_is_said_in_its_colour(
    severity: str, colour: str, tmp_path: Path
) -> None:
    (value,) = (v for v, shown in _answers().items() if (shown["text"], shown["color"]) == ("see the alerts", colour))
    of_another = alert("critical", model_name="other")
    given = with_(ALERTS=[alert(severity), alert("critical", "ModelFeatureDrift"), of_another])
    assert_answers(given, [(asked("overview", "Is it all right?")[0], "{}", float(value))], tmp_path)


def _answers() -> dict[str, Any]:
    (panel,) = (panel for panel in panels(load()["driftgauge-overview"]) if panel["title"] == "Is it all right?")
    options: dict[str, Any] = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    return options


def test_a_warning_is_not_counted_beside_its_critical_alert(tmp_path: Path) -> None:
    both = [alert(severity, "ModelFeatureDrift", feature_name="hour") for severity in ("warning", "critical")]
    given = with_(ALERTS=[*both, alert("warning", feature_name="dest"), alert("warning", model_name="other")])
    critical, warning = asked("overview", "Alerts firing")
    assert_answers(given, [(critical, "{}", 1), (warning, "{}", 1)], tmp_path)


def test_servers_of_another_model_of_the_job_are_not_counted_as_its_servers(tmp_path: Path) -> None:
    other = {"instance": "app-9:8000", "model_name": "other"}
    given = with_(up=[(JOB, 1), ({**JOB, "instance": "app-9:8000"}, 1)], model_info=[({}, 1), (other, 1)])
    up, down = asked("overview", "Servers")
    assert_answers(given, [(up, "{}", 1), (down, "{}", 0)], tmp_path)


DOWN: Final = {"instance": "app-2:8000"}
ONE_DOWN: Final = with_(
    up=[(JOB, 1), ({**JOB, **DOWN}, "1 1 0 0 0 0"), ({**JOB, "instance": "other:8000"}, 0)],
    model_info=[({}, 1), (DOWN, "1 1 stale")],
    model_evaluation_timestamp_seconds=[({}, "290+0x10"), (DOWN, "60 60 stale")],
    model_evaluation_age_threshold_seconds=[({}, 120)],
)


def test_a_replica_that_is_down_stays_in_the_table(tmp_path: Path) -> None:
    up, *_ = asked("replicas", "Each replica")
    states = {"app-1": 1.0, "app-2": 0.0}
    rows = [(up, f'{{instance="{name}:8000", model_version="1"}}', state) for name, state in states.items()]
    counts = [(expr, "{}", 1.0) for expr in asked("replicas", "Replicas")]
    assert_answers(ONE_DOWN, [*rows, *counts], tmp_path)


def test_a_stale_verdict_is_counted(tmp_path: Path) -> None:
    (stale,) = asked("replicas", "Stale verdicts")
    given: Given = {**ONE_DOWN, "model_evaluation_timestamp_seconds": [({}, 290.0), (DOWN, 60.0)]}
    assert_answers(ONE_DOWN, [(stale, "{}", 0)], tmp_path)
    assert_answers(given, [(stale, "{}", 1)], tmp_path)


REGRESSION: Final[Given] = {
    "model_mae": [({"window": "1000"}, 3.0)],
    "model_mae_lower": [({"window": "1000"}, 2.5)],
    "model_mae_upper": [({"window": "1000"}, 3.5)],
    "model_estimated_mae": [({"window": "1000"}, 2.0)],
    "model_performance_held_out": [({"metric": "mean_absolute_error"}, 2.25)],
    "model_performance_floor": [({"metric": "mean_absolute_error"}, 4.0), ({"metric": "bias"}, 1.0)],
    "model_bias": [({"window": "1000"}, -0.5)],
    "model_rmse": [({"window": "1000"}, 4.5)],
    "model_performance_severity": [({}, 3)],
    "model_labelled_rows": [({"window": "1000"}, 800)],
    "model_labelled_rows_required": [({}, 200)],
}
"""What a server says of a regression with ground truth."""


def test_the_error_of_a_regression_is_beside_its_estimate_and_its_limits(tmp_path: Path) -> None:
    found = [3.0, 2.5, 3.5, 2.0, 2.25, 4.0]
    shown = [
        (expr, "{}", value) for expr, value in zip(asked("ground-truth", "Mean absolute error"), found, strict=True)
    ]
    (others,) = asked("ground-truth", "Other metrics that are best at 0")
    shown += [(others, '{metric="root_mean_squared_error"}', 4.5), (others, '{metric="bias"}', -0.5)]
    assert_answers(REGRESSION, shown, tmp_path)


def test_the_recall_of_each_class_is_shown(tmp_path: Path) -> None:
    recall, *_ = asked("ground-truth", "Recall by class")
    given: Given = {"model_class_recall": [({"class": "cat"}, 0.75), ({"class": "dog"}, 0.5)]}
    assert_answers(given, [(recall, '{class="cat"}', 0.75), (recall, '{class="dog"}', 0.5)], tmp_path)


@pytest.mark.parametrize(("labelled", "severity"), [(800, 3), (199, -1)])
def test_performance_has_a_severity_once_there_are_enough_labels(labelled: int, severity: int, tmp_path: Path) -> None:
    own = max(severity, 0)  # a server judges nothing of too few labels
    given = {
        **REGRESSION,
        "model_performance_severity": [({}, own)],
        "model_labelled_rows": [({"window": "1000"}, labelled)],
    }
    (verdict,) = asked("ground-truth", "Performance")
    assert_answers(given, [(verdict, "{}", severity)], tmp_path)


@pytest.mark.parametrize(("own", "severity"), [(0, 0), (1, 2), (2, 3)])
def test_the_verdict_on_an_outcome_is_shown_as_a_severity(own: int, severity: int, tmp_path: Path) -> None:
    verdict = asked("ground-truth", "Outcomes beside their limits")[4]
    click = {"outcome_name": "click"}
    given: Given = {"model_outcome_severity": [(click, own)]}
    assert_answers(given, [(verdict, '{outcome_name="click"}', severity)], tmp_path)


def test_changes_within_the_last_days_are_shown_beside_their_limit(tmp_path: Path) -> None:
    rolling, training = ({"reference": own} for own in ("rolling", "training"))
    given: Given = {
        "model_reference_feature_psi_debiased": [(rolling, 0.25), (training, 7.0)],
        "model_reference_feature_psi_threshold": [
            ({**rolling, "severity": "warning"}, 0.5),
            ({**rolling, "severity": "critical"}, 0.75),
            ({**training, "severity": "warning"}, 0.1),
        ],
    }
    relative, _ = asked("overview", "PSI against the last days")
    shown = [(relative, '{feature_name="prediction"}', 0.5)]
    both, limit = asked("feature-drift", "PSI against both references")
    shown += [(both, '{reference="rolling"}', 0.25), (both, '{reference="training"}', 7.0)]
    shown += [(limit, '{severity="warning"}', 0.5), (limit, '{severity="critical"}', 0.75)]
    assert_answers(given, shown, tmp_path)


def test_gradual_drift_is_shown_in_the_window_where_it_is_largest(tmp_path: Path) -> None:
    week, month = ({"window": own} for own in ("7d", "30d"))
    given: Given = {
        "model_long_window_feature_psi_debiased": [(week, 0.02), (month, 0.05)],
        "model_long_window_feature_psi_threshold": [
            ({**week, "severity": "warning"}, 0.08),
            ({**month, "severity": "warning"}, 0.025),
            ({**month, "severity": "critical"}, 0.05),
        ],
    }
    relative, _ = asked("overview", "Gradual drift")
    assert_answers(given, [(relative, '{feature_name="prediction"}', 2.0)], tmp_path)


def test_violations_in_requests_are_a_share_of_answered_and_refused_rows_beside_their_limits(tmp_path: Path) -> None:
    given: Given = {
        "model_request_constraint_violations_total": [
            ({"constraint": "type"}, "0+6x10"),
            ({"constraint": "required"}, "0+0x10"),
        ],
        "model_predictions_total": [({}, "0+40x10")],
        "model_prediction_failures_total": [({"reason": "model_failed"}, "0+8x10")],
        "model_request_rows_refused_total": [({}, "0+12x10")],
        "model_request_constraint_threshold_ratio": [
            ({"severity": "warning"}, 0.01),
            ({"severity": "critical"}, 0.125),
        ],
    }
    share, limit = asked("overview", "Violations in requests")
    found: list[tuple[str, str, float | None]] = [
        (share, '{constraint="type"}', 0.1),
        (share, '{constraint="required"}', 0),
        (limit, '{severity="warning"}', 0.01),
        (limit, '{severity="critical"}', 0.125),
    ]
    assert_answers(given, found, tmp_path)


def test_the_auc_of_whole_rows_is_shown_beside_its_limit(tmp_path: Path) -> None:
    given: Given = {
        "model_multivariate_auc": [({}, 0.75)],
        "model_multivariate_auc_lower": [({}, 0.5)],
        "model_multivariate_auc_threshold": [({"severity": "warning"}, 0.625), ({"severity": "critical"}, 0.875)],
    }
    auc, lower, limit = asked("overview", "Whole rows")
    assert_answers(given, [(auc, "{}", 0.75), (lower, "{}", 0.5), (limit, "{}", 0.625)], tmp_path)


def test_the_ndcg_of_attributions_is_shown_beside_its_limit(tmp_path: Path) -> None:
    given: Given = {
        "model_attribution_ndcg": [({}, 0.75)],
        "model_attribution_ndcg_threshold": [({"severity": "warning"}, 0.875)],
    }
    ndcg, limit = asked("overview", "Attributions")
    assert_answers(given, [(ndcg, "{}", 0.75), (limit, "{}", 0.875)], tmp_path)


def test_the_share_of_a_feature_in_scores_is_shown_beside_that_of_the_reference(tmp_path: Path) -> None:
    given: Given = {
        "model_feature_attribution_ratio": [
            ({"feature_name": "prediction"}, 0.5),
            ({"feature_name": "prediction", "instance": "app-2:8000"}, 0.25),
            ({"feature_name": "hour"}, 1),
        ],
        "model_feature_attribution_reference_ratio": [({"feature_name": "prediction"}, 0.125)],
    }
    live, reference = asked("feature-drift", "Share of contributions")
    assert_answers(given, [(live, "{}", 0.375), (reference, "{}", 0.125)], tmp_path)


def test_rows_of_a_shadow_are_shown_by_outcome_and_those_that_it_missed_by_reason(tmp_path: Path) -> None:
    given: Given = {
        "model_shadow_rows_total": [({"outcome": "agreed"}, "0+60x10"), ({"outcome": "differed"}, "0+30x10")],
        "model_shadow_rows_dropped_total": [
            ({"reason": "shadow_queue_full"}, "0+15x10"),
            ({"reason": "shadow_failed"}, "0x10"),
        ],
    }
    predicted, missed = asked("overview", "Rows of a shadow version")
    found = [(predicted, '{outcome="agreed"}', 1.0), (predicted, '{outcome="differed"}', 0.5)]
    assert_answers(given, [*found, (missed, '{reason="shadow_queue_full"}', 0.25)], tmp_path)


def test_rows_from_other_servers_are_shown_with_what_was_refused_and_what_waits(tmp_path: Path) -> None:
    given: Given = {
        "model_ingest_rows_total": [({"result": "taken"}, "0+54x10"), ({"result": "duplicate"}, "0+3x10")],
        "model_ingest_refused_records_total": [({"reason": "not_json"}, "0+3x10"), ({"reason": "wrong_type"}, "0x10")],
        "model_ingest_refused_threshold_ratio": [({}, 0.01)],
        "model_ingest_timestamp_seconds": [({}, 210)],
        "model_ingest_age_threshold_seconds": [({}, 3_600)],
        "model_ingest_events_total": [({"result": "joined"}, "0+30x10"), ({"result": "expired"}, "0x10")],
        "model_ingest_open_events": [({}, 7)],
        "model_ingest_deferred_total": [({"reason": "intake_full"}, "0+6x10")],
    }
    share, limit = asked("overview", "Share of refused records")
    age, stale = asked("overview", "Age of the newest record")
    found: list[tuple[str, str, float | None]] = [
        (asked("overview", "Rows from other servers")[0], '{result="taken"}', 0.9),
        (asked("overview", "Rows from other servers")[0], '{result="duplicate"}', 0.05),
        (asked("overview", "Refused records by reason")[0], '{reason="not_json"}', 0.05),
        (share, "{}", 0.05),
        (limit, "{}", 0.01),
        (age, "{}", 90),
        (stale, "{}", 3_600),
        (asked("overview", "Requests and responses joined")[0], '{result="joined"}', 0.5),
        (asked("overview", "Requests and responses waiting")[0], "{}", 7),
        (asked("overview", "Requests asked to come again")[0], '{reason="intake_full"}', 0.1),
    ]
    assert_answers(given, found, tmp_path)


def test_the_lag_behind_kafka_is_that_of_all_processes_beside_its_limits(tmp_path: Path) -> None:
    other = {"instance": "app-2:8000"}
    given: Given = {
        "model_ingest_lag_messages": [({}, 400), (other, 100)],
        "model_ingest_lag_threshold_messages": [({"severity": "warning"}, 1_000), ({"severity": "critical"}, 9_000)],
        "model_ingest_pauses_total": [({}, "0+6x10"), (other, "0+6x10")],
        "model_ingest_rebalances_total": [({}, "0+3x10")],
        "model_ingest_errors_total": [({}, "0x10")],
    }
    lag, limits = asked("overview", "Lag behind Kafka")
    disturbances = zip(asked("overview", "Disturbances of Kafka"), (0.2, 0.05, 0.0), strict=True)
    found: list[tuple[str, str, float | None]] = [(query, "{}", value) for query, value in disturbances]
    found += [
        (lag, "{}", 500),
        (limits, '{severity="warning"}', 1_000),
        (limits, '{severity="critical"}', 9_000),
    ]
    assert_answers(given, found, tmp_path)


@pytest.mark.parametrize(
    ("metric", "panel"),
    [
        ("model_ingest_recovered_rows_total", "Rows recovered from Kafka"),
        ("model_ingest_lost_messages_total", "Messages lost in Kafka"),
    ],
)
def test_what_is_recovered_and_lost_is_that_of_each_process_since_it_started(
    metric: str, panel: str, tmp_path: Path
) -> None:
    # They are counted while the process starts, so a rate would be zero.
    given: Given = {metric: [({}, "800x10"), ({"instance": "app-2:8000"}, "0x10")]}
    (query,) = asked("overview", panel)
    assert_answers(given, [(query, '{instance="app-1:8000"}', 800), (query, '{instance="app-2:8000"}', 0)], tmp_path)


def test_outliers_are_shown_beside_the_reference_and_the_limit(tmp_path: Path) -> None:
    given: Given = {
        "model_outlier_ratio": [({"window": "1000"}, 0.3), ({"window": "1h"}, 0.9)],
        "model_window_required_rows": [({"window": "1000"}, 500)],
        "model_outlier_reference_ratio": [({}, 0.001)],
        "model_outlier_threshold_ratio": [({}, 0.2)],
    }
    found: list[tuple[str, str, float | None]] = [
        (query, "{}", value) for query, value in zip(asked("overview", "Outliers"), (0.3, 0.001, 0.2), strict=True)
    ]
    assert_answers(given, found, tmp_path)


def test_latency_is_shown_beside_its_past_and_its_rise_beside_the_limits(tmp_path: Path) -> None:
    small, one = {"instance": "", "batch_size_bucket": "small"}, '{batch_size_bucket="small"}'
    given: Given = {
        "model_size:model_prediction_latency_seconds:p95_5m": [(small, 0.5)],
        "model_size:model_prediction_latency_seconds:p95_7d_median": [(small, 0.25)],
        "model_size:model_prediction_latency_rise:ratio5m": [(small, 1.0)],
        "model_prediction_latency_rise_threshold_ratio": [({"severity": "warning"}, 0.5)],
    }
    now, past = asked("overview", "Latency beside its past")
    rise, limit = asked("overview", "Rise of latency over its past")
    found = [(now, one, 0.5), (past, one, 0.25), (rise, one, 1.0), (limit, '{severity="warning"}', 0.5)]
    assert_answers(given, found, tmp_path)


def test_the_fullest_queue_and_the_use_of_each_gpu_are_shown(tmp_path: Path) -> None:
    other = {"instance": "app-2:8000"}
    given: Given = {
        "model_info": [({}, 1), (other, 1)],
        "model_queue_used_ratio": [
            ({"limit": "requests"}, 0.125),
            ({"limit": "rows"}, 0.25),
            ({**other, "limit": "rows"}, 0.5),
        ],
        "gpu_memory_used_bytes": [({**JOB, "gpu": "0"}, 1e9), ({**JOB, "gpu": "1", "instance": "other:1"}, 1e9)],
        "gpu_memory_bytes": [({**JOB, "gpu": "0"}, 4e9), ({**JOB, "gpu": "1", "instance": "other:1"}, 4e9)],
        "gpu_utilization_ratio": [({**JOB, "gpu": "0"}, 0.75)],
    }
    (queue,), (used,), (memory,) = (asked("overview", own) for own in ("Queue of the model", "GPU use", "GPU memory"))
    gpu = '{instance="app-1:8000", gpu="0"}'
    found = [(queue, '{limit="requests"}', 0.125), (queue, '{limit="rows"}', 0.5), (used, gpu, 0.75)]
    assert_answers(given, [*found, (memory, gpu, 0.25)], tmp_path)


COSTS: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    ("Cost of a thousand predictions", "job:server_cost_per_thousand_predictions:rate1h", {"currency": "EUR"}),
    ("Cost of a second of CPU time", "job:server_cost_per_cpu_second:rate1h", {"currency": "EUR"}),
    ("CPU time of a thousand predictions", "job:process_cpu_seconds_per_thousand_predictions:rate1h", {}),
)


@pytest.mark.parametrize(("panel", "record", "labels"), COSTS)
def test_costs_are_those_of_the_job(panel: str, record: str, labels: dict[str, str], tmp_path: Path) -> None:
    found = ", ".join(f'{name}="{value}"' for name, value in {"job": "driftgauge", **labels}.items())
    (query,) = asked("overview", panel)
    given: Given = {record: [({**JOB, "instance": "", **labels}, 0.125)]}
    assert_answers(given, [(query, f"{record}{{{found}}}", 0.125)], tmp_path)


def test_throughput_and_failures_are_those_of_all_replicas(tmp_path: Path) -> None:
    given: Given = {
        "model:model_predictions:rate5m": [({"instance": ""}, 64)],
        "model:model_prediction_requests:rate5m": [({"instance": ""}, 8)],
        "model:model_prediction_failures:ratio_rate5m": [({"instance": ""}, 0.25)],
        "model:model_predictions_overloaded:ratio_rate5m": [({"instance": ""}, 0.5)],
    }
    rows, requests = asked("overview", "Throughput")
    failed, full = asked("overview", "Failed rows and rejected requests")
    of_model = '{job="driftgauge", model_name="delay", model_version="1"}'
    rates = [(rows, f"model:model_predictions:rate5m{of_model}", 64)]
    rates.append((requests, f"model:model_prediction_requests:rate5m{of_model}", 8))
    assert_answers(given, [*rates, (failed, "{}", 0.25), (full, "{}", 0.5)], tmp_path)
