"""From the settings of a model to the policy of its verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.drift.verdict.sizes import unusable
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.errors import SettingsError
from driftgauge.settings.features import require_kinds, require_known
from driftgauge.settings.options import Settings

if TYPE_CHECKING:  # importing it would delay `--help`
    from driftgauge.drift.reference.baseline import Baseline


def policy_of(settings: Settings, baseline: Baseline) -> Policy:
    """Return how a model is judged. Raises SettingsError if the baseline contradicts the settings."""
    policy = Policy(
        windows=settings.windows,
        time_windows=tuple(map(TimeSpan.named, settings.time_windows)),
        max_age_seconds=settings.max_age_seconds,
        psi_thresholds=(settings.psi_threshold_warning, settings.psi_threshold_critical),
        columns=_column_policies(settings, baseline),
        budget=Budget(
            false_alarm_rows=settings.false_alarm_rows,
            false_alarm_interval_seconds=settings.false_alarm_interval_seconds,
            tolerance=settings.evidence_tolerance_ratio,
        ),
        missing_thresholds=(settings.missing_threshold_warning, settings.missing_threshold_critical),
        unseen_thresholds=(settings.unseen_threshold_warning, settings.unseen_threshold_critical),
        alert_on_small=settings.alert_on_small,
        learning_seconds=settings.learning_seconds,
        statistic=settings.statistic,
        size_thresholds=settings.statistic_thresholds,
        drift_share=settings.drift_share,
        two_minutes=settings.preset == "two-minutes",
    )
    if why := unusable(policy, baseline):
        raise SettingsError(f"statistic: {why}")
    return policy


def _column_policies(settings: Settings, baseline: Baseline) -> Mapping[str, ColumnPolicy]:
    """Return what is different for single columns. Raises SettingsError if the baseline contradicts it."""
    pairs, features = settings.psi_thresholds_by_feature, settings.features
    require_known("psi_thresholds_by_feature", pairs, baseline)
    require_known("features", features, baseline)
    require_kinds(features, baseline)
    columns = {name: own.policy for name, own in features.items()}
    columns |= {name: replace(columns.get(name, ColumnPolicy()), psi_thresholds=pair) for name, pair in pairs.items()}
    if not Policy(columns=columns).monitored(baseline.names).any():
        raise SettingsError("features: at least one column must be monitored; monitoring_enabled = false turns all off")
    return columns
