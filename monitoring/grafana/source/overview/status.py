"""Is it all right, and if not, what moved?"""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard as build

from ..panels import (
    CRITICAL,
    INFO,
    NORMAL,
    PLAIN,
    SEVERITIES,
    STATUS_URL,
    UNKNOWN,
    WARNING,
    AnyPanel,
    Text,
    column,
    feature_url,
    link,
    mapping,
    number,
    rows,
    step_override,
)
from ..queries import ALERT_IS, MODEL_IS, SERVER_IS, Query, severity_or_none
from .drifted import drifted

ANSWERS: Final = {
    "-1": ("too few rows yet", UNKNOWN),
    "0": ("all right", NORMAL),
    "1": ("all right, small change", INFO),
    "2": ("see the alerts", WARNING),
    "3": ("drift: warning", WARNING),
    "4": ("see the alerts", CRITICAL),
    "5": ("drift: critical", CRITICAL),
    "6": ("monitoring has a problem", CRITICAL),
    "7": ("a server is down", CRITICAL),
}
"""What the first panel says; the largest number that applies wins."""
EVALUATED: Final = f"max(model_evaluated_features{{{MODEL_IS}}})"
SEVERITY: Final = f"({severity_or_none(f'max(model_drift_severity{{{MODEL_IS}}})', EVALUATED)})"
HEALTHY: Final = f"min(model_monitoring_healthy{{{MODEL_IS}}})"
DOWN: Final = f"count(up{{{SERVER_IS}}}) - sum(up{{{SERVER_IS}}})"
CRITICAL_ALERTS: Final = f'ALERTS{{{ALERT_IS}, severity="critical"}}'
ALERTS: Final = {
    "critical": CRITICAL_ALERTS,
    "warning": f'(ALERTS{{{ALERT_IS}, severity="warning"}} unless ignoring (severity) {CRITICAL_ALERTS})',
    "others": f'ALERTS{{{ALERT_IS}, severity!~"critical|warning"}}',
}
"""The alerts that fire, by severity. A warning goes on beside its critical alert and is left out then."""
SEVERITY_COLOURS: Final = {"critical": ("critical", CRITICAL), "warning": ("warning", WARNING), "info": ("info", INFO)}


def status() -> list[AnyPanel]:
    """Return the panels that answer it at a glance."""
    return [_answer(), *_numbers(), _firing(), _alerts(), drifted()]


def _answer() -> AnyPanel:
    alerts = 'count(ALERTS{{{}, severity="{}", alertname!~"Model(Feature|Prediction)Drift"}})'
    worst = [
        f"({SEVERITY} + clamp_min({SEVERITY} - 1, 0))",  # a warning is 3, critical is 5
        _answer_of("2", alerts.format(ALERT_IS, "warning")),
        _answer_of("4", alerts.format(ALERT_IS, "critical")),
        _answer_of("6", f"{HEALTHY} == 0"),
        _answer_of("7", f"({DOWN}) > 0"),
    ]
    panel = number(
        Text("Is it all right?", "The worst of: drift severity, alerts on anything else, monitoring's own health, "
             "servers that do not answer. Bad: everything but all right. The panels beside it say which; a click opens "
             "the verdict at the server.", PLAIN),
        Query(f"max({' or '.join(worst)})", "answer"), names=ANSWERS, width=6, empty="no server has been scraped",
    )  # fmt: skip
    return panel.data_links([build.DashboardLink("Verdict at the server").url(STATUS_URL).target_blank(True)])


def _answer_of(value: str, condition: str) -> str:
    """Return the value while the condition finds something; the label keeps the answers apart."""
    return f'label_replace(vector({value}) and on () ({condition}), "part", "{value}", "", "")'


def _numbers() -> list[AnyPanel]:
    servers = number(
        Text("Servers", "Servers that serve this model, and servers of the job that did not answer the last scrape. "
             "Those neither predict nor are they monitored. Bad: any server down, or fewer than were started.", PLAIN),
        Query(f"count(model_info{{{MODEL_IS}}}) or vector(0)", "up"), Query(DOWN, "down"),
        base=CRITICAL, steps=[(1, NORMAL)],
    )  # fmt: skip
    step_override(servers, "down", NORMAL, [(1, CRITICAL)])
    return [
        number(
            Text("Drift severity", "Severity of the model's drift on the server where it is worst. Bad: warning (a "
                 "significant change, large or of unknown size) or critical (significant, and PSI is above its "
                 "critical limit). Info is a significant but small change.", PLAIN),
            Query(SEVERITY, "severity"), names=SEVERITIES,
        ),
        number(
            Text("Drifted columns", "Columns with a significant and large change, of the columns that have a verdict. "
                 "Bad: any drifted column, or few evaluated ones.", PLAIN),
            Query(f"max(model_drifted_features{{{MODEL_IS}}})", "drifted"), Query(EVALUATED, "evaluated"),
        ),
        servers,
        number(
            Text("Monitoring", "Whether monitoring works on every server. Bad: a problem. /drift/status names it; "
                 "until it is solved verdicts rest on old or partial data.", PLAIN),
            Query(HEALTHY, "monitoring"), names={"1": ("healthy", NORMAL), "0": ("problem", CRITICAL)}, width=3,
        ),
    ]  # fmt: skip


def _firing() -> AnyPanel:
    panel = number(
        Text("Alerts firing", "Alerts that fire now, by severity; a warning is left out where the same alert is "
             "critical. Bad: critical (act now) and warning (look at it today).", PLAIN),
        Query(f"count({ALERTS['critical']}) or vector(0)", "critical"),
        Query(f"count({ALERTS['warning']}) or vector(0)", "warning"),
        steps=[(1, CRITICAL)], width=3,
    )  # fmt: skip
    step_override(panel, "warning", NORMAL, [(1, WARNING)])
    return panel


def _alerts() -> AnyPanel:
    panel = rows(
        Text("Firing alerts", "Alerts that fire now, the most severe first. The name links to the runbook, the "
             "feature to its dashboard. Watchdog always fires: it shows that alerts arrive. Bad: any other alert, and "
             "an empty table.", PLAIN),
        Query(f"{ALERTS['critical']} * 3 or {ALERTS['warning']} * 2 or {ALERTS['others']}", shape="table"),
        columns={
            "alertname": "alert", "severity": "severity", "model_name": "model", "model_version": "version",
            "feature_name": "feature", "instance": "instance",
        },
        width=24, height=6, largest_first="Value",
        empty="none, not even Watchdog: Prometheus has not loaded the alerts",
    )  # fmt: skip
    column(panel, "alert", links=link("Runbook", "${runbooks:raw}/${__value.raw}"))
    column(panel, "severity", mappings=mapping(SEVERITY_COLOURS), custom__cellOptions={"type": "color-text"})
    column(panel, "feature", links=link("Feature drift", feature_url("${__value.raw}")))
    return panel
