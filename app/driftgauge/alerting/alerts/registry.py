"""Alerts on the alias of a registered model that servers follow."""

from __future__ import annotations

from collections.abc import Iterator

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.options import MonitoringOptions
from driftgauge.alerting.scope import MODEL as OF_A_MODEL
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL

NAME = "ModelAliasNotFollowed"
SUMMARY = "A server does not serve the version that the alias of its registered model names."


def registry_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on a version that is not loaded, and on a registry that does not answer."""
    of_a_server, window = Scope(options.by).model("instance"), options.window
    yield Alert(
        NAME,
        "warning",
        f"max by ({of_a_server}) (max_over_time(model_alias_followed[{window}])) == 0",
        options.hold,
        SUMMARY,
        f"{{{{ $labels.instance }}}} still serves {MODEL}: it could not load the version that the alias names.",
        keeps=(*OF_A_MODEL, "instance"),
        labels={"cause": "version"},
    )
    yield Alert(
        NAME,
        "warning",
        f"time() - max by ({of_a_server}) (last_over_time(model_alias_answer_timestamp_seconds[{window}]))\n"
        f"  > max by ({of_a_server}) (last_over_time(model_alias_answer_age_threshold_seconds[{window}]))",
        options.hold,
        SUMMARY,
        f"MLflow last told {{{{ $labels.instance }}}} {{{{ $value | humanizeDuration }}}} ago which version the alias "
        f"names. It serves {MODEL}.",
        keeps=(*OF_A_MODEL, "instance"),
        labels={"cause": "registry"},
    )
