"""Parts of an alert's description, such as the queries in it."""

from __future__ import annotations

from typing import Final

from driftgauge.alerting.options import MonitoringOptions

MODEL: Final = "{{ $labels.model_name }} {{ $labels.model_version }}"
"""The model of an alert and its version."""


def last(selector: str, options: MonitoringOptions) -> str:
    """Return the query of a gauge's newest sample, also after a failed scrape."""
    return f"last_over_time({selector}[{options.window}])"


def asked(operation: str, series: str, options: MonitoringOptions) -> str:
    """Return a query about an alert's own feature; `%s` stands for its labels."""
    labels = (*options.by, "model_name", "model_version", "feature_name")
    matchers = ", ".join(f"{label}=%[{index}]q" for index, label in enumerate(labels, start=1))
    values = " ".join(f"$labels.{label}" for label in labels)
    text = f"{operation}({series.replace('%s', matchers)})"
    return f"printf `{text}` {values} | query"


def up(options: MonitoringOptions) -> str:
    """Return the selector of the servers' `up`.

    On Kubernetes it names the namespace, by which the operator routes alerts: an absent series would have none.
    """
    where = f', namespace="{options.namespace}"' if options.platform == "prometheus-operator" else ""
    return f'up{{job="{options.job}"{where}}}'
