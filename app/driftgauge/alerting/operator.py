"""The same rules, targets, routes and dashboards as resources of Kubernetes and its Prometheus Operator.

Fields are those of the operator's CRDs: PrometheusRule and ServiceMonitor of `monitoring.coreos.com/v1`,
AlertmanagerConfig of `v1alpha1`, which every version of the operator serves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from driftgauge.alerting.alerts import WATCHDOG, alert_rules
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.routing import alertmanager_config
from driftgauge.alerting.rules import recording_rules

GROUP: Final = "monitoring.coreos.com"
NAME_LABEL: Final = "app.kubernetes.io/name"
"""Label of the Service whose value is the scrape job."""
PORT: Final = "http"
"""Name of the Service's port."""
DASHBOARD_LABEL: Final = "grafana_dashboard"
"""Label by which the sidecar of Grafana's Helm chart finds dashboards."""
TEMPLATE: Final = re.compile(r'\{\{-? template "([^"]+)"')
DEFINITION: Final = re.compile(r'^\{\{ define "([^"]+)" -\}\}.*?^\{\{- end \}\}$', re.DOTALL | re.MULTILINE)
MATCHER: Final = re.compile(r'(\w+)(=~|!=|!~|=)"(.*)"')


def operator_resources(options: MonitoringOptions, templates: Path) -> dict[str, dict[str, Any]]:
    """Return each resource by the path of its file; `templates` is Alertmanager's file of templates."""
    return {
        "prometheus-operator/prometheusrule.yml": _resource("PrometheusRule", "v1", _rules(options), options),
        "prometheus-operator/servicemonitor.yml": _resource("ServiceMonitor", "v1", _monitor(options), options),
        "prometheus-operator/alertmanagerconfig.yml": _resource(
            "AlertmanagerConfig", "v1alpha1", _routing(options, templates.read_text("utf-8")), options
        ),
    }


def dashboard_config_maps(options: MonitoringOptions, dashboards: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return a ConfigMap for each dashboard, by the path of its file; `dashboards` are JSON texts by path.

    The texts are compact: `kubectl apply` keeps a copy of a resource in an annotation, which has a limit.
    """
    found = {}
    for path, text in dashboards.items():
        name = Path(path).stem
        compact = json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
        found[f"prometheus-operator/{name}.yml"] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _metadata(name, options, {DASHBOARD_LABEL: "1"}),
            "data": {f"{name}.json": f"{compact}\n"},
        }
    return found


def _resource(kind: str, version: str, spec: Mapping[str, Any], options: MonitoringOptions) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/{version}",
        "kind": kind,
        "metadata": _metadata(options.job, options, {}),
        "spec": spec,
    }


def _metadata(name: str, options: MonitoringOptions, labels: Mapping[str, str]) -> dict[str, Any]:
    own = dict(label.split("=", 1) for label in options.labels)
    return {
        "name": name,
        "namespace": options.namespace,
        "labels": {NAME_LABEL: options.job, **labels, **own},
    }


def _rules(options: MonitoringOptions) -> dict[str, Any]:
    """Return both files of rules in one; the operator's own stack already has a Watchdog."""
    groups = [*recording_rules(options)["groups"], *alert_rules(options)["groups"]]
    return {
        "groups": [
            {**group, "rules": [rule for rule in group["rules"] if rule.get("alert") != WATCHDOG]} for group in groups
        ]
    }


def _monitor(options: MonitoringOptions) -> dict[str, Any]:
    """Return the Services to scrape: those of the namespace with the label of the job."""
    interval = options.scrape_interval
    return {
        "selector": {"matchLabels": {NAME_LABEL: options.job}},
        "jobLabel": NAME_LABEL,
        "endpoints": [
            {"port": PORT, "path": "/metrics", "interval": interval, "scrapeTimeout": interval, **_access(options)}
        ],
    }


def _access(options: MonitoringOptions) -> dict[str, Any]:
    """Return how the Services are reached, where it is not plain HTTP without a token."""
    found: dict[str, Any] = {} if options.scheme == "http" else {"scheme": options.scheme}
    if options.ca_file:  # the certificate names the Service, and pods are scraped by their addresses
        server = f"{options.job}.{options.namespace}.svc"
        found["tlsConfig"] = {"ca": {"secret": _secret(options.ca_file)}, "serverName": server}
    if options.token_file:
        found["authorization"] = _bearer(options.token_file)
    return found


# ---------------------------------------------------------------- routes


def _routing(options: MonitoringOptions, templates: str) -> dict[str, Any]:
    """Return the routes, inhibitions and receivers; the operator limits them to alerts of the namespace."""
    config = alertmanager_config(options)
    return {
        "route": _route(config["route"]),
        "inhibitRules": [
            {
                "sourceMatch": _matchers(rule["source_matchers"]),
                "targetMatch": _matchers(rule["target_matchers"]),
                "equal": rule["equal"],
            }
            for rule in config["inhibit_rules"]
        ],
        "receivers": [_receiver(receiver, config, _Texts(templates)) for receiver in config["receivers"]],
    }


def _route(route: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "group_by": "groupBy",
        "group_wait": "groupWait",
        "group_interval": "groupInterval",
        "repeat_interval": "repeatInterval",
        "continue": "continue",
    }
    return {
        "receiver": route["receiver"],
        **{name: route[key] for key, name in names.items() if key in route},
        **({"matchers": _matchers(route["matchers"])} if "matchers" in route else {}),
        **({"routes": [_route(own) for own in route["routes"]]} if "routes" in route else {}),
    }


def _matchers(written: list[str]) -> list[dict[str, str]]:
    """Return matchers such as `severity="critical"` with their parts apart."""
    parts = [MATCHER.fullmatch(text) for text in written]
    return [{"name": found[1], "matchType": found[2], "value": found[3]} for found in parts if found]


# ---------------------------------------------------------------- receivers


class _Texts:
    """Texts that bring the templates they name: the operator's Alertmanager does not have ours."""

    def __init__(self, templates: str) -> None:
        self._definitions = {found[1]: found[0] for found in DEFINITION.finditer(templates)}

    def __call__(self, text: str) -> str:
        """Return a text behind the definitions of its templates, and of theirs."""
        return "".join(self._definitions[name] for name in self._named(text)) + text

    def _named(self, text: str) -> dict[str, None]:
        named: dict[str, None] = {}
        for name in TEMPLATE.findall(text):
            named |= {**self._named(self._definitions[name]), name: None}
        return named


def _receiver(receiver: Mapping[str, Any], config: Mapping[str, Any], texts: _Texts) -> dict[str, Any]:
    kinds: dict[str, Any] = {"name": receiver["name"]}
    if "slack_configs" in receiver:
        kinds["slackConfigs"] = [_slack(own, texts) for own in receiver["slack_configs"]]
    if "email_configs" in receiver:
        kinds["emailConfigs"] = [_email(own, config["global"], texts) for own in receiver["email_configs"]]
    if "webhook_configs" in receiver:
        kinds["webhookConfigs"] = [_webhook(own) for own in receiver["webhook_configs"]]
    return kinds


def _webhook(webhook: Mapping[str, Any]) -> dict[str, Any]:
    token = webhook.get("http_config", {}).get("authorization", {}).get("credentials_file")
    return {
        "url": webhook["url"],
        "sendResolved": webhook["send_resolved"],
        **({"maxAlerts": webhook["max_alerts"]} if "max_alerts" in webhook else {}),
        **({"httpConfig": {"authorization": _bearer(token)}} if token else {}),
    }


def _bearer(token: str) -> dict[str, Any]:
    return {"type": "Bearer", "credentials": _secret(token)}


def _slack(slack: Mapping[str, Any], texts: _Texts) -> dict[str, Any]:
    names = {"color": "color", "title": "title", "title_link": "titleLink", "text": "text", "fallback": "fallback"}
    return {
        "apiURL": _secret(slack["api_url_file"]),
        **({"channel": slack["channel"]} if "channel" in slack else {}),
        "sendResolved": slack["send_resolved"],
        **{name: texts(slack[key]) for key, name in names.items()},
    }


def _email(email: Mapping[str, Any], smtp: Mapping[str, Any], texts: _Texts) -> dict[str, Any]:
    password = smtp.get("smtp_auth_password_file")
    return {
        "to": email["to"],
        "from": smtp["smtp_from"],
        "smarthost": smtp["smtp_smarthost"],
        "requireTLS": smtp["smtp_require_tls"],
        **({"authUsername": smtp["smtp_auth_username"]} if "smtp_auth_username" in smtp else {}),
        **({"authPassword": _secret(password)} if password else {}),
        "sendResolved": email["send_resolved"],
        "headers": [{"key": key, "value": texts(value)} for key, value in email["headers"].items()],
        "html": email["html"],
        "text": texts(email["text"]),
    }


def _secret(named: str) -> dict[str, str]:
    """Return the key of a Secret, written NAME/KEY."""
    name, _, key = named.partition("/")
    return {"name": name, "key": key}
