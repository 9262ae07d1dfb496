"""Alerts of widely copied monitors, which `driftgauge monitoring render --preset` adds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from driftgauge.alerting.alerts import alert_names, alert_rules
from driftgauge.alerting.options import PRESETS, MonitoringOptions, Preset
from driftgauge.alerting.rules import recording_rules
from driftgauge.cli import main as cli

from tests.alerting.test_rules import exposed, selected
from tests.e2e.programs import needs_servers

HERE = Path(__file__).parent
CLASSIC = (
    "ModelLatencyHigh",
    "PredictionDrift",
    "PredictionDistributionAnomaly",
    "FeatureDrift",
    "ModelPerformanceDegradation",
    "GradualDataDrift",
)
LABELS = ("alertname", "severity", "model_name", "feature_name", "batch_size_bucket")


def rules_of(preset: Preset) -> list[dict[str, Any]]:
    """Return the rules that a preset adds."""
    groups = alert_rules(MonitoringOptions(presets=(preset,)))["groups"]
    (own,) = [group["rules"] for group in groups if group["name"] == f"driftgauge-{preset}"]
    rules: list[dict[str, Any]] = own
    return rules


def test_classic_adds_the_alerts_under_their_names_and_changes_no_other() -> None:
    usual, more = (alert_rules(MonitoringOptions(presets=own))["groups"] for own in ((), ("classic",)))
    assert more[: len(usual)] == usual
    assert tuple(rule["alert"] for rule in rules_of("classic")) == CLASSIC
    assert not set(CLASSIC) & set(alert_names())
    limits = {"1": "5m", "0.1": "15m", "0.2": "2h", "2": "30m", "0.05": "30m", "0.15": "1d"}
    assert {rule["expr"].rpartition(" > ")[2]: rule["for"] for rule in rules_of("classic")} == limits


@pytest.mark.parametrize("preset", PRESETS)
def test_the_alerts_of_a_preset_ask_for_metrics_that_exist_and_say_what_a_person_needs(preset: Preset) -> None:
    options = MonitoringOptions(presets=(preset,))
    recorded = {rule["record"] for group in recording_rules(options)["groups"] for rule in group["rules"]}
    for rule in rules_of(preset):
        assert selected(rule["expr"]) <= exposed() | recorded
        notes = rule["annotations"]
        assert set(notes) == {
            *("summary", "description", "runbook_url", "dashboard_url", "page_url", "diagnosis_url", "owner")
        }
        assert notes["runbook_url"].partition("?")[0].endswith(f"/runbooks/{rule['alert']}")
        assert "$labels." in notes["description"]


@pytest.mark.long
@needs_servers
def test_the_classic_alerts_fire_where_the_rules_of_users_do(tmp_path: Path) -> None:
    options = MonitoringOptions(presets=("classic",))
    written = {
        "recorded.json": recording_rules(options),
        "alerts.json": {"groups": [{"name": "driftgauge-classic", "rules": rules_of("classic")}]},
        "tests.json": expecting(yaml.safe_load((HERE / "users_rules_test.yml").read_text("utf-8"))),
    }
    for name, content in written.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "tests.json"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


SERIES = 'job="driftgauge", model_name="delay", model_version="1"'
ONE = f'instance="app-1:8000", {SERIES}'
TWO = f'instance="app-2:8000", {SERIES}'
SHADOW = 'instance="app-1:8000", job="driftgauge", model_name="delay", model_version="2"'
RATIO, MEAN = "model_recent_outlier_ratio", "model_feature_recent_mean_deviation_ratio"
OF_TWO_MINUTES = {
    f"{RATIO}{{{ONE}}}": "0.1x9 0.3x9 stale 0.3x9 0.2x30",
    f"{RATIO}{{{TWO}}}": "0.2x60",
    f"{RATIO}{{{SHADOW}}}": "0.9x60",
    f"model_live{{{SHADOW}}}": "0x60",
    f'{MEAN}{{{ONE}, feature_name="distance"}}': "0.04x9 0.06x19 0.05x30",
    f'{MEAN}{{{ONE}, feature_name="hour"}}': "0.01x60",
    **{f"model_recent_outlier_threshold_ratio{{{own}}}": "0.2x60" for own in (ONE, TWO, SHADOW)},
    **{f"model_recent_mean_deviation_threshold_ratio{{{own}}}": "0.05x60" for own in (ONE, TWO, SHADOW)},
}
FIRING = 'ALERTS{alertstate="firing"}'
OF_DELAY = 'alertstate="firing", severity="warning", job="driftgauge", model_name="delay", model_version="1"'


@needs_servers
def test_the_alerts_of_two_minutes_fire_at_once_by_live_model_and_feature(tmp_path: Path) -> None:
    firing = [
        f'ALERTS{{alertname="ModelTwoMinuteOutliers", {OF_DELAY}}}',
        f'ALERTS{{alertname="ModelTwoMinuteMean", feature_name="distance", {OF_DELAY}}}',
    ]
    expected = {"8m": [], "11m": firing, "20m": firing, "27m": firing, "40m": []}
    checks = [
        {"expr": FIRING, "eval_time": at, "exp_samples": [{"labels": own, "value": 1} for own in alerts]}
        for at, alerts in expected.items()
    ]
    series = [{"series": name, "values": values} for name, values in OF_TWO_MINUTES.items()]
    tests = {
        "rule_files": ["alerts.json"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": checks}],
    }
    alerts = {"groups": [{"name": "two-minutes", "rules": rules_of("two-minutes")}]}
    for name, content in (("alerts.json", alerts), ("tests.json", tests)):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "tests.json"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def expecting(tests: dict[str, Any]) -> dict[str, Any]:
    """Return tests of alerts as tests of the series of alerts that fire, which have no annotations."""
    seen: set[str] = set()
    for test in tests["tests"]:
        test["promql_expr_test"] = []
        for check in test.pop("alert_rule_test"):
            name = check["alertname"]
            expected = [{"alertname": name, **alert["exp_labels"]} for alert in check["exp_alerts"]]
            kept = [{label: own[label] for label in LABELS if label in own} for own in expected]
            seen |= {name} if kept else set()
            test["promql_expr_test"].append(
                {
                    "expr": f'group by ({", ".join(LABELS)}) (ALERTS{{alertname="{name}", alertstate="firing"}})',
                    "eval_time": check["eval_time"],
                    "exp_samples": [{"labels": labelled(own), "value": 1} for own in kept],
                }
            )
    assert seen == set(CLASSIC)
    order = ["driftgauge-compatibility", "driftgauge-classic"]
    return {**tests, "rule_files": ["recorded.json", "alerts.json"], "group_eval_order": order}


def labelled(labels: dict[str, str]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def test_the_command_takes_presets_and_names_them_if_one_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "sys.argv", ["driftgauge", "monitoring", "render", "--out", str(tmp_path), "--preset", "classic"]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    alerts = yaml.safe_load((tmp_path / "prometheus/alerts/driftgauge.yml").read_text("utf-8"))
    assert alerts["groups"][-1]["name"] == "driftgauge-classic"
    monkeypatch.setattr(
        "sys.argv", ["driftgauge", "monitoring", "render", "--out", str(tmp_path), "--preset", "clasic"]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "there is no preset 'clasic': choose from two-minutes, classic" in " ".join(capsys.readouterr().err.split())
