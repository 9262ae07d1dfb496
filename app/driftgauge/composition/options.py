"""From the settings of a model to the options of its monitor."""

from __future__ import annotations

from driftgauge.drift.reference.baseline import Baseline
from driftgauge.monitor.monitor import MonitorOptions
from driftgauge.settings.options import Settings
from driftgauge.settings.policies import policy_of


def monitor_options(settings: Settings, baseline: Baseline) -> MonitorOptions:
    """Return how a model is monitored. Raises SettingsError if the baseline contradicts the settings."""
    return MonitorOptions(
        policy=policy_of(settings, baseline),
        clock=settings.clock,
        max_event_ahead_seconds=settings.max_event_ahead_seconds,
    )
