"""Alerts on the server: down, failing, slow, full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.efficiency import LATENCY_REQUESTS
from driftgauge.alerting.options import MonitoringOptions, duration, milliseconds
from driftgauge.alerting.rules import ERROR_RATIO
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL, up
from driftgauge.drift.verdict.rule import LIMITS
from driftgauge.errors import TURNED_AWAY

BURN_RATES: Final = (
    ("14.4", "1h", "5m", "2m", "critical"),
    ("6", "6h", "30m", "15m", "critical"),
    ("3", "1d", "2h", "1h", "warning"),
    ("1", "3d", "6h", "3h", "warning"),
)
"""Multiples of the rate that uses up the error budget in time: long window, short window, `for`, severity.

The long window makes sure, the short one ends the alert soon: chapter 5 of the Site Reliability Workbook, for a budget
of 30 days.
"""
DOWN_HOLD: Final = "1m"
"""Time that a server does not answer before an alert, if scrapes allow it."""
LIMITED_HOLD: Final = "15m"
"""Time for which a caller is limited before an alert: a client that sends a batch now and then is no problem."""
DISCOVERY: Final = "5s"
"""Time after its start until Prometheus knows its targets."""


def server_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on servers and their requests."""
    scope = Scope(options.by)
    yield from _down(options, scope)
    yield from _burn_rates(scope)
    yield from _latency(options, scope)
    yield _refused(options, scope)
    yield _limited(options, scope)


def down_hold(options: MonitoringOptions) -> str:
    """Return how long a server does not answer before an alert: longer than Prometheus takes to its first scrapes."""
    asked = min(milliseconds(options.hold), milliseconds(DOWN_HOLD))
    return duration(max(asked, milliseconds(DISCOVERY) + 2 * milliseconds(options.scrape_interval)))


def _down(options: MonitoringOptions, scope: Scope) -> Iterator[Alert]:
    hold, answers = down_hold(options), up(options)
    yield Alert(
        "DriftgaugeDown",
        "critical",
        f"max by ({scope.job()}) ({answers}) == 0\n  or absent({answers})",
        hold,
        "No server answers. Predictions and drift monitoring have stopped.",
        f"No server of {{{{ $labels.job }}}} has answered Prometheus for {hold}. "
        "Check that the servers run and that Prometheus reaches them.",
    )
    yield Alert(
        "DriftgaugeServerDown",
        "warning",
        f"{answers} == 0",
        hold,
        "A server does not answer.",
        f"{{{{ $labels.instance }}}} of {{{{ $labels.job }}}} has not answered Prometheus for {hold}.",
        keeps=("instance",),
    )


def _burn_rates(scope: Scope) -> Iterator[Alert]:
    budget = f"on ({scope.job()}) group_left () {{rate}} * max by ({scope.job()}) (http_requests_error_budget_ratio)"
    for rate, long, short, hold, severity in BURN_RATES:
        limit = budget.format(rate=rate)
        yield Alert(
            "DriftgaugeErrorBudgetBurn",
            "critical" if severity == "critical" else "warning",
            f"{ERROR_RATIO}{long} > {limit}\n  and {ERROR_RATIO}{short} > {limit}",
            hold,
            "Predictions fail faster than the error budget allows.",
            "{{ $value | humanizePercentage }} of the prediction requests to {{ $labels.job }} failed in the last "
            f"{long}, more than {rate} × what the error budget allows. The last {short} exceed it too.",
            labels={"burn_rate": rate},
        )


def _latency(options: MonitoringOptions, scope: Scope) -> Iterator[Alert]:
    labels = scope.model("batch_size_bucket")
    bucket = "model_prediction_latency_seconds"
    for severity in LIMITS:
        limit = f'max by ({scope.model()}) (model_prediction_latency_threshold_seconds{{severity="{severity}"}})'
        yield Alert(
            "DriftgaugeLatencyHigh",
            severity,
            f"histogram_quantile(0.95, sum by ({labels}, le) (rate({bucket}_bucket[5m])))\n"
            f"  > on ({scope.model()}) group_left () {limit}\n"
            f"  and sum by ({labels}) (increase({bucket}_count[5m])) >= {LATENCY_REQUESTS}",
            options.hold,
            "Predictions are slow.",
            "The 95th percentile of latency is {{ $value | humanizeDuration }} for {{ $labels.batch_size_bucket }} "
            f"requests to {MODEL}, above the limit for {severity}.",
            keeps=("model_name", "model_version"),
        )


def _refused(options: MonitoringOptions, scope: Scope) -> Alert:
    """Return the alert on clients that find no free connection.

    Other refusals are the client's fault, or cost it nothing.
    """
    return Alert(
        "DriftgaugeConnectionsRefused",
        "warning",
        f"sum by ({scope.job('instance', 'reason')}) (\n"
        f'  increase(http_connections_refused_total{{reason=~"{"|".join(TURNED_AWAY)}"}}[5m])\n'
        f") > 0",
        options.hold,
        "A server refuses clients because all its connections are in use.",
        "{{ $labels.instance }} of {{ $labels.job }} refused or closed about {{ $value | humanize }} connections in "
        "the last 5m ({{ $labels.reason }}), because it has reached its maximum.",
        keeps=("instance",),
    )


def _limited(options: MonitoringOptions, scope: Scope) -> Alert:
    """Return the alert on callers that have reached a limit of theirs for long."""
    return Alert(
        "DriftgaugeCallerLimited",
        "warning",
        f"sum by ({scope.job('instance', 'reason')}) (increase(http_requests_limited_total[5m])) > 0",
        LIMITED_HOLD,
        "A server has been refusing requests of a caller that reached its limit.",
        "{{ $labels.instance }} of {{ $labels.job }} answered about {{ $value | humanize }} requests with 429 in the "
        f"last 5m ({{{{ $labels.reason }}}}), and has done so for {LIMITED_HOLD}.",
        keeps=("instance",),
    )
