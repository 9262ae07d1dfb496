"""alertmanager.yml: routes, groups, inhibitions and receivers."""

from __future__ import annotations

from typing import Any, Final

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import MODEL
from driftgauge.alerting.scraping import bearer

TEAM: Final = "team"
"""The receiver that notifies, by whatever the options name."""
NONE: Final = "none"
"""The receiver that sends nothing: its alerts are on Alertmanager's page alone."""
ACTIONS: Final = "actions"
"""The receiver that tells the server, whose settings say which alerts lead to actions."""
ACTIONS_PATH: Final = "/actions/alertmanager"
MOST_ALERTS: Final = 500
"""Alerts of one request to the server, which refuses more than 1,000, or 2 MiB: all of them would be lost."""


def alertmanager_config(options: MonitoringOptions) -> dict[str, Any]:
    """Return the content of alertmanager.yml, with the receivers that the options name."""
    team = _team(options)
    receivers = [{"name": NONE}, *([{"name": TEAM, **team}] if team else []), *_actions(options)]
    return {
        **({"global": _smtp(options)} if options.email_to else {}),
        "templates": ["templates/*.tmpl"],
        "route": _route(options, TEAM if team else NONE),
        "inhibit_rules": _inhibitions(options),
        "receivers": receivers,
    }


def _route(options: MonitoringOptions, receiver: str) -> dict[str, Any]:
    """Return the routes: one notification for each model version and severity."""
    return {
        "receiver": receiver,
        "group_by": [*options.by, *MODEL],
        "group_wait": options.group_wait,
        "group_interval": options.group_interval,
        "repeat_interval": "24h",
        "routes": [
            {"matchers": ['alertname="Watchdog"'], "receiver": NONE},
            *([_to_actions(options)] if options.actions_url else []),
            {"matchers": ['severity="critical"'], "receiver": receiver, "repeat_interval": options.repeat_interval},
            {"matchers": ['severity="warning"'], "receiver": receiver},
            {"matchers": ['severity="info"'], "receiver": NONE},
        ],
    }


def _to_actions(options: MonitoringOptions) -> dict[str, Any]:
    """Return the route to the server; with groups by name, many alerts of one name leave out none of another."""
    return {"receiver": ACTIONS, "continue": True, "group_by": [*options.by, *MODEL, "alertname"]}


def _inhibitions(options: MonitoringOptions) -> list[dict[str, Any]]:
    """Return the inhibitions: the worse of two silences the other, and a cause its consequence."""
    feature = [*options.by, *MODEL, "feature_name"]
    same = ["alertname", *feature, "batch_size_bucket", "outcome_name", "constraint"]
    return [
        _inhibit('severity="critical"', 'severity=~"warning|info"', same),
        _inhibit('alertname="DriftgaugeDown"', 'alertname!="DriftgaugeDown"', ["job"]),
        _inhibit('alertname="DriftgaugeServerDown"', 'alertname="ModelEvaluationStale"', [*options.by, "instance"]),
        _inhibit(
            'alertname=~"ModelMissingValues|ModelUnseenCategories"',
            'alertname=~"ModelFeatureDrift|ModelRecentChange|ModelGradualDrift"',
            feature,
        ),
        _inhibit('alertname="ModelMissingValues"', 'alertname="ModelDataQuality", constraint="completeness"', feature),
        _inhibit('alertname="ModelUnseenCategories"', 'alertname="ModelDataQuality", constraint="domain"', feature),
    ]


def _inhibit(source: str, target: str, equal: list[str]) -> dict[str, Any]:
    return {"source_matchers": source.split(", "), "target_matchers": target.split(", "), "equal": equal}


# ---------------------------------------------------------------- receivers


def _team(options: MonitoringOptions) -> dict[str, Any]:
    receivers: dict[str, Any] = {}
    if options.slack_url_file:
        receivers["slack_configs"] = [_slack(options)]
    if options.email_to:
        receivers["email_configs"] = [_email(options.email_to)]
    if options.webhook_url:
        receivers["webhook_configs"] = [_webhook(options.webhook_url, options.webhook_token_file)]
    return receivers


def _actions(options: MonitoringOptions) -> list[dict[str, Any]]:
    """Return the receiver of actions, if the options name one."""
    if options.actions_url is None:
        return []
    address = options.actions_url.rstrip("/") + ACTIONS_PATH
    webhook = {**_webhook(address, options.actions_token_file), "max_alerts": MOST_ALERTS}
    return [{"name": ACTIONS, "webhook_configs": [webhook]}]


def _webhook(url: str, token: str | None) -> dict[str, Any]:
    access = {"http_config": {"authorization": bearer(token)}} if token else {}
    return {"url": url, "send_resolved": True, **access}


def _slack(options: MonitoringOptions) -> dict[str, Any]:
    return {
        "api_url_file": options.slack_url_file,
        **({"channel": options.slack_channel} if options.slack_channel else {}),
        "send_resolved": True,
        "color": _template("color"),
        "title": _template("title"),
        "title_link": _template("link"),
        "text": _template("text"),
        "fallback": _template("title"),
    }


def _email(to: str) -> dict[str, Any]:
    return {
        "to": to,
        "send_resolved": True,
        "headers": {"Subject": _template("title")},
        "html": "",
        "text": _template("text"),
    }


def _template(name: str) -> str:
    return f'{{{{ template "driftgauge.{name}" . }}}}'


def _smtp(options: MonitoringOptions) -> dict[str, Any]:
    login = {
        "smtp_auth_username": options.smtp_user,
        "smtp_auth_password_file": options.smtp_password_file,
    }
    return {
        "smtp_smarthost": options.smtp_host,
        "smtp_from": options.email_from,
        "smtp_require_tls": options.smtp_tls,
        **{name: value for name, value in login.items() if value},
    }
