"""Alerts on drift: they follow the severity of each column's verdict, and of its change within the last days."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import FEATURE, Alert
from driftgauge.alerting.drift_details import details_text
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL, asked
from driftgauge.drift.reference.baseline import RESERVED
from driftgauge.drift.verdict.rule import LIMITS, SEVERITIES, Limit

SCORES: Final = "|".join(RESERVED)
ROLLING: Final = {"reference": "rolling"}
"""The label of the reference that is made of the last days."""
COLUMNS: Final = (
    ("ModelFeatureDrift", "!~", f"{{{{ $labels.feature_name }}}} of {MODEL} has drifted from the reference."),
    ("ModelPredictionDrift", "=~", f"The predictions of {MODEL} have drifted from those on held-out rows."),
)
"""Name of the alert, how its columns match the scores' names, and its summary."""


def drift_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on features and on the model's own scores, and on changes within the last days."""
    for severity in LIMITS:
        for name, match, summary in COLUMNS:
            yield Alert(
                name,
                severity,
                _expr(options, severity, f'feature_name{match}"{SCORES}"'),
                options.hold,
                summary,
                details_text(options),
                dashboard=FEATURE,
                keeps=("model_name", "model_version", "feature_name"),
            )
    yield _recent_change(options)
    yield _gradual_drift(options)


def _recent_change(options: MonitoringOptions) -> Alert:
    """Return the alert on columns that differ from the rolling reference, by size alone: a warning and never more."""
    scope, window = Scope(options.by), options.window
    rolling = ", ".join(f'{label}="{value}"' for label, value in ROLLING.items())
    lasting = f"min_over_time(model_reference_feature_drift_severity{{{rolling}}}[{window}])"
    level = 1 + SEVERITIES.index("warning")
    relative = (
        f"last_over_time(model_reference_feature_psi_debiased{{%s, {rolling}}}[{window}]) / ignoring (severity) "
        f'last_over_time(model_reference_feature_psi_threshold{{%s, {rolling}, severity="warning"}}[{window}])'
    )
    value = "{{ . | first | value | printf `%.1f` }}"
    return Alert(
        "ModelRecentChange",
        "warning",
        f"max by ({scope.feature()}) (\n  {lasting}\n  {scope.answering(window)}\n) >= {level}",
        options.hold,
        f"{{{{ $labels.feature_name }}}} of {MODEL} has changed within the last days.",
        f"Its values differ from those of the last days{{{{ with {asked('max', relative, options)} }}}}: "
        f"{value} times the limit of PSI{{{{ end }}}}. "
        f"Whether they differ from the reference of {MODEL}, other alerts say.",
        dashboard=FEATURE,
        keeps=("model_name", "model_version", "feature_name"),
        labels=ROLLING,
    )


def _gradual_drift(options: MonitoringOptions) -> Alert:
    """Return the alert on columns that drift over weeks: a warning and never more."""
    scope, window = Scope(options.by), options.window
    lasting = f"min_over_time(model_long_window_feature_drift_severity[{window}])"
    level = 1 + SEVERITIES.index("warning")
    relative = (
        f"last_over_time(model_long_window_feature_psi_debiased{{%s}}[{window}]) / ignoring (severity) "
        f'last_over_time(model_long_window_feature_psi_threshold{{%s, severity="warning"}}[{window}])'
    )
    value = "{{ . | first | value | printf `%.1f` }}"
    return Alert(
        "ModelGradualDrift",
        "warning",
        f"max by ({scope.feature()}) (\n  {lasting}\n  {scope.answering(window)}\n) >= {level}",
        options.hold,
        f"{{{{ $labels.feature_name }}}} of {MODEL} has drifted over weeks.",
        f"Its values over a week or more differ from the reference{{{{ with {asked('max', relative, options)} }}}}: "
        f"{value} times the limit of PSI in the window where they differ most{{{{ end }}}}. "
        "Shorter windows may not show it.",
        dashboard=FEATURE,
        keeps=("model_name", "model_version", "feature_name"),
    )


def _expr(options: MonitoringOptions, severity: Limit, columns: str) -> str:
    """Return drift of at least a severity, on the replica where it is worst.

    At least: the warning goes on beside the critical alert, which silences it, so that no change of severity leaves a
    gap in which neither fires. PSI is no part of it: a significant change is a warning from any number of rows, also
    from too few for a PSI. One that is known to be small has severity info, for which no alert fires.
    """
    scope, level = Scope(options.by), 1 + SEVERITIES.index(severity)
    lasting = f"min_over_time(model_feature_drift_severity{{{columns}}}[{options.window}])"
    return f"max by ({scope.feature()}) (\n  {lasting}\n  {scope.answering(options.window)}\n) >= {level}"
