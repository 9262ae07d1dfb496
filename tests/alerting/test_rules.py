from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import trustme
import yaml
from driftgauge.about import About
from driftgauge.alerting.alerts import alert_names
from driftgauge.alerting.options import PRESETS, MonitoringOptions
from driftgauge.alerting.render import render, write
from driftgauge.alerting.rules import PREDICT
from driftgauge.cli import main as cli
from driftgauge.edges.formats.alertmanager import MOST_ALERTS
from driftgauge.edges.http.request_metrics import handler
from driftgauge.edges.http.routes import ROUTES, measured
from driftgauge.errors import MonitoringError
from driftgauge.metrics.catalogue import catalogue

from tests.abouts import HOSTILE, USUAL
from tests.e2e.programs import needs_servers

ROOT = Path(__file__).parents[2] / "monitoring"
HERE = Path(__file__).parent
ALERTS = ROOT / "prometheus" / "alerts" / "driftgauge.yml"
RULES = ROOT / "prometheus" / "rules" / "driftgauge.yml"
USERS = (HERE / "users_rules.yml", HERE / "users_rules_test.yml")
TESTS = sorted((ROOT / "prometheus" / "tests").glob("*.yml"))
COMPATIBLE = MonitoringOptions(compatibility=True)
NARROW = MonitoringOptions(by=("job", "namespace"), scrape_interval="500ms", compatibility=True)
NOTIFYING = MonitoringOptions(
    slack_url_file="/run/secrets/slack",
    slack_channel="#models",
    email_to="team@example.org",
    smtp_user="driftgauge",
    smtp_password_file="/run/secrets/smtp",  # noqa: S106  # a path
    webhook_url="http://hooks.example.org/driftgauge",
)


def rules_in(path: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def checks(*paths: Path) -> Iterator[dict[str, Any]]:
    """Yield what the tests of rules expect of alerts."""
    for path in paths:
        for test in proofs(path):
            yield from test.get("alert_rule_test", [])


@cache
def proofs(path: Path) -> Sequence[Mapping[str, Any]]:
    """Read a file of tests, which takes PyYAML seconds."""
    tests: Sequence[Mapping[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
    return tests


def run(*command: str | Path) -> str:
    """Run a program; gives what it said, and fails with that if it complains."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def identity(rule: Mapping[str, Any]) -> str:
    return "-".join([rule["alert"], *rule["labels"].values()])


OF_A_MODEL = {"DriftgaugeLatencyHigh"}
"""Alerts on a model by other names; the others of the server name none."""
OF_A_FEATURE = {
    "ModelFeatureDrift",
    "ModelGradualDrift",
    "ModelMissingValues",
    "ModelRecentChange",
    "ModelUnseenCategories",
}
ALERTING = [pytest.param(rule, id=identity(rule)) for rule in rules_in(ALERTS)]


# ---------------------------------------------------------------- the rules do what they say


@needs_servers
def test_promtool_takes_all_rules() -> None:
    said = run("promtool", "check", "rules", RULES, ALERTS, USERS[0])
    assert said.count("SUCCESS") == 3


@needs_servers
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_tests_of_the_rules_pass(path: Path) -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", path)


@pytest.mark.long
@needs_servers
def test_rules_that_people_already_have_fire_on_what_is_exposed(tmp_path: Path) -> None:
    write(COMPATIBLE, tmp_path)
    for path in USERS:
        shutil.copy(path, tmp_path)
    assert "SUCCESS" in run("promtool", "test", "rules", tmp_path / USERS[1].name)


@pytest.mark.parametrize("rule", ALERTING)
def test_an_alert_is_expected_to_fire_and_to_be_quiet(rule: dict[str, Any]) -> None:
    of_it = [check for check in checks(*TESTS) if check["alertname"] == rule["alert"]]
    firing = [_labelled(rule, check) for check in of_it]
    assert any(firing), "no test expects it to fire"
    assert not all(firing) or rule["alert"] == "Watchdog", "no test expects it to be quiet"


def _labelled(rule: Mapping[str, Any], check: Mapping[str, Any]) -> bool:
    return any(rule["labels"].items() <= alert["exp_labels"].items() for alert in check["exp_alerts"])


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_a_test_file_says_what_it_proves(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# Proves ")


def test_each_of_the_rules_of_users_is_expected_to_fire_and_to_be_quiet() -> None:
    for rule in rules_in(USERS[0]):
        expected = [bool(check["exp_alerts"]) for check in checks(USERS[1]) if check["alertname"] == rule["alert"]]
        assert {True, False} <= set(expected), rule["alert"]


# ---------------------------------------------------------------- what alerts say


@pytest.mark.parametrize("rule", ALERTING)
def test_an_alert_says_what_a_person_needs(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    of_model = {"diagnosis_url", "owner"} if rule["alert"].startswith("Model") or rule["alert"] in OF_A_MODEL else set()
    assert set(notes) == {"summary", "description", "runbook_url", "dashboard_url", "page_url", *of_model}
    assert rule["labels"]["severity"] in {"critical", "warning", "info", "none"}
    assert len(notes["summary"]) < 150
    assert ("{{ $labels.feature_name }}" in notes["summary"]) == (rule["alert"] in OF_A_FEATURE)
    assert notes["description"].count("query") <= 1
    assert not set("\n") & set(notes["description"])
    assert "$labels." in notes["description"] or rule["alert"] == "Watchdog"
    runbook, _, query = notes["runbook_url"].partition("?")
    assert runbook.endswith(f"/runbooks/{rule['alert']}")
    assert query == ("feature={{ $labels.feature_name | urlquery }}" if "feature_name" in rule["expr"] else "")
    assert notes["dashboard_url"].startswith("http://localhost:3000/d/driftgauge-")


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    runbooks = {path.stem for path in (ROOT / "runbooks").glob("*.md")}
    assert runbooks == set(alert_names(MonitoringOptions(presets=PRESETS)))
    assert set(alert_names()) == {rule["alert"] for rule in rules_in(ALERTS)} < runbooks


# ---------------------------------------------------------------- what rules ask for


@pytest.mark.parametrize("options", [MonitoringOptions(), NARROW], ids=["defaults", "narrow"])
def test_rules_ask_for_metrics_that_exist(options: MonitoringOptions, tmp_path: Path) -> None:
    write(options, tmp_path)
    recorded = rules_in(tmp_path / "prometheus" / "rules" / "driftgauge.yml")
    known = exposed() | {rule["record"] for rule in recorded}
    for rule in (*recorded, *rules_in(tmp_path / "prometheus" / "alerts" / "driftgauge.yml")):
        assert selected(rule["expr"]) <= known


def test_rules_of_users_ask_for_metrics_that_exist(tmp_path: Path) -> None:
    write(COMPATIBLE, tmp_path)
    recorded = {rule["record"] for rule in rules_in(tmp_path / "prometheus" / "rules" / "driftgauge.yml")}
    asked = {name for rule in rules_in(USERS[0]) for name in selected(rule["expr"])}
    assert asked <= exposed() | recorded


def test_the_error_budget_is_of_all_routes_that_predict() -> None:
    pattern = PREDICT.removeprefix('handler=~"').removesuffix('"')
    counted = {(method, route) for method, route, _ in measured() if re.fullmatch(pattern, route)}
    predicting = {(route.method, handler(route.path)) for route in ROUTES if route.scope == "predict"}
    assert counted == {(method, route) for method, route in predicting if method == "POST"}
    assert len(counted) == 5


def exposed() -> set[str]:
    """Return the names of all series that a scrape gives."""
    names = {"up"}
    for name, kind, _, _ in catalogue():
        names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return names


def selected(expr: str) -> set[str]:
    """Return the names of the metrics that a query selects."""
    names: set[str] = set()

    def visit(node: object) -> bool:
        selector = getattr(node, "vector_selector", node)
        if isinstance(selector, promql_parser.VectorSelector):
            assert selector.name, f"a selector without a name in {expr}"
            names.add(selector.name)
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return names


# ---------------------------------------------------------------- what is rendered


def test_the_committed_files_are_those_of_the_defaults() -> None:
    for path, text in render(MonitoringOptions()).items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, f"{path}: run `driftgauge monitoring render`"


@needs_servers
@pytest.mark.parametrize("options", [MonitoringOptions(), NARROW, NOTIFYING], ids=["defaults", "narrow", "notifying"])
def test_the_programs_take_what_is_rendered(options: MonitoringOptions, tmp_path: Path) -> None:
    write(options, tmp_path)
    assert "SUCCESS" in run("promtool", "check", "config", tmp_path / "prometheus" / "prometheus.yml")
    assert "SUCCESS" in run("amtool", "check-config", tmp_path / "alertmanager" / "alertmanager.yml")


@needs_servers
def test_the_programs_take_tokens_and_tls(tmp_path: Path) -> None:
    files = {name: str(tmp_path / name) for name in ("token", "ca", "hook")}
    authority = trustme.CA()
    authority.cert_pem.write_to_path(files["ca"])
    for name in ("token", "hook"):
        Path(files[name]).write_text("secret-of-a-test")
    options = MonitoringOptions(
        scheme="https",
        ca_file=files["ca"],
        token_file=files["token"],
        webhook_url="http://a/b",
        webhook_token_file=files["hook"],
    )
    write(options, tmp_path)
    assert "SUCCESS" in run("promtool", "check", "config", tmp_path / "prometheus" / "prometheus.yml")
    assert "SUCCESS" in run("amtool", "check-config", tmp_path / "alertmanager" / "alertmanager.yml")
    jobs = {
        job["job_name"]: job for job in yaml.safe_load(render(options)["prometheus/prometheus.yml"])["scrape_configs"]
    }
    assert jobs["driftgauge"]["authorization"] == {"type": "Bearer", "credentials_file": files["token"]}
    assert jobs["driftgauge"]["tls_config"] == {"ca_file": files["ca"]}
    assert not {"scheme", "authorization"} & jobs["prometheus"].keys()  # whose token it is not


@needs_servers
def test_alerts_also_go_to_the_server_that_acts_on_them(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret-of-a-test")
    options = MonitoringOptions(actions_url="http://app:8000/", actions_token_file=str(token), webhook_url="http://a/b")
    write(options, tmp_path)
    file = tmp_path / "alertmanager" / "alertmanager.yml"
    assert "SUCCESS" in run("amtool", "check-config", file)
    config = yaml.safe_load(file.read_text("utf-8"))
    receivers = {own["name"]: own for own in config["receivers"]}
    (hook,) = receivers["actions"]["webhook_configs"]
    assert hook["url"] == "http://app:8000/actions/alertmanager"
    assert hook["http_config"]["authorization"] == {"type": "Bearer", "credentials_file": str(token)}
    assert hook["max_alerts"] <= MOST_ALERTS  # a request with more would be refused, and not sent again
    (route,) = [own for own in config["route"]["routes"] if own["receiver"] == "actions"]
    assert "alertname" in route["group_by"]  # alerts of other names are not among those that are left out
    for severity, others in (("critical", "team"), ("warning", "team"), ("info", "none")):
        said = run("amtool", "config", "routes", "test", "--config.file", file, f"severity={severity}")
        assert said.strip() == f"actions,{others}"
    said = run("amtool", "config", "routes", "test", "--config.file", file, "alertname=Watchdog")
    assert said.strip() == "none"


def test_an_authority_is_for_servers_with_tls() -> None:
    with pytest.raises(MonitoringError, match="--ca-file is for servers with TLS: add --scheme https"):
        MonitoringOptions(ca_file="ca.pem")


def test_aggregations_keep_all_labels_of_a_deployment() -> None:
    files = render(NARROW)
    for path in ("prometheus/rules/driftgauge.yml", "prometheus/alerts/driftgauge.yml"):
        text = files[path]
        assert text.count("(job") == text.count("(job, namespace") > 0
    assert "scrape_interval: 500ms" in files["prometheus/prometheus.yml"]


def test_receivers_that_are_not_given_are_left_out() -> None:
    assert _receivers(MonitoringOptions()) == {"none": set()}
    assert _receivers(MonitoringOptions(email_to="team@example.org")) == {"none": set(), "team": {"email_configs"}}
    every = {"slack_configs", "email_configs", "webhook_configs"}
    assert _receivers(NOTIFYING) == {"none": set(), "team": every}
    assert "smtp" not in render(MonitoringOptions())["alertmanager/alertmanager.yml"]


def _receivers(options: MonitoringOptions) -> dict[str, set[str]]:
    config = yaml.safe_load(render(options)["alertmanager/alertmanager.yml"])
    return {receiver["name"]: set(receiver) - {"name"} for receiver in config["receivers"]}


def test_durations_and_addresses_come_from_the_options() -> None:
    options = MonitoringOptions(
        window="7m", hold="9m", base_url="https://models.example.org/", grafana_url="https://grafana.example.org/"
    )
    alerts = render(options)["prometheus/alerts/driftgauge.yml"]
    assert "[7m]" in alerts
    assert "for: 9m" in alerts
    address = "https://models.example.org/runbooks/ModelFeatureDrift?feature={{ $labels.feature_name | urlquery }}"
    assert f"runbook_url: {address}\n" in alerts
    assert "dashboard_url: https://grafana.example.org/d/driftgauge-overview" in alerts
    assert "localhost" not in alerts
    elsewhere = render(MonitoringOptions(runbook_url="https://wiki.example.org/runbooks"))
    assert "https://wiki.example.org/runbooks/ModelFeatureDrift\n" in elsewhere["prometheus/alerts/driftgauge.yml"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"scrape_interval": "15"}, "--scrape-interval 15: give a time"),
        ({"window": "five minutes"}, "--window five minutes: give a time"),
        ({"hold": "0s"}, "--hold 0s: give a time"),
        ({"repeat_interval": "-4h"}, "--repeat-interval -4h: give a time"),
        ({"window": "29s"}, "--window must be at least two scrape intervals"),
        ({"base_url": "localhost:8000"}, "--base-url localhost:8000: give an address"),
        ({"webhook_url": "ftp://example.org"}, "--webhook-url ftp://example.org: give an address"),
        ({"actions_url": "app:8000"}, "--actions-url app:8000: give an address"),
        ({"targets": ("app:8000", "app")}, "--target app:8000,app: give host:port"),
        ({"targets": ()}, "--target"),
        ({"alertmanager": "http://alertmanager:9093"}, "give host:port"),
        ({"job": 'a"b'}, "the name of a scrape job"),
        ({"by": ("job", "name space")}, "give names of labels"),
        ({"by": ("namespace",)}, "--by must contain job"),
        ({"by": ("job", "job")}, "name each label once"),
        ({"by": ("job", "model_name")}, "none that the metrics have: model_name"),
        ({"job": "prometheus"}, "--job prometheus: prometheus scrapes itself under this name; choose another"),
        ({"window": "30m1h"}, "--window 30m1h: give a time"),
        ({"scrape_interval": "4m", "window": "8m"}, "--scrape-interval 4m: rates over 5m need 2m or less"),
        ({"base_url": "http://h/{{x}}"}, "give an address"),
        ({"replica_windows": ("5m", "2h")}, "--replica-windows 5m,2h: choose from 5m,1h,24h"),
    ],
    ids=str,
)
def test_an_option_that_prometheus_or_alertmanager_would_refuse_is_an_error(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(MonitoringError) as caught:
        MonitoringOptions(**wrong)
    assert says in str(caught.value)


# ---------------------------------------------------------------- who hears of it


@needs_servers
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=ModelFeatureDrift", "severity=critical"], "team"),
        (["alertname=ModelFeatureDrift", "severity=warning"], "team"),
        (["alertname=ModelInsufficientData", "severity=info"], "none"),
        (["alertname=Watchdog", "severity=none"], "none"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[-1],
)
def test_an_alert_reaches_who_should_hear_of_it(labels: list[str], receiver: str, tmp_path: Path) -> None:
    write(NOTIFYING, tmp_path)
    config = tmp_path / "alertmanager" / "alertmanager.yml"
    assert run("amtool", "config", "routes", "test", "--config.file", config, *labels).strip() == receiver


DRIFT: dict[str, Any] = {
    "labels": {
        "alertname": "ModelFeatureDrift",
        "severity": "critical",
        "job": "driftgauge",
        "model_name": "delay",
        "model_version": "3",
        "feature_name": "distance",
    },
    "annotations": {
        "summary": "distance of delay 3 has drifted from the reference.",
        "description": "95% of rows above the reference's largest value (reference: 0%). Since 2026-01-01.",
        "runbook_url": "http://localhost:8000/runbooks/ModelFeatureDrift",
        "dashboard_url": "http://localhost:3000/d/driftgauge-feature-drift?var-feature_name=distance",
        "page_url": "http://localhost:8000/drift/status?model=delay&feature=distance",
        "diagnosis_url": "http://localhost:8000/diagnosis?model=delay",
        "owner": "Flights team, flights@example.org",
    },
    "startsAt": "2026-01-01T00:05:00Z",
}
HOUR: dict[str, Any] = json.loads(json.dumps(DRIFT).replace("distance", "hour").replace("critical", "warning"))


def notification(status: str, *alerts: Mapping[str, Any], over: str = "0001-01-01T00:00:00Z") -> dict[str, Any]:
    """Return what Alertmanager gives to templates for alerts of one group."""
    return {
        "receiver": "team",
        "status": status,
        "alerts": [{**alert, "status": status, "endsAt": over} for alert in alerts],
        "groupLabels": {name: DRIFT["labels"][name] for name in ("job", "model_name", "model_version")},
        "commonLabels": _common(alerts, "labels"),
        "commonAnnotations": _common(alerts, "annotations"),
        "externalURL": "http://localhost:9093",
    }


def _common(alerts: tuple[Mapping[str, Any], ...], kind: str) -> dict[str, str]:
    shared = set.intersection(*(set(alert[kind].items()) for alert in alerts))
    return dict(sorted(shared))


def rendered(part: str, content: Mapping[str, Any], folder: Path) -> str:
    data = folder / "data.json"
    data.write_text(json.dumps(content), encoding="utf-8")
    glob = ROOT / "alertmanager" / "templates" / "*.tmpl"
    text = f'{{{{ template "driftgauge.{part}" . }}}}'
    return run(
        "amtool", "template", "render", f"--template.glob={glob}", f"--template.text={text}", f"--template.data={data}"
    )


@needs_servers
def test_a_notification_says_what_happened_and_where_to_look(tmp_path: Path) -> None:
    firing = notification("firing", DRIFT, HOUR)
    assert rendered("title", firing, tmp_path).startswith("[FIRING 2] delay 3: ModelFeatureDrift")
    text = rendered("text", firing, tmp_path)
    for alert in (DRIFT, HOUR):
        notes: Mapping[str, str] = alert["annotations"]
        assert all(part in text for part in notes.values()), text
    assert text.count("since 2026-01-01 00:05 UTC") == 2
    assert rendered("color", firing, tmp_path) == "danger"
    assert rendered("link", firing, tmp_path).startswith("http://localhost:3000/d/driftgauge-feature-drift?")


@needs_servers
@pytest.mark.parametrize("about", [USUAL, HOSTILE], ids=["usual", "hostile"])
def test_a_notification_names_the_owner_as_the_alert_does_and_none_if_it_names_none(
    about: About, tmp_path: Path
) -> None:
    named = {**DRIFT, "annotations": {**DRIFT["annotations"], "owner": about.owner}}
    text = rendered("text", notification("firing", named), tmp_path)
    assert f"- ModelFeatureDrift (critical)\n- owner: {about.owner}\n- firing since" in text
    unnamed = {name: note for name, note in DRIFT["annotations"].items() if name != "owner"}
    for notes in (unnamed, {**unnamed, "owner": ""}):
        text = rendered("text", notification("firing", {**DRIFT, "annotations": notes}), tmp_path)
        assert "- ModelFeatureDrift (critical)\n- firing since" in text


@needs_servers
def test_the_notification_of_one_alert_names_its_severity(tmp_path: Path) -> None:
    one = notification("firing", HOUR)
    assert rendered("title", one, tmp_path) == "[FIRING 1] warning: hour of delay 3 has drifted from the reference."
    assert rendered("color", one, tmp_path) == "warning"


@needs_servers
def test_a_notification_that_it_is_over_says_of_what(tmp_path: Path) -> None:
    over = notification("resolved", DRIFT, over="2026-01-01T02:00:00Z")
    assert rendered("title", over, tmp_path).startswith("[RESOLVED] critical: distance of delay 3 has")
    text = rendered("text", over, tmp_path)
    assert "ModelFeatureDrift of distance, 2026-01-01 00:05 to 2026-01-01 02:00 UTC" in text
    assert "firing since" not in text
    assert rendered("color", over, tmp_path) == "good"


# ---------------------------------------------------------------- the command


def test_the_command_writes_what_render_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _command(monkeypatch, "--out", str(tmp_path)) == 0
    for path, text in render(MonitoringOptions()).items():
        assert (tmp_path / path).read_text(encoding="utf-8") == text
    copied = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert "alertmanager/templates/driftgauge.tmpl" in copied
    assert {f"runbooks/{name}.md" for name in alert_names()} <= copied


def test_the_command_passes_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = MonitoringOptions(targets=("a:1", "b:2"), hold="10m", by=("job", "namespace"), compatibility=True)
    given = ["--target", "a:1", "--target", "b:2", "--hold", "10m", "--by", "job,namespace", "--compatibility"]
    assert _command(monkeypatch, "--out", str(tmp_path), *given) == 0
    for path, text in render(options).items():
        assert (tmp_path / path).read_text(encoding="utf-8") == text


def test_the_command_refuses_a_wrong_option_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _command(monkeypatch, "--out", str(tmp_path / "new"), "--hold", "soon") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("driftgauge: --hold soon: give a time")
    assert not (tmp_path / "new").exists()


def test_the_command_explains_itself(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _command(monkeypatch, "--help") == 0
    said = capsys.readouterr().out
    assert "--scrape-interval" in said
    assert "--slack-url-file" in said


def _command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["driftgauge", "monitoring", "render", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    try:
        cli.main()
    except SystemExit as end:
        return end.code
    return 0
