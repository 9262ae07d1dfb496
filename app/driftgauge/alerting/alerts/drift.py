"""Alerts on drift: they follow the severity of each column's verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import FEATURE, Alert
from driftgauge.alerting.alerts.templates import MODEL, asked, last
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.rules import Scope
from driftgauge.drift.reference.baseline import RESERVED
from driftgauge.drift.verdict.rule import LIMITS, SEVERITIES, Limit

SCORES: Final = "|".join(RESERVED)
COLUMNS: Final = (
    ("ModelFeatureDrift", "!~", "A feature has drifted from the reference"),
    ("ModelPredictionDrift", "=~", "The model's predictions have drifted from those on held-out rows"),
)
"""Name of the alert, how its columns match the scores' names, and the beginning of its summary."""
HOW: Final[dict[Limit, str]] = {
    "warning": ": the change is significant, and large or of unknown size.",
    "critical": ": the change is significant and very large.",
}


def drift_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on features and on the model's own scores."""
    for severity in LIMITS:
        for name, match, summary in COLUMNS:
            yield Alert(
                name,
                severity,
                _expr(options, severity, f'feature_name{match}"{SCORES}"'),
                options.hold,
                summary + HOW[severity],
                f"{{{{ $labels.feature_name }}}} of {MODEL} has drifted"
                + _since(options)
                + _evidence(options)
                + _size(options, severity),
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
    return f"max by ({scope.feature()}) ({lasting}) >= {level}"


def _since(options: MonitoringOptions) -> str:
    since = asked("min", last("model_feature_drift_since_timestamp_seconds{%s}", options), options)
    return f"{{{{ with {since} }}}} since {{{{ . | first | value | humanizeTimestamp }}}}{{{{ end }}}}."


def _evidence(options: MonitoringOptions) -> str:
    """Say how strong the evidence is, on the replica with the most."""
    evidence = asked("max", last("model_feature_evidence_log10{%s}", options), options)
    threshold = asked("min", last("model_feature_evidence_threshold_log10{%s}", options), options)
    number = '{{ . | first | value | printf "%.1f" }}'
    return (
        f"{{{{ with {evidence} }}}} Evidence (log10) is {number}"
        f"{{{{ with {threshold} }}}}, its threshold {number}{{{{ end }}}}.{{{{ end }}}}"
    )


def _size(options: MonitoringOptions, severity: Limit) -> str:
    """Say how large PSI is beside its limit, where that is most."""
    debiased = last("model_feature_psi_debiased{%s}", options)
    limit = last(f'model_feature_psi_threshold{{%s, severity="{severity}"}}', options)
    # Time windows have no limit, and windows with too few rows none that counts.
    filled = (
        f"and on ({Scope(options.by).model('instance', 'window')}) "
        f"{last('model_window_rows', options)} >= {last('model_window_required_rows', options)}"
    )
    largest = f"topk(1, {debiased} / ignoring (severity) {limit} {filled})"
    times = asked("max by (window)", largest, options)
    psi = asked("max", f"{debiased} and {largest}", options)
    number = '{{ . | first | value | printf "%.2f" }}'
    return (
        f"{{{{ with {psi} }}}} PSI is {number}{{{{ else }}}} There are too few rows for a PSI.{{{{ end }}}}"
        f'{{{{ with {times} }}}} in window {{{{ . | first | label "window" }}}}, {number} × its limit for {severity}.'
        "{{ end }}"
    )
