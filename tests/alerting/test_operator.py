from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from driftgauge.alerting.alerts import alert_names
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.render import render, write
from driftgauge.errors import MonitoringError
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from tests.alerting.test_rules import DRIFT, notification, rendered, run
from tests.e2e.programs import needs_servers

BARE = MonitoringOptions(platform="prometheus-operator")
FULL = MonitoringOptions(
    platform="prometheus-operator",
    namespace="models",
    job="delays",
    labels=("release=monitoring", "team=models"),
    slack_url_file="slack/url",
    slack_channel="#models",
    email_to="team@example.org",
    smtp_user="driftgauge",
    smtp_password_file="smtp/password",  # noqa: S106  # the key of a Secret
    webhook_url="http://hooks.example.org/driftgauge",
    webhook_token_file="hooks/token",  # noqa: S106  the key of a Secret
    scheme="https",
    ca_file="authority/ca.crt",
    token_file="tokens/prometheus",  # noqa: S106  the key of a Secret
)
KINDS = ("PrometheusRule", "ServiceMonitor", "AlertmanagerConfig")
DASHBOARDS = ("driftgauge-overview", "driftgauge-feature-drift", "driftgauge-ground-truth", "driftgauge-replicas")
APPLY_LIMIT = 262_144
"""Bytes that the annotations of a resource may have, `kubectl apply`'s copy of it included."""
SCHEMAS = Path(__file__).parent / "operator_schemas"
each_kind = pytest.mark.parametrize("kind", KINDS)
both = pytest.mark.parametrize("options", [BARE, FULL], ids=["bare", "full"])


def resource(kind: str, options: MonitoringOptions) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(render(options)[f"prometheus-operator/{kind.lower()}.yml"])
    return content


def complaints(kind: str, content: dict[str, Any]) -> list[str]:
    """Return what the operator's schema of a kind has against a resource; unknown fields too."""
    schema = json.loads((SCHEMAS / f"{kind.lower()}.json").read_text(encoding="utf-8"))
    return [error.message for error in Draft202012Validator(schema).iter_errors(content)]


# ---------------------------------------------------------------- the operator takes them


@each_kind
@both
def test_the_operators_schema_takes_every_resource(kind: str, options: MonitoringOptions) -> None:
    content = resource(kind, options)
    assert content["kind"] == kind
    assert content["metadata"]["namespace"] == options.namespace
    assert complaints(kind, content) == []


def test_a_wrong_field_or_value_is_noticed() -> None:
    content = resource("ServiceMonitor", FULL)
    content["spec"]["endpoints"][0] |= {"scrape_timeout": "15s", "interval": "soon"}
    found = complaints("ServiceMonitor", content)
    assert any("'scrape_timeout' was unexpected" in text for text in found)
    assert any("'soon'" in text for text in found)


@needs_servers
@both
def test_promtool_takes_the_rules(options: MonitoringOptions, tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump(resource("PrometheusRule", options)["spec"]))
    assert "SUCCESS" in run("promtool", "check", "rules", path)


# ---------------------------------------------------------------- they say what the files say


def test_the_rules_are_those_of_the_files_without_the_watchdog() -> None:
    plain = MonitoringOptions(by=("job", "namespace"))
    files = [yaml.safe_load(render(plain)[f"prometheus/{kind}/driftgauge.yml"]) for kind in ("rules", "alerts")]
    expected = [rule for file in files for group in file["groups"] for rule in group["rules"]]
    found = [rule for group in resource("PrometheusRule", BARE)["spec"]["groups"] for rule in group["rules"]]
    text = json.dumps([rule for rule in expected if rule.get("alert") != "Watchdog"])
    scoped = text.replace('up{job=\\"driftgauge\\"}', 'up{job=\\"driftgauge\\", namespace=\\"default\\"}')
    assert found == json.loads(scoped)
    assert {rule["alert"] for rule in found if "alert" in rule} == set(alert_names()) - {"Watchdog"}


def test_an_alert_on_an_absent_job_has_the_namespace_that_routes_need() -> None:
    rules = [rule for group in resource("PrometheusRule", FULL)["spec"]["groups"] for rule in group["rules"]]
    (down,) = [rule for rule in rules if rule.get("alert") == "DriftgaugeDown"]
    assert 'absent(up{job="delays", namespace="models"})' in down["expr"]


def test_the_monitor_scrapes_the_services_of_the_job() -> None:
    spec = resource("ServiceMonitor", FULL)["spec"]
    assert spec["selector"]["matchLabels"] == {spec["jobLabel"]: "delays"}


def test_the_monitor_sends_a_token_over_tls() -> None:
    (endpoint,) = resource("ServiceMonitor", FULL)["spec"]["endpoints"]
    assert endpoint["scheme"] == "https"
    assert endpoint["tlsConfig"] == {
        "ca": {"secret": {"name": "authority", "key": "ca.crt"}},
        "serverName": "delays.models.svc",
    }
    token = {"name": "tokens", "key": "prometheus"}
    assert endpoint["authorization"] == {"type": "Bearer", "credentials": token}
    (plain,) = resource("ServiceMonitor", BARE)["spec"]["endpoints"]
    assert not {"scheme", "tlsConfig", "authorization"} & plain.keys()


def test_the_labels_that_the_operator_selects_by_are_on_every_resource() -> None:
    for kind in KINDS:
        labels = resource(kind, FULL)["metadata"]["labels"]
        assert labels == {"app.kubernetes.io/name": "delays", "release": "monitoring", "team": "models"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_a_config_map_that_kubectl_can_apply(name: str) -> None:
    files = render(FULL)
    content = yaml.safe_load(files[f"prometheus-operator/{name}.yml"])
    assert json.loads(content["data"][f"{name}.json"]) == json.loads(files[f"grafana/dashboards/{name}.json"])
    assert content["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert len(json.dumps(content)) < APPLY_LIMIT


def test_the_routes_are_those_of_the_file() -> None:
    file = yaml.safe_load(render(MonitoringOptions(webhook_url="http://a/b"))["alertmanager/alertmanager.yml"])
    spec = resource("AlertmanagerConfig", FULL)["spec"]
    assert [route["receiver"] for route in spec["route"]["routes"]] == [r["receiver"] for r in file["route"]["routes"]]
    for own, written in zip(spec["route"]["routes"], file["route"]["routes"], strict=True):
        assert [f'{m["name"]}{m["matchType"]}"{m["value"]}"' for m in own["matchers"]] == written["matchers"]
    for own, written in zip(spec["inhibitRules"], file["inhibit_rules"], strict=True):
        for side, key in (("sourceMatch", "source_matchers"), ("targetMatch", "target_matchers")):
            assert [f'{m["name"]}{m["matchType"]}"{m["value"]}"' for m in own[side]] == written[key]


def test_the_operator_tells_the_server_that_acts_on_alerts() -> None:
    acting = replace(FULL, actions_url="http://app:8000", actions_token_file="tokens/actions")  # noqa: S106  a key
    content = resource("AlertmanagerConfig", acting)
    assert complaints("AlertmanagerConfig", content) == []
    (route,) = [own for own in content["spec"]["route"]["routes"] if own["receiver"] == "actions"]
    assert route["continue"] is True
    assert route["groupBy"][-1] == "alertname"
    (receiver,) = [own for own in content["spec"]["receivers"] if own["name"] == "actions"]
    (hook,) = receiver["webhookConfigs"]
    assert hook["httpConfig"]["authorization"]["credentials"] == {"name": "tokens", "key": "actions"}
    assert hook["maxAlerts"] == 500


@needs_servers
@pytest.mark.parametrize("part", ["title", "text", "color", "link"])
def test_texts_bring_their_templates_along(part: str, tmp_path: Path) -> None:
    (team,) = [r for r in resource("AlertmanagerConfig", FULL)["spec"]["receivers"] if r["name"] == "team"]
    slack = team["slackConfigs"][0]
    text = slack["titleLink" if part == "link" else part]
    data, content = tmp_path / "data.json", notification("firing", DRIFT)
    data.write_text(json.dumps(content))
    nothing = tmp_path / "*.tmpl"
    said = run(
        *("amtool", "template", "render", f"--template.glob={nothing}"),
        *(f"--template.text={text}", f"--template.data={data}"),
    )
    assert said == rendered(part, content, tmp_path)
    if part in ("title", "text"):
        email = team["emailConfigs"][0]
        assert text == (email["text"] if part == "text" else email["headers"][0]["value"])


def test_secrets_are_named_by_secret_and_key() -> None:
    (team,) = [r for r in resource("AlertmanagerConfig", FULL)["spec"]["receivers"] if r["name"] == "team"]
    assert team["slackConfigs"][0]["apiURL"] == {"name": "slack", "key": "url"}
    assert team["emailConfigs"][0]["authPassword"] == {"name": "smtp", "key": "password"}
    webhook = team["webhookConfigs"][0]["httpConfig"]["authorization"]
    assert webhook == {"type": "Bearer", "credentials": {"name": "hooks", "key": "token"}}


# ---------------------------------------------------------------- what is written, and what is refused


def test_the_files_of_prometheus_itself_are_left_out(tmp_path: Path) -> None:
    write(FULL, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"prometheus-operator", "grafana", "runbooks"}
    written = {path.stem for path in (tmp_path / "prometheus-operator").iterdir()}
    assert written == {*(kind.lower() for kind in KINDS), *DASHBOARDS}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"namespace": "My Models"}, "--namespace My Models: give the name of a namespace"),
        ({"job": "Delays"}, "--job Delays: give a name that Kubernetes allows"),
        ({"labels": ("release",)}, "--label release: give labels like"),
        ({"slack_url_file": "/run/secrets/slack"}, "--slack-url-file /run/secrets/slack: give the key of a Secret"),
    ],
)
def test_what_kubernetes_would_refuse_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(MonitoringError) as refused:
        MonitoringOptions(platform="prometheus-operator", **given)
    assert str(refused.value).startswith(said)
