from __future__ import annotations

from dataclasses import replace
from typing import Any

from driftgauge.alerting.alerts.alert import FEATURE, Alert, rule
from driftgauge.alerting.options import MonitoringOptions

OPTIONS = MonitoringOptions(base_url="https://models.example/", grafana_url="https://grafana.example/")
ALERT = Alert(
    name="ModelFeatureDrift",
    severity="warning",
    expr="model_drift_severity >= 2",
    hold="5m",
    summary="A feature drifts",
    description="{{ $labels.feature_name }} drifts",
    dashboard=FEATURE,
    keeps=("model_name", "feature_name"),
    labels={"team": "fraud"},
)


def notes_of(alert: Alert, options: MonitoringOptions = OPTIONS) -> dict[str, Any]:
    found: dict[str, Any] = rule(alert, options)["annotations"]
    return found


def test_a_rule_has_its_condition_its_time_and_its_labels() -> None:
    found = rule(ALERT, OPTIONS)
    assert (found["alert"], found["expr"], found["for"]) == (ALERT.name, ALERT.expr, "5m")
    assert found["labels"] == {"severity": "warning", "team": "fraud"}
    assert "keep_firing_for" not in found


def test_times_that_are_empty_are_left_out_and_others_written() -> None:
    found = rule(replace(ALERT, hold="", keeps_firing="10m"), OPTIONS)
    assert "for" not in found
    assert found["keep_firing_for"] == "10m"


def test_the_addresses_open_with_the_labels_that_the_alert_keeps() -> None:
    found = notes_of(ALERT)
    model, feature = ("{{ $labels.%s | urlquery }}" % name for name in ("model_name", "feature_name"))  # noqa: UP031  # braces
    assert found["page_url"] == f"https://models.example/drift/status?model={model}&feature={feature}"
    assert found["diagnosis_url"] == f"https://models.example/diagnosis?model={model}"
    assert found["dashboard_url"].startswith(f"https://grafana.example/d/{FEATURE}?var-job=")
    assert found["dashboard_url"].endswith(f"&var-model_name={model}&var-feature_name={feature}")


def test_a_runbook_of_the_server_is_filled_with_the_feature_and_one_elsewhere_is_not() -> None:
    assert "/ModelFeatureDrift?feature=" in notes_of(ALERT)["runbook_url"]
    elsewhere = replace(OPTIONS, runbook_url="https://wiki.example/runbooks")
    assert notes_of(ALERT, elsewhere)["runbook_url"] == "https://wiki.example/runbooks/ModelFeatureDrift"


def test_an_alert_of_no_model_has_no_owner_and_no_query() -> None:
    found = notes_of(replace(ALERT, keeps=(), severity="none"))
    assert "owner" not in found
    assert "diagnosis_url" not in found
    assert "?" not in found["page_url"] + found["dashboard_url"] + found["runbook_url"]
    assert "owner" in notes_of(ALERT)
