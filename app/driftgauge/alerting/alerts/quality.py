"""The alerts on constraints: in windows by the severity of each, in rows as they are sent by their share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import FEATURE, Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL, asked
from driftgauge.drift.verdict.rule import LIMITS, SEVERITIES, Limit
from driftgauge.metrics.series import FAILED, PREDICTIONS, REQUEST_ROWS_REFUSED, REQUEST_VIOLATIONS

CONSTRAINT: Final = "constraint"
RANGE: Final = "15m"
"""Range over which the share of violations among the rows of requests is taken."""
_ON: Final = "{{ with $labels.feature_name }}{{ . }}{{ else }}the rows{{ end }}"
"""The column of a constraint; one on whole rows has none."""


def quality_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on constraints."""
    ratio = f"last_over_time(model_feature_constraint_violation_ratio{{%s}}[{options.window}])"
    share = asked("max", ratio, options, CONSTRAINT)
    for severity in LIMITS:
        yield Alert(
            "ModelDataQuality",
            severity,
            _expr(options, severity),
            options.hold,
            f"Rows of {MODEL} violate the constraint {{{{ $labels.constraint }}}}.",
            f"More rows than in the reference violate this constraint on {_ON}{{{{ with {share} }}}}: "
            "{{ . | first | value | humanizePercentage }} of a window{{ end }}. /drift/status shows examples.",
            dashboard=FEATURE,
            keeps=("model_name", "model_version", "feature_name"),
            # A share that is close to its limit must not end and begin the alert with each window.
            keeps_firing=options.hold,
        )


def request_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on rows of requests that violate a constraint as they are sent."""
    scope = Scope(options.by)
    for severity in LIMITS:
        yield Alert(
            "ModelRequestViolations",
            severity,
            _sent(scope, options.window, severity),
            options.hold,
            f"Requests to {MODEL} violate the constraint {{{{ $labels.constraint }}}}.",
            f"{{{{ $value | humanizePercentage }}}} of the rows that were sent to {MODEL} in the last {RANGE} violate "
            "it. Rows that were refused are in no window; their answers name the field.",
            keeps=("model_name", "model_version"),
        )


def _sent(scope: Scope, window: str, severity: Limit) -> str:
    """Return the share of violations among the rows that all replicas were sent, where it is above its limit."""
    model = scope.model()

    def rows(name: str, labels: str = model) -> str:
        return f"sum by ({labels}) (increase({name}[{RANGE}]))"

    def limit(series: str) -> str:
        return f"on ({model}) group_left () max by ({model}) (last_over_time({series}[{window}]))"

    violations = rows(REQUEST_VIOLATIONS.name, scope.model(CONSTRAINT))
    sent = "\n    + ".join(rows(own.name) for own in (PREDICTIONS, FAILED, REQUEST_ROWS_REFUSED))
    above = limit(f'model_request_constraint_threshold_ratio{{severity="{severity}"}}')
    return (
        f"{violations}\n"
        f"  / on ({model}) group_left () (\n    {sent}\n  )\n"
        f"  >= {above}\n"
        f"  and (\n    {violations}\n    >= {limit('model_request_constraint_threshold_rows')}\n  )"
    )


def _expr(options: MonitoringOptions, severity: Limit) -> str:
    """Return violations of at least a severity, on the replica where they are worst."""
    scope, level = Scope(options.by), 1 + SEVERITIES.index(severity)
    lasting = f"min_over_time(model_feature_constraint_severity[{options.window}])"
    return f"max by ({scope.feature(CONSTRAINT)}) (\n  {lasting}\n  {scope.answering(options.window)}\n) >= {level}"
