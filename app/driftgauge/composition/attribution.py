"""Puts together the monitoring of a model, and what asks the model how its answers depend on its features."""

from __future__ import annotations

from collections.abc import Callable

from driftgauge.composition.monitoring import compose_model
from driftgauge.composition.states import version_folder
from driftgauge.composition.watched import WatchedModel
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.errors import SettingsError
from driftgauge.models.attributor import live_measure
from driftgauge.models.bundle import Bundle
from driftgauge.models.partial_dependence import DependenceProbe
from driftgauge.models.predictor import Predictor
from driftgauge.monitor.attribution_loop import AttributionLoop
from driftgauge.monitor.attributions import AttributionMonitor, AttributionOptions
from driftgauge.settings.options import Settings


def compose_explained(
    settings: Settings, model: WatchedModel, bundle: Bundle, predictor: Predictor, clock: Callable[[], float]
) -> ModelMonitoring:
    """Assemble the monitoring of a model that can be asked; SettingsError if its bundle lacks what the settings need.

    BundleError for a wrong model, StateError if its state must not be used.
    """
    _require_attributions(settings, bundle)
    monitoring = compose_model(settings, model, clock)
    monitoring.diagnoses.depends = DependenceProbe(predictor).of
    monitoring.attributions = _attribution_loop(settings, model, monitoring, bundle, predictor, clock)
    return monitoring


def _require_attributions(settings: Settings, bundle: Bundle) -> None:
    """Raise SettingsError if attributions are to be compared, and the bundle holds none."""
    if _is_on(settings) and bundle.attributions is None:
        raise SettingsError(
            f"attribution_seconds={settings.attribution_seconds:g}: the bundle of {bundle.info.name} holds no "
            "attributions: create it again without --no-importances, or set attribution_seconds=0. A model of free "
            "text, or one that fails on rows with replaced values, has none"
        )


def _attribution_loop(
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
