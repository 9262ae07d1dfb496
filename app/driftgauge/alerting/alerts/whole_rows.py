"""The alert on whole rows: it follows the severity of their difference, which needs `multivariate=verdict`."""

from __future__ import annotations

from collections.abc import Iterator

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL
from driftgauge.drift.verdict.rule import LIMITS, SEVERITIES


def whole_row_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on whole rows, on the replica where their difference is worst."""
    scope, window = Scope(options.by), options.window
    for severity in LIMITS:
        level = 1 + SEVERITIES.index(severity)
        lasting = f"min_over_time(model_multivariate_severity[{window}])"
        yield Alert(
            "ModelWholeRowDrift",
            severity,
            f"max by ({scope.model()}) (\n  {lasting}\n  {scope.answering(window)}\n) >= {level}",
            options.hold,
            f"Whole rows of {MODEL} can be told from the reference.",
            f"A classifier tells the newest rows of {MODEL} from those of the reference, and the whole interval of its "
            "AUC is above the limit. Columns may change together while each is as before. /drift/status names them.",
            keeps=("model_name", "model_version"),
        )
