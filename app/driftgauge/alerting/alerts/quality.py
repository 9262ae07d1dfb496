"""The alert on constraints: it follows the severity of each constraint's violations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import FEATURE, Alert
from driftgauge.alerting.alerts.templates import MODEL, asked
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.drift.verdict.rule import LIMITS, SEVERITIES, Limit

CONSTRAINT: Final = "constraint"
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


def _expr(options: MonitoringOptions, severity: Limit) -> str:
    """Return violations of at least a severity, on the replica where they are worst."""
    scope, level = Scope(options.by), 1 + SEVERITIES.index(severity)
    lasting = f"min_over_time(model_feature_constraint_severity[{options.window}])"
    return f"max by ({scope.feature(CONSTRAINT)}) (\n  {lasting}\n  {scope.answering(options.window)}\n) >= {level}"
