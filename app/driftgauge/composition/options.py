"""From the settings of a model to the options of its monitor."""

from __future__ import annotations

from driftgauge.drift.novelty.attach import watching_outliers
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.errors import BaselineError, SettingsError
from driftgauge.monitor.monitor import MonitorOptions
from driftgauge.settings.options import Settings
from driftgauge.settings.policies import policy_of


def monitor_options(settings: Settings, baseline: Baseline) -> MonitorOptions:
    """Return how a model is monitored. Raises SettingsError if the baseline contradicts the settings."""
    try:
        watched = watching_outliers(baseline) if settings.outliers else baseline
    except BaselineError as error:
        raise SettingsError(str(error)) from error
    return MonitorOptions(
        policy=policy_of(settings, watched),
        clock=settings.clock,
        max_event_ahead_seconds=settings.max_event_ahead_seconds,
        outliers=settings.outliers,
    )
