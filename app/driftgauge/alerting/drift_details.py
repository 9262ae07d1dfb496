"""Recording rules behind the texts of drift alerts: one series for each detail of a column's significant change.

An alert finds all of its column's details with one query, and tells them apart by the label `detail`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import last

PREFIX: Final = "feature:model_feature_drift_"
MOVED: Final = f"{PREFIX}moved_ratio:max"
MOVED_REFERENCE: Final = f"{PREFIX}moved_reference_ratio:max"
MEAN: Final = f"{PREFIX}mean:max"
MEAN_REFERENCE: Final = f"{PREFIX}reference_mean:max"
SINCE: Final = f"{PREFIX}since_timestamp_seconds:min"
SIZE: Final = f"{PREFIX}size_ratio:max"
UNSIZED: Final = f"{PREFIX}unsized:max"
DIGITS: Final = "0.001"
"""Precision of a recorded share: a tenth of a percent."""

NOTHING: Final = "No details are recorded yet."
"""The text of an alert without details."""


@dataclass(frozen=True)
class Detail:
    """One recording rule, and how the text of an alert says its value."""

    record: str
    expr: str
    label: str
    """Its value of the label `detail`; the text has the details in the order of their labels."""
    text: str
    """What a template says of a sample: its `.Value` and its `.Labels`."""


def drift_details(options: MonitoringOptions) -> Iterator[Detail]:
    """Yield the details of a significant change, in the order of their labels."""
    scope = Scope(options.by)
    column, of_it = scope.feature(), f"on ({scope.feature()})"
    share, percentage = "model_feature_moved_ratio", "{{ .Value | humanizePercentage }}"
    mean, number = last('model_feature_value{stat="mean"}', options), '{{ .Value | printf "%.4g" }}'
    yield Detail(MOVED, _newest_share(scope, share, options), "1_moved", f"{percentage} of rows {{{{ .Labels.rows }}}}")
    yield Detail(
        MOVED_REFERENCE,
        f"max by ({scope.feature('rows')}) (round({last('model_feature_moved_reference_ratio', options)}, {DIGITS}))\n"
        f"  and on ({scope.feature('rows')}) {MOVED}",
        "2_moved_reference",
        f" (reference: {percentage}). ",
    )
    yield Detail(
        MEAN,
        f"max by ({column}) ({mean} {_significant(scope, options)})\n  unless {of_it} {MOVED}",
        "3_mean",
        f"mean {number}",
    )
    yield Detail(
        MEAN_REFERENCE,
        f"max by ({column}) ({last('model_feature_reference_mean', options)})\n  and {of_it} {MEAN}",
        "4_mean_reference",
        f" (reference: {number}). ",
    )
    yield Detail(
        SINCE,
        f"min by ({column}) ({last('model_feature_drift_since_timestamp_seconds', options)})",
        "5_since",
        "Since {{ .Value | humanizeTimestamp }}.",
    )
    yield Detail(SIZE, _size(scope, options), "6_size", ' The change is {{ .Value | printf "%.1f" }} times its limit.')
    yield Detail(
        UNSIZED,
        f"max by ({column}) ({last('model_feature_drift_severity', options)} > 0)\n  unless {of_it} {SIZE}",
        "7_unsized",
        " There are too few rows to judge the size of the change.",
    )


def _significant(scope: Scope, options: MonitoringOptions) -> str:
    """Keep the columns of a server that have a significant change."""
    return f"and on ({scope.feature('instance')}) {last('model_feature_drift_severity', options)} > 0"


def _newest_share(scope: Scope, share: str, options: MonitoringOptions) -> str:
    """Return the largest share that servers name now; after a failed scrape, that which they named before."""
    largest = f"topk by ({scope.feature()}) (1, max by ({scope.feature('rows')}) (round({{series}}, {DIGITS})))"
    now, before = (largest.format(series=series) for series in (share, last(share, options)))
    return f"{now}\n  or on ({scope.feature()}) {before}"


def _size(scope: Scope, options: MonitoringOptions) -> str:
    """Return the largest change relative to its limit for a warning, in the windows that have enough rows.

    It is that of PSI, where no other statistic judges the column.
    """
    debiased = last("model_feature_psi_debiased", options)
    limit = last('model_feature_psi_threshold{severity="warning"}', options)
    filled = f"{last('model_window_rows', options)} >= {last('model_window_required_rows', options)}"
    return (
        f"max by ({scope.feature()}) (\n"
        f"  ({debiased} / ignoring (severity) {limit} or {last('model_feature_drift_score', options)})\n"
        f"  and on ({scope.model('instance', 'window')}) {filled}\n"
        f"  {_significant(scope, options)}\n"
        f")"
    )


def details_text(options: MonitoringOptions) -> str:
    """Return the template of the details of an alert's own column, as one sentence after the other."""
    labels = (*options.by, "model_name", "model_version", "feature_name")
    matchers = ", ".join(f"{label}=%q" for label in labels)
    values = " ".join(f"$labels.{label}" for label in labels)
    found = f'printf `{{__name__=~"{PREFIX}.+", {matchers}}}` {values} | query | sortByLabel "detail"'
    words = [f'if eq .Labels.detail "{detail.label}" }}}}{detail.text}' for detail in drift_details(options)]
    return f"{{{{ range {found} }}}}{{{{ {'{{ else '.join(words)}{{{{ end }}}}{{{{ else }}}}{NOTHING}{{{{ end }}}}"
