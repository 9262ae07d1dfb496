"""Alerts on the monitoring itself: stale verdicts, lost rows, too few rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from driftgauge.alerting.alerts.alert import Alert
from driftgauge.alerting.options import MonitoringOptions, duration, milliseconds
from driftgauge.alerting.scope import Scope
from driftgauge.alerting.templates import MODEL, up

OF_A_MODEL: Final = ("model_name", "model_version")
WATCHDOG: Final = "Watchdog"
INSUFFICIENT_HOLDS: Final = 12
"""How many times longer than other alerts that on too few rows waits."""


def watcher_alerts(options: MonitoringOptions) -> Iterator[Alert]:
    """Yield the alerts on what watches the model."""
    scope = Scope(options.by)
    yield _unavailable(options, scope)
    yield _stale(options, scope)
    yield _dropped(scope)
    yield _insufficient(options, scope)
    yield Alert(
        WATCHDOG,
        "none",
        "vector(1)",
        "",
        "Always fires: it shows that alerts arrive.",
        "Prometheus evaluates rules and reaches Alertmanager. An outside service should raise the alarm when this "
        "alert stops arriving.",
    )


def insufficient_hold(options: MonitoringOptions) -> str:
    """Return how long windows have too few rows before the alert: new servers fill theirs meanwhile."""
    return duration(INSUFFICIENT_HOLDS * milliseconds(options.hold))


def _unavailable(options: MonitoringOptions, scope: Scope) -> Alert:
    return Alert(
        "ModelUnavailable",
        "critical",
        f"max by ({scope.job('model_name', 'instance')}) (max_over_time(model_available[{options.window}])) == 0",
        options.hold,
        "A model could not be loaded.",
        "{{ $labels.instance }} could not load {{ $labels.model_name }} when it started. Requests for it get 503; the "
        "other models are served.",
        keeps=("model_name", "instance"),
    )


def _stale(options: MonitoringOptions, scope: Scope) -> Alert:
    of_a_server, window = scope.model("instance"), options.window
    return Alert(
        "ModelEvaluationStale",
        "critical",
        f"time() - max by ({of_a_server}) (last_over_time(model_evaluation_timestamp_seconds[{window}]))\n"
        f"  > max by ({of_a_server}) (last_over_time(model_evaluation_age_threshold_seconds[{window}]))\n"
        f"  and on ({scope.job('instance')}) {up(options)}",
        options.hold,
        "Drift evaluation has stopped. The last verdict is stale.",
        f"{{{{ $labels.instance }}}} last evaluated {MODEL} {{{{ $value | humanizeDuration }}}} ago. "
        "Its drift metrics have not changed since.",
        keeps=(*OF_A_MODEL, "instance"),
    )


def _dropped(scope: Scope) -> Alert:
    return Alert(
        "ModelObservationsDropped",
        "warning",
        f"sum by ({scope.model('reason')}) (increase(model_observations_dropped_total[5m])) > 0",
        "",
        "Drift monitoring loses rows.",
        f"About {{{{ $value | humanize }}}} rows of {MODEL} were predicted in the last 5m but not monitored "
        "({{ $labels.reason }}).",
        keeps=OF_A_MODEL,
    )


def _insufficient(options: MonitoringOptions, scope: Scope) -> Alert:
    window = options.window
    required = f"last_over_time(model_window_required_rows[{window}])"
    return Alert(
        "ModelInsufficientData",
        "info",
        # Time windows require no rows, because no verdict rests on them: theirs do not count.
        f"max by ({scope.model()}) (\n"
        f"  max_over_time(model_window_rows[{window}])\n"
        f"  and on ({scope.model('instance', 'window')}) {required}\n"
        f")\n"
        f"  < max by ({scope.model()}) ({required})",
        insufficient_hold(options),
        "There are too few rows to judge the size of a change.",
        f"The sliding windows of {MODEL} hold at most {{{{ $value | humanize }}}} rows. That is too few to judge the "
        "size of a change, so drift is at most a warning, and missing and unseen values raise no alert.",
        keeps=OF_A_MODEL,
    )
