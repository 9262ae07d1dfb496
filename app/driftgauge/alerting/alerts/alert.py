"""An alert, and the rule that Prometheus evaluates for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.templates import owner

Level = Literal["critical", "warning", "info", "none"]
OVERVIEW: Final = "driftgauge-overview"
FEATURE: Final = "driftgauge-feature-drift"
GROUND_TRUTH: Final = "driftgauge-ground-truth"


@dataclass(frozen=True)
class Alert:
    """One alerting rule."""

    name: str
    severity: Level
    expr: str
    hold: str
    """`for`, or empty."""
    summary: str
    """What is wrong, the same for all alerts of the rule."""
    description: str
    """Which server, model or feature, how much, since when; a template."""
    dashboard: str = OVERVIEW
    keeps: tuple[str, ...] = ()
    """Labels of the alert that its dashboard and its page can be opened with."""
    labels: Mapping[str, str] = field(default_factory=dict)
    keeps_firing: str = ""
    """How long it fires after its condition ended: `keep_firing_for`, or empty."""


def rule(alert: Alert, options: MonitoringOptions) -> dict[str, Any]:
    """Return the rule of an alert as its file holds it."""
    return {
        "alert": alert.name,
        "expr": alert.expr,
        **({"for": alert.hold} if alert.hold else {}),
        **({"keep_firing_for": alert.keeps_firing} if alert.keeps_firing else {}),
        "labels": {"severity": alert.severity, **alert.labels},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": _runbook_url(alert, options),
            "dashboard_url": _dashboard_url(alert, options),
            "page_url": _page_url(alert, options),
            **(_of_model(options) if "model_name" in alert.keeps else {}),
        },
    }


def _runbook_url(alert: Alert, options: MonitoringOptions) -> str:
    """Return the address of the alert's page; a server fills the feature into its commands."""
    is_filled = options.runbook_url is None and "feature_name" in alert.keeps
    return _with_query(
        f"{options.runbooks}/{quote(alert.name)}", [f"feature={_value('feature_name')}"] if is_filled else []
    )


def _dashboard_url(alert: Alert, options: MonitoringOptions) -> str:
    labels = ("job", *alert.keeps) if alert.severity != "none" else ()
    address = f"{options.grafana_url.rstrip('/')}/d/{alert.dashboard}"
    return _with_query(address, [f"var-{label}={_value(label)}" for label in labels])


def _page_url(alert: Alert, options: MonitoringOptions) -> str:
    asked = {"model_name": "model", "feature_name": "feature"}
    query = [f"{asked[label]}={_value(label)}" for label in alert.keeps if label in asked]
    return _with_query(f"{options.base_url.rstrip('/')}/drift/status", query)


def _of_model(options: MonitoringOptions) -> dict[str, str]:
    """Return where an alert's model is diagnosed, and whom to ask about it."""
    diagnosis = _with_query(f"{options.base_url.rstrip('/')}/diagnosis", [f"model={_value('model_name')}"])
    return {"diagnosis_url": diagnosis, "owner": owner(options)}


def _value(label: str) -> str:
    return f"{{{{ $labels.{label} | urlquery }}}}"


def _with_query(address: str, query: list[str]) -> str:
    return address + ("?" + "&".join(query) if query else "")
