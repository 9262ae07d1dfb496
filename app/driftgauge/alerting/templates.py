"""Parts of an alert's description, such as the queries in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import MODEL as MODEL_LABELS
from driftgauge.metrics.series import ABOUT_LABELS

MODEL: Final = "{{ $labels.model_name }} {{ $labels.model_version }}"
"""The model of an alert and its version."""


def last(selector: str, options: MonitoringOptions) -> str:
    """Return the query of a gauge's newest sample, also after a failed scrape."""
    return f"last_over_time({selector}[{options.window}])"


def asked(operation: str, series: str, options: MonitoringOptions, *more: str) -> str:
    """Return a query about an alert's own feature; `%s` stands for its labels, of which there may be more."""
    return _query(f"{operation}({series})", (*options.by, *MODEL_LABELS, "feature_name", *more))


def owner(options: MonitoringOptions) -> str:
    """Return the text that says whom to ask about an alert's model: `Fraud team, fraud@example.org, https://…`.

    It is empty if the bundle does not state it. Replicas that state different things follow each other.
    """
    series = f"group by ({', '.join(ABOUT_LABELS)}) ({last('model_info{%s}', options)})"
    found = f'{_query(series, (*options.by, *MODEL_LABELS))} | sortByLabel "{ABOUT_LABELS[0]}"'
    texts = "".join(
        f'{{{{ with .Labels.{label} }}}}{{{{ $before }}}}{{{{ . }}}}{{{{ $before = ", " }}}}{{{{ end }}}}'
        for label in ABOUT_LABELS
    )
    next_replica = '{{ if $before }}{{ $before = "; " }}{{ end }}'
    return f'{{{{ $before := "" }}}}{{{{ range {found} }}}}{texts}{next_replica}{{{{ end }}}}'


def _query(promql: str, labels: Sequence[str]) -> str:
    """Return a query about the values that an alert has for some labels; `%s` stands for the matchers."""
    matchers = ", ".join(f"{label}=%[{index}]q" for index, label in enumerate(labels, start=1))
    values = " ".join(f"$labels.{label}" for label in labels)
    return f"printf `{promql.replace('%s', matchers)}` {values} | query"


def up(options: MonitoringOptions) -> str:
    """Return the selector of the servers' `up`.

    On Kubernetes it names the namespace, by which the operator routes alerts: an absent series would have none.
    """
    where = f', namespace="{options.namespace}"' if options.platform == "prometheus-operator" else ""
    return f'up{{job="{options.job}"{where}}}'
