"""Puts a model version together as a server serves it: what predicts, what monitors, and what answers requests."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from threadpoolctl import threadpool_limits

from driftgauge.composition.attribution import compose_explained
from driftgauge.composition.outliers import OutlierScoring
from driftgauge.composition.watched import WatchedModel
from driftgauge.edges.formats.features import FeatureDecoder
from driftgauge.edges.formats.infer_v2 import InferRequest
from driftgauge.edges.formats.large.extent import Extent
from driftgauge.edges.formats.predict_json import AnswerStyle, PredictRequest
from driftgauge.edges.http.access import Access
from driftgauge.edges.http.body_reader import BodyReader
from driftgauge.edges.http.infer import InferV2
from driftgauge.edges.http.predict import PredictJson
from driftgauge.edges.http.prediction_endpoint import Codec, DecodedRequest, PredictionEndpoint
from driftgauge.edges.http.served_models import ServedModel
from driftgauge.edges.http.traced import traced_codec
from driftgauge.models.bundle import Bundle, BundleInfo
from driftgauge.models.predictor import Predictor, verify
from driftgauge.monitor.capture import Capture
from driftgauge.monitor.problems import Problems
from driftgauge.serving.batcher import Batcher, BatchLimits
from driftgauge.serving.latency_probe import LatencyModel, measure_latency
from driftgauge.serving.outliers import OutlierScorer
from driftgauge.settings.options import Settings

R = TypeVar("R", bound=DecodedRequest)


def load_model(
    settings: Settings, bundle: Bundle, access: Access, clock: Callable[[], float], service: int | None = None
) -> ServedModel:
    """Make all parts of one model version from its bundle, at the start or beside others that are served.

    It takes seconds, so it is called off the event loop. `ServerContext.install` then serves it, the tasks of its
    `monitoring.work()` are started, and `ServedModel.leave` ends it. BundleError for a wrong model, StateError if its
    state must not be used.
    """
    predictor = _verified(bundle)
    watched = WatchedModel.of_bundle(settings, bundle, service)
    monitoring = compose_explained(settings, watched, bundle, predictor, clock)
    executor = _model_thread(settings)
    outliers = OutlierScoring.of(settings, bundle.baseline, monitoring)
    capture = Capture(
        monitoring.monitor, monitoring.problems, watching=settings.monitoring_enabled, later=outliers.later
    )
    batcher = _batcher(settings, predictor, capture, executor, outliers.scorer(monitoring))
    monitoring.publisher.model_queue = lambda: (batcher.queued_requests, batcher.queued_rows)
    failures = Problems(clock)
    endpoint = partial(
        PredictionEndpoint,
        reader=BodyReader(settings.max_body_bytes, settings.max_pending_bytes, settings.max_queued_rows),
        extent=Extent(settings.max_rows, len(bundle.info.features)),
        batcher=batcher,
        predictor=predictor,
        capture=capture,
        failures=failures,
        clock=clock,
        access=access,
        shares=access.shares(settings.max_queued_requests, settings.max_queued_rows),
    )
    codecs = _Codecs.of(settings, bundle, outliers.threshold)
    return ServedModel(
        info=bundle.info,
        predictor=predictor,
        batcher=batcher,
        predict=endpoint(codecs.predict()),
        infer=endpoint(codecs.infer()),
        capture=capture,
        monitoring=monitoring,
        failures=failures,
        executor=executor,
        scoring=outliers.thread,
        predict_label=endpoint(codecs.predict_label()) if bundle.info.classes else None,
        outlier_threshold=outliers.threshold,
        outlier_samples=outliers.samples(predictor),
    )


@dataclass(frozen=True)
class _Codecs:
    """The wire formats in which a model is asked; they tell the spans of predictions where requests are traced."""

    settings: Settings
    info: BundleInfo
    decoder: FeatureDecoder
    outlier_threshold: float | None

    @classmethod
    def of(cls, settings: Settings, bundle: Bundle, outlier_threshold: float | None) -> _Codecs:
        """Return the wire formats of a bundle's model."""
        required = () if bundle.constraints is None else bundle.constraints.required
        return cls(settings, bundle.info, FeatureDecoder(bundle.info, required), outlier_threshold)

    def predict(self) -> Codec[PredictRequest]:
        """Answers of `POST /predict`."""
        return self._json(AnswerStyle(self.outlier_threshold, jobs=self.settings.job_ids))

    def predict_label(self) -> Codec[PredictRequest]:
        """Answers of `POST /predict/label`, with the names of classes."""
        return self._json(AnswerStyle(self.outlier_threshold, jobs=True, names=True))

    def infer(self) -> Codec[InferRequest]:
        """Answers of `POST /v2/models/{name}/infer`."""
        return self._traced(InferV2(self.decoder, self.info, self.settings.max_rows, self.outlier_threshold))

    def _json(self, style: AnswerStyle) -> Codec[PredictRequest]:
        return self._traced(PredictJson(self.decoder, self.info, self.settings.max_rows, style))

    def _traced(self, codec: Codec[R]) -> Codec[R]:
        return traced_codec(codec, self.info, is_on=self.settings.otlp_endpoint is not None)


def _verified(bundle: Bundle) -> Predictor:
    predictor = Predictor(bundle)
    verify(predictor, bundle.info)
    return predictor


def _model_thread(settings: Settings) -> ThreadPoolExecutor:
    """Return the thread of slow predictions; the OpenMP limit holds for the thread that sets it."""
    return ThreadPoolExecutor(
        1, thread_name_prefix="model", initializer=threadpool_limits, initargs=(settings.model_threads,)
    )


def _batcher(
    settings: Settings, predictor: Predictor, capture: Capture, executor: Executor, outliers: OutlierScorer | None
) -> Batcher:
    return Batcher(
        predictor,
        capture,
        _latency(settings, predictor, predictor.info),
        executor,
        BatchLimits(settings.max_batch_rows, settings.max_queued_requests, settings.max_queued_rows),
        by_event=settings.clock == "event" and settings.monitoring_enabled,
        outliers=outliers,
    )


def _latency(settings: Settings, predictor: Predictor, info: BundleInfo) -> LatencyModel:
    with threadpool_limits(settings.model_threads):
        return measure_latency(predictor, info)
