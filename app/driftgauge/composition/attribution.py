"""Puts together what compares the attributions of live rows with those that the bundle holds."""

from __future__ import annotations

from collections.abc import Callable

from driftgauge.composition.states import version_folder
from driftgauge.composition.watched import WatchedModel
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.errors import SettingsError
from driftgauge.models.attributor import live_measure
from driftgauge.models.bundle import Bundle
from driftgauge.models.predictor import Predictor
from driftgauge.monitor.attribution_loop import AttributionLoop
from driftgauge.monitor.attributions import AttributionMonitor, AttributionOptions
from driftgauge.settings.options import Settings


def require_attributions(settings: Settings, bundle: Bundle) -> None:
    """Raise SettingsError if attributions are to be compared, and the bundle holds none."""
    if _is_on(settings) and bundle.attributions is None:
        raise SettingsError(
            f"attribution_seconds={settings.attribution_seconds:g}: the bundle of {bundle.info.name} holds no "
            "attributions: create it again without --no-importances, or set attribution_seconds=0. A model of free "
            "text, or one that fails on rows with replaced values, has none"
        )


def attribution_loop(
    settings: Settings,
    model: WatchedModel,
    monitoring: ModelMonitoring,
    bundle: Bundle,
    predictor: Predictor,
    clock: Callable[[], float],
) -> AttributionLoop | None:
    """Return what compares the attributions of a model; None if that is off."""
    if not _is_on(settings) or bundle.attributions is None:
        return None
    options = AttributionOptions(settings.attribution_seconds, settings.attribution_ndcg_threshold)
    measure = live_measure(predictor, bundle.attributions.method)
    folder = version_folder(model, monitoring.store)
    compared = AttributionMonitor(monitoring.monitor, bundle.attributions, measure, folder, options)
    return AttributionLoop(compared, monitoring.problems, clock)


def _is_on(settings: Settings) -> bool:
    return settings.attribution_seconds > 0.0 and settings.monitoring_enabled
