"""The alert on attributions: other features decide than on the reference."""

from __future__ import annotations

from collections.abc import Iterator

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL


def attribution_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alert on the ranking of features by what they contribute, on the replica where it is worst."""
    scope, window = Scope(options.by), options.window
    model, own = scope.model(), scope.model("instance")
    known = f'last_over_time(model_attribution_ndcg_threshold{{severity="warning"}}[{window}])'
    yield Alert(
        "ModelAttributionDrift",
        "warning",
        f"min by ({model}) (\n"
        f"  max_over_time(model_attribution_ndcg[{window}])\n"
        f"  < on ({own}) group_left () max by ({own}) ({known})\n"
        f"  {scope.answering(window)}\n"
        f")",
        options.hold,
        f"Other features decide the scores of {MODEL}.",
        f"The features that contribute most to the scores of {MODEL} are no longer those of the reference (NDCG "
        '{{ printf "%.2f" $value }}). /drift/status names the features whose share has changed.',
        keeps=("model_name", "model_version"),
    )
