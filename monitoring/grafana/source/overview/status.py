"""Is anything wrong?"""

from __future__ import annotations

from ..panels import PLAIN, SEVERITIES, AnyPanel, Text, column, feature_url, link, number, rows
from ..queries import MODEL_IS, SERVER_IS, Query, severity_or_none


def status() -> list[AnyPanel]:
    """Return the panels that answer it at a glance."""
    up = f"up{{{SERVER_IS}}}"
    return [
        number(
            Text("Servers up", "Servers that Prometheus reaches. Bad: fewer than were started; see Servers down."),
            Query(f"sum({up})", "up"), base="red", steps=[(1, "green")],
        ),
        number(
            Text("Servers down", "Servers that did not answer the last scrape. They neither predict nor are they "
                 "monitored. Bad: any."),
            Query(f"count({up}) - sum({up})", "down"), steps=[(1, "red")],
        ),
        *_verdict(),
        number(
            Text("Monitoring", "Whether monitoring works on every server. Bad: a problem. /drift/status names it; "
                 "until it is solved verdicts rest on old or partial data.", PLAIN),
            Query(f"min(model_monitoring_healthy{{{MODEL_IS}}})", "monitoring"),
            names={"1": ("healthy", "green"), "0": ("problem", "red")},
        ),
        _firing(),
        _alerts(),
    ]  # fmt: skip


def _verdict() -> list[AnyPanel]:
    evaluated = f"max(model_evaluated_features{{{MODEL_IS}}})"
    return [
        number(
            Text("Drift severity", "Severity of the model's drift on the server where it is worst. Bad: warning (a "
                 "significant change, large or of unknown size) or critical (significant, and PSI is above its "
                 "critical limit). Info is a significant but small change.", PLAIN),
            Query(severity_or_none(f"max(model_drift_severity{{{MODEL_IS}}})", evaluated), "severity"),
            names=SEVERITIES,
        ),
        number(
            Text("Drifted columns", "Columns with a significant and large change, of the columns that have a verdict. "
                 "Bad: any drifted column, or few evaluated ones."),
            Query(f"max(model_drifted_features{{{MODEL_IS}}})", "drifted"), Query(evaluated, "evaluated"),
        ),
    ]  # fmt: skip


def _firing() -> AnyPanel:
    firing = 'count(ALERTS{{alertstate="firing", job=~"$job|", severity="{}"}}) or vector(0)'
    return number(
        Text("Alerts firing", "Alerts that fire now, by severity. Bad: critical (act now) and warning (look at it "
             "today)."),
        Query(firing.format("critical"), "critical"), Query(firing.format("warning"), "warning"), steps=[(1, "red")],
    )  # fmt: skip


def _alerts() -> AnyPanel:
    panel = rows(
        Text("Firing alerts", "Alerts that fire now. The name links to the runbook, the feature to its dashboard. "
             "Watchdog always fires: it shows that alerts arrive. Bad: any other alert, and an empty table.", PLAIN),
        Query('ALERTS{alertstate="firing", job=~"$job|"}', shape="table"),
        columns={
            "alertname": "alert", "severity": "severity", "model_name": "model", "model_version": "version",
            "feature_name": "feature", "instance": "instance",
        },
        width=24, height=6,
    )  # fmt: skip
    column(panel, "alert", links=link("Runbook", "${runbooks:raw}/${__value.raw}"))
    column(panel, "feature", links=link("Feature drift", feature_url("${__value.raw}")))
    return panel
