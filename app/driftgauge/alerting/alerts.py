"""Alerts: what is wrong, for whom, since when, and what to read first.

Symptoms that users feel are critical; drift follows the verdict's severity. Limits are metrics, not
numbers in rules. A gauge is looked at over a window (`min_over_time`), so that one failed scrape
neither resets an alert nor hides it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote

from driftgauge.alerting.options import MonitoringOptions, duration, milliseconds
from driftgauge.alerting.rules import ERROR_RATIO, Scope
from driftgauge.drift.reference.baseline import RESERVED
from driftgauge.drift.verdict.report import CLEARED
from driftgauge.drift.verdict.rule import SEVERITIES
from driftgauge.errors import TURNED_AWAY

Level = Literal["critical", "warning", "info", "none"]

BURN_RATES: Final = (
    ("14.4", "1h", "5m", "2m", "critical"),
    ("6", "6h", "30m", "15m", "critical"),
    ("3", "1d", "2h", "1h", "warning"),
    ("1", "3d", "6h", "3h", "warning"),
)
"""How many times faster than allowed the error budget burns, over which windows, for how long, how bad.

Two windows each, a long one to be sure and a short one to be over soon: chapter 5 of the Site Reliability
Workbook, for a budget of 30 days.
"""
LATENCY_REQUESTS: Final = 20
"""Fewest requests that a 95th percentile is judged by."""
SCORES: Final = "|".join(RESERVED)
OVERVIEW: Final = "driftgauge-overview"
FEATURE: Final = "driftgauge-feature-drift"


@dataclass(frozen=True)
class Alert:
    """One alerting rule."""

    name: str
    severity: Level
    expr: str
    hold: str
    """`for`, or empty."""
    summary: str
    description: str
    dashboard: str = OVERVIEW
    keeps: tuple[str, ...] = ()
    """Labels of the alert that its dashboard and its page can be opened with."""
    labels: Mapping[str, str] = field(default_factory=dict)
    keeps_firing: str = ""
    """How long it goes on after its condition ended: `keep_firing_for`, or empty."""


def alert_rules(options: MonitoringOptions) -> dict[str, Any]:
    """Return the content of the alerting rules' file."""
    groups = {
        "driftgauge-server": _server(options),
        "driftgauge-drift": _drift(options),
        "driftgauge-data": _data(options),
        "driftgauge-monitoring": _monitoring(options),
    }
    return {
        "groups": [
            {"name": name, "rules": [_rule(alert, options) for alert in alerts]} for name, alerts in groups.items()
        ]
    }


def alert_names() -> tuple[str, ...]:
    """Return the names of all alerts, each once."""
    rules = [rule for group in alert_rules(MonitoringOptions())["groups"] for rule in group["rules"]]
    return tuple(dict.fromkeys(rule["alert"] for rule in rules))


def _rule(alert: Alert, options: MonitoringOptions) -> dict[str, Any]:
    page = f"{options.base_url.rstrip('/')}/drift/status"
    known = ("job", *alert.keeps) if alert.severity != "none" else ()
    query = "&".join(f"var-{label}={{{{ $labels.{label} | urlquery }}}}" for label in known)
    return {
        "alert": alert.name,
        "expr": alert.expr,
        **({"for": alert.hold} if alert.hold else {}),
        **({"keep_firing_for": alert.keeps_firing} if alert.keeps_firing else {}),
        "labels": {"severity": alert.severity, **alert.labels},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{options.runbooks}/{quote(alert.name)}",
            "dashboard_url": f"{options.grafana_url.rstrip('/')}/d/{alert.dashboard}" + (f"?{query}" if query else ""),
            "page_url": page + ("?model={{ $labels.model_name | urlquery }}" if "model_name" in alert.keeps else ""),
        },
    }


# ---------------------------------------------------------------- the server


def _server(options: MonitoringOptions) -> Iterator[Alert]:
    scope, up = Scope(options.by), f'up{{job="{options.job}"}}'
    down = _shorter(options.hold, "1m")
    yield Alert(
        "DriftgaugeDown",
        "critical",
        f"max by ({scope.job()}) ({up}) == 0\n  or absent({up})",
        down,
        "No server answers: no predictions, and nobody watches.",
        "No server of {{ $labels.job }} has answered Prometheus for " + _words(down) + ".",
    )
    yield Alert(
        "DriftgaugeServerDown",
        "warning",
        f"{up} == 0",
        down,
        "A server does not answer.",
        "{{ $labels.instance }} of {{ $labels.job }} has not answered Prometheus for " + _words(down) + ".",
        keeps=("instance",),
    )
    yield from _burn_rates(scope)
    yield from _latency(options, scope)
    yield _refused(options, scope)


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
            "{{ $value | humanizePercentage }} of the predict requests to {{ $labels.job }} failed in the last "
            f"{long}: {rate} times what the error budget allows, and it still goes on in the last {short}.",
            labels={"burn_rate": rate},
        )


def _latency(options: MonitoringOptions, scope: Scope) -> Iterator[Alert]:
    labels = scope.model("batch_size_bucket")
    bucket = "model_prediction_latency_seconds"
    for severity in SEVERITIES:
        limit = f'max by ({scope.model()}) (model_prediction_latency_threshold_seconds{{severity="{severity}"}})'
        yield Alert(
            "DriftgaugeLatencyHigh",
            severity,
            f"histogram_quantile(0.95, sum by ({labels}, le) (rate({bucket}_bucket[5m])))\n"
            f"  > on ({scope.model()}) group_left () {limit}\n"
            f"  and sum by ({labels}) (increase({bucket}_count[5m])) >= {LATENCY_REQUESTS}",
            options.hold,
            "Predictions are slow.",
            "95 % of the {{ $labels.batch_size_bucket }} requests to {{ $labels.model_name }} "
            "{{ $labels.model_version }} were predicted within {{ $value | humanizeDuration }}, which is above the "
            f"limit for {severity}.",
            keeps=("model_name", "model_version"),
        )


def _refused(options: MonitoringOptions, scope: Scope) -> Alert:
    """Return the alert on clients that find no place: other refusals are a client's own fault, or cost it nothing."""
    return Alert(
        "DriftgaugeConnectionsRefused",
        "warning",
        f"sum by ({scope.job('instance', 'reason')}) (\n"
        f'  increase(http_connections_refused_total{{reason=~"{"|".join(TURNED_AWAY)}"}}[5m])\n'
        f") > 0",
        options.hold,
        "Clients are turned away because all connections are in use.",
        "In the last 5m {{ $labels.instance }} of {{ $labels.job }} refused or cut off about {{ $value | humanize }} "
        "connections ({{ $labels.reason }}), because it had as many as it may have.",
        keeps=("instance",),
    )


# ---------------------------------------------------------------- drift


def _drift(options: MonitoringOptions) -> Iterator[Alert]:
    for severity in SEVERITIES:
        for name, which, summary in (
            ("ModelFeatureDrift", "!~", "The drift of a feature is {}: it is not what the model was trained on."),
            (
                "ModelPredictionDrift",
                "=~",
                "The drift of the model's answers is {}: they are not those on held-out rows.",
            ),
        ):
            yield Alert(
                name,
                severity,
                _verdict(options, severity, f'feature_name{which}"{SCORES}"'),
                options.hold,
                summary.format("real and big" if severity == "critical" else "real"),
                "{{ $labels.feature_name }} of {{ $labels.model_name }} {{ $labels.model_version }} has drifted: "
                + _how_sure(options)
                + _how_far(options, severity)
                + _since(options),
                dashboard=FEATURE,
                keeps=("model_name", "model_version", "feature_name"),
            )


def _verdict(options: MonitoringOptions, severity: str, which: str) -> str:
    """Return drift of at least a severity on some replica, valued by the severity of the worst.

    At least: the warning goes on beside the critical alert, which silences it, so that no change of severity
    leaves a gap in which neither fires. PSI is no part of it: drift that is real is a warning at any size and
    from any number of rows, also from so few that there is no PSI.
    """
    scope = Scope(options.by)
    level = 1 + SEVERITIES.index("critical" if severity == "critical" else "warning")
    held = f"min_over_time(model_feature_drift_severity{{{which}}}[{options.window}])"
    return f"max by ({scope.feature()}) ({held}) >= {level}"


def _how_sure(options: MonitoringOptions) -> str:
    """Say how strong the evidence is, on the replica that has most of it."""
    evidence = _asked("max", _last("model_feature_evidence_log10{%s}", options), options)
    limit = _asked("min", _last("model_feature_evidence_threshold_log10{%s}", options), options)
    power = '10^{{ . | first | value | printf "%.1f" }}'
    return (
        f"{{{{ with {evidence} }}}}evidence is {power}{{{{ end }}}}"
        f"{{{{ with {limit} }}}} against {power}, {{{{ end }}}}"
    )


def _how_far(options: MonitoringOptions, severity: str) -> str:
    """Say how large PSI is beside its threshold, in the windows that a verdict on that rests on."""
    debiased = _last("model_feature_psi_debiased{%s}", options)
    limit = _last(f'model_feature_psi_threshold{{%s, severity="{severity}"}}', options)
    # Windows of time have no threshold, and those with too few rows none that counts.
    filled = (
        f"and on ({Scope(options.by).model('instance', 'window')}) "
        f"{_last('model_window_rows', options)} >= {_last('model_window_required_rows', options)}"
    )
    times = _asked("max", f"{debiased} / ignoring (severity) {limit} {filled}", options)
    psi = _asked("max", f"{debiased} and ignoring (severity) {limit} {filled}", options)
    small = f"{{{{ if lt $times {CLEARED} }}}} (real but small){{{{ end }}}}" if severity == "warning" else ""
    return (
        f"{{{{ with {times} }}}}{{{{ $times := . | first | value }}}}"
        f'PSI is {{{{ $times | printf "%.2f" }}}} times its limit for {severity}'
        f'{{{{ with {psi} }}}}, {{{{ . | first | value | printf "%.2f" }}}} at most{{{{ end }}}}{small}'
        "{{ else }}too few rows for a PSI{{ end }}"
    )


def _since(options: MonitoringOptions) -> str:
    asked = _asked("min", _last("model_feature_drift_since_timestamp_seconds{%s}", options), options)
    return f"{{{{ with {asked} }}}}, since {{{{ . | first | value | humanizeTimestamp }}}}{{{{ end }}}}."


def _last(selector: str, options: MonitoringOptions) -> str:
    return f"last_over_time({selector}[{options.window}])"


def _asked(operation: str, series: str, options: MonitoringOptions) -> str:
    """Return a query of an alert's own feature, as an alert's template asks it; `%s` is where its labels go."""
    labels = (*options.by, "model_name", "model_version", "feature_name")
    matchers = ", ".join(f"{label}=%[{place}]q" for place, label in enumerate(labels, start=1))
    values = " ".join(f"$labels.{label}" for label in labels)
    text = f"{operation}({series.replace('%s', matchers)})"
    return f"printf `{text}` {values} | query"


# ---------------------------------------------------------------- the data


def _data(options: MonitoringOptions) -> Iterator[Alert]:
    for severity in SEVERITIES:
        for name, kind, summary, words in (
            ("ModelMissingValues", "missing", "More values are missing than in the reference.", "have no value"),
            (
                "ModelUnseenCategories",
                "unseen",
                "Values arrive that the reference does not have.",
                "have a value that the reference does not have",
            ),
        ):
            yield Alert(
                name,
                severity,
                _above(options, f"model_feature_{kind}_ratio", severity),
                options.hold,
                summary,
                "{{ $value | humanizePercentage }} of the rows of {{ $labels.feature_name }} at "
                f"{{{{ $labels.model_name }}}} {{{{ $labels.model_version }}}} {words}"
                + _limit(options, f"model_feature_{kind}_ratio_threshold", severity),
                dashboard=FEATURE,
                keeps=("model_name", "model_version", "feature_name"),
                # The drift that comes of it ends a little later, and is no news while this one lasts.
                keeps_firing=options.hold,
            )


def _above(options: MonitoringOptions, metric: str, severity: str) -> str:
    """Return where a ratio is above its limit, on some replica, in a window with as many rows as it requires.

    Windows of time require none: they have few rows or many, and no alert rests on them.
    """
    scope, window = Scope(options.by), options.window
    limit = f'last_over_time({metric}_threshold{{severity="{severity}"}}[{window}])'
    rows = f"min_over_time(model_window_rows[{window}]) >= last_over_time(model_window_required_rows[{window}])"
    # The limit is aggregated, for a replaced server's old series are in the range beside the new ones.
    return (
        f"max by ({scope.feature()}) (\n"
        f"  min_over_time({metric}[{window}])\n"
        f"  > on ({scope.feature('instance')}) group_left () max by ({scope.feature('instance')}) ({limit})\n"
        f"  and on ({scope.model('instance', 'window')}) {rows}\n"
        f")"
    )


def _limit(options: MonitoringOptions, metric: str, severity: str) -> str:
    asked = _asked("max", f'last_over_time({metric}{{%s, severity="{severity}"}}[{options.window}])', options)
    return (
        f"{{{{ with {asked} }}}}; the limit for {severity} is "
        "{{ . | first | value | humanizePercentage }}{{ end }}."
    )


# ---------------------------------------------------------------- the watcher itself


def _monitoring(options: MonitoringOptions) -> Iterator[Alert]:
    scope, window = Scope(options.by), options.window
    yield Alert(
        "ModelEvaluationStale",
        "critical",
        f"time() - max by ({scope.model('instance')}) (last_over_time(model_evaluation_timestamp_seconds[{window}]))\n"
        f"  > max by ({scope.model('instance')}) (last_over_time(model_evaluation_age_threshold_seconds[{window}]))\n"
        f'  and on ({scope.job("instance")}) up{{job="{options.job}"}}',
        options.hold,
        "Nobody judges the windows any more: the verdict is old.",
        "{{ $labels.instance }} last evaluated {{ $labels.model_name }} {{ $labels.model_version }} "
        "{{ $value | humanizeDuration }} ago. Its drift metrics are those of then.",
        keeps=("model_name", "model_version", "instance"),
    )
    yield Alert(
        "ModelObservationsDropped",
        "warning",
        f"sum by ({scope.model('reason')}) (increase(model_observations_dropped_total[5m])) > 0",
        "",
        "Monitoring loses rows.",
        "About {{ $value | humanize }} rows of {{ $labels.model_name }} {{ $labels.model_version }} were predicted in "
        "the last 5m but not watched: {{ $labels.reason }}.",
        keeps=("model_name", "model_version"),
    )
    yield Alert(
        "ModelEvidenceSkipped",
        "warning",
        f"sum by ({scope.model()}) (increase(model_observations_evidence_skipped_total[5m])) > 0",
        "",
        "Evidence does not take in all rows.",
        "About {{ $value | humanize }} rows of {{ $labels.model_name }} {{ $labels.model_version }} are in the windows "
        "but were not weighed in the last 5m: too many came between two evaluations. Drift that shows in them alone "
        "raises no evidence.",
        keeps=("model_name", "model_version"),
    )
    required = f"last_over_time(model_window_required_rows[{window}])"
    yield Alert(
        "ModelInsufficientData",
        "info",
        # Windows of time require no rows, because no verdict rests on them: theirs do not count.
        f"max by ({scope.model()}) (\n"
        f"  max_over_time(model_window_rows[{window}])\n"
        f"  and on ({scope.model('instance', 'window')}) {required}\n"
        f")\n"
        f"  < max by ({scope.model()}) ({required})",
        duration(12 * milliseconds(options.hold)),
        "Too few rows to say how big a drift is.",
        "The count windows of {{ $labels.model_name }} {{ $labels.model_version }} hold {{ $value | humanize }} rows "
        "at most, too few to say how big a drift is: it would be a warning at most. Missing and unseen values "
        "raise no alert.",
        keeps=("model_name", "model_version"),
    )
    yield Alert(
        "Watchdog",
        "none",
        "vector(1)",
        "",
        "Always fires: it shows that alerts arrive.",
        "Prometheus evaluates rules and Alertmanager takes them. Have something outside complain when this stops.",
    )


def _shorter(one: str, other: str) -> str:
    return min(one, other, key=milliseconds)


def _words(time: str) -> str:
    return duration(milliseconds(time))
