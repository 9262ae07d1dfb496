"""The models that a server predicts with: by name and version, one version of each being live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from driftgauge.common.single_flight import SingleFlight
from driftgauge.common.versions import Versions
from driftgauge.edges.formats.infer_v2 import InferRequest
from driftgauge.edges.formats.predict_json import PredictRequest
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.http.prediction_endpoint import PredictionEndpoint
from driftgauge.edges.http.request_metrics import MODEL_PREDICT, MODEL_PREDICT_LABEL, PREDICT, PREDICT_LABEL, handler
from driftgauge.models.bundle import BundleInfo, Label, Sample
from driftgauge.models.predictor import Predictor, check_samples
from driftgauge.monitor.capture import Capture
from driftgauge.monitor.problems import Problems
from driftgauge.serving.batcher import Batcher

TEST_KEPT_SECONDS: Final = 5.0
"""How long the answer of a test prediction is cached; the model's answers to its samples do not change."""
MODEL_PATHS: Final = ("/v2/models/{model_name}", "/v2/models/{model_name}/versions/{model_version}")
AnyEndpoint = PredictionEndpoint[Any]
Paths = Mapping[str, tuple[str, AnyEndpoint]]
"""By path of a POST request: the template of its route, and its endpoint."""


@dataclass
class ServedModel:
    """One model version's parts. It shares none of them with another."""

    info: BundleInfo
    predictor: Predictor
    batcher: Batcher
    predict: PredictionEndpoint[PredictRequest]
    infer: PredictionEndpoint[InferRequest]
    capture: Capture
    monitoring: ModelMonitoring
    failures: Problems
    """Failures of the model: logged, and counted as failed predictions."""
    executor: ThreadPoolExecutor
    """Runs slow models: one thread, so that the event loop keeps running."""
    scoring: ThreadPoolExecutor
    """Runs a slow detector of outliers after the answers."""
    predict_label: PredictionEndpoint[PredictRequest] | None = None
    """Answers with the names of classes; None for a regression, which has none."""
    outlier_threshold: float | None = None
    """Rows with a higher outlier score are outliers; None if answers do not say so."""
    outlier_samples: Sequence[float] = ()
    """The outlier scores of the samples that clients may see; empty if answers do not say so."""

    @property
    def model_name(self) -> str:
        """The model's name."""
        return self.info.name

    @property
    def model_version(self) -> str:
        """The model's version."""
        return self.info.version

    @property
    def max_rows(self) -> int:
        """Most rows of a request."""
        return self.monitoring.settings.max_rows

    @cached_property
    def tested(self) -> SingleFlight[Sequence[tuple[Sample, Label, float, bool]]]:
        """The model's answers to its own samples, computed once at a time."""
        return SingleFlight(
            lambda: check_samples(self.predictor, self.info), self.executor, keep_seconds=TEST_KEPT_SECONDS
        )

    def leave(self) -> None:
        """End its threads, save its state and give it back, once no request uses it; called off the event loop."""
        self.executor.shutdown()
        self.scoring.shutdown()  # the rows that wait are observed
        self.monitoring.leave()


class ServedModels(Versions[ServedModel]):
    """The served models, and the paths on which they predict."""

    def __init__(self, *, has_short_routes: bool = True) -> None:
        """`has_short_routes` says whether requests need no name of a model: not if the settings name several."""
        super().__init__()
        self.has_short_routes: Final = has_short_routes
        self.paths: Paths = {}
        """The fast path looks every prediction request up here; it is replaced as a whole."""

    def add(self, item: ServedModel) -> None:
        """Add a version; see `Versions.add`."""
        super().add(item)
        self.paths = paths_of(self)

    def make_live(self, name: str, version: str) -> None:
        """Make a version live; see `Versions.make_live`."""
        super().make_live(name, version)
        self.paths = paths_of(self)

    def remove(self, name: str, version: str) -> ServedModel:
        """Remove a version; see `Versions.remove`."""
        removed = super().remove(name, version)
        self.paths = paths_of(self)
        return removed


def paths_of(models: ServedModels) -> Paths:
    """Return the endpoints of prediction requests by path, which need no routing; only live versions have some."""
    live = models.all_live
    short = dict(_predicting(live[0], PREDICT, PREDICT_LABEL)) if models.has_short_routes and len(live) == 1 else {}
    named = dict(found for own in live for found in _predicting(own, MODEL_PREDICT, MODEL_PREDICT_LABEL))
    return {**short, **named, **dict(_inferring(live))}


def _predicting(model: ServedModel, route: str, label_route: str) -> Iterable[tuple[str, tuple[str, AnyEndpoint]]]:
    """Yield the paths of a model's predictions in our own format, each with the template of its route."""
    yield route.format(model_name=model.model_name), (route, model.predict)
    if model.predict_label is not None:
        yield label_route.format(model_name=model.model_name), (label_route, model.predict_label)


def _inferring(models: Iterable[ServedModel]) -> Iterable[tuple[str, tuple[str, AnyEndpoint]]]:
    """Yield each path of each model, with the template of its route and its endpoint."""
    for model in models:
        names = {"model_name": model.model_name, "model_version": model.model_version}
        for template in MODEL_PATHS:
            path = f"{template}/infer"
            yield path.format_map(names), (handler(path), model.infer)
