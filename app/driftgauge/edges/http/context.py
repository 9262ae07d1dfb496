"""The parts of a server that its HTTP routes use, as `main.create_app` puts them together."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from fastapi import Request

from driftgauge.common.single_flight import SingleFlight
from driftgauge.edges.formats.infer_v2 import InferRequest
from driftgauge.edges.formats.predict_json import PredictRequest
from driftgauge.edges.http.access import Access
from driftgauge.edges.http.connection.connections import Connections
from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.edges.http.prediction_endpoint import PredictionEndpoint
from driftgauge.edges.http.request_metrics import HttpCounters
from driftgauge.models.bundle import BundleInfo, Label, Sample
from driftgauge.models.predictor import Predictor, check_samples
from driftgauge.monitor.capture import Capture
from driftgauge.monitor.problems import Problems
from driftgauge.serving.batcher import Batcher
from driftgauge.settings.options import Settings

TEST_KEPT_SECONDS: Final = 5.0
"""How long the answer of a test prediction is cached; the model's answers to its samples do not change."""


@dataclass
class ServerContext:
    """One server's parts."""

    settings: Settings
    monitoring: Monitoring
    info: BundleInfo
    predictor: Predictor
    batcher: Batcher
    predict: PredictionEndpoint[PredictRequest]
    infer: PredictionEndpoint[InferRequest]
    capture: Capture
    failures: Problems
    """Failures of the model: logged, and counted as failed predictions."""
    http: HttpCounters
    connections: Connections
    access: Access
    executor: Executor
    """Runs slow models: one thread, so that the event loop keeps running."""
    ready: bool = field(default=False)

    @cached_property
    def tested(self) -> SingleFlight[Sequence[tuple[Sample, Label, float, bool]]]:
        """The model's answers to its own samples, computed once at a time."""
        return SingleFlight(
            lambda: check_samples(self.predictor, self.info), self.executor, keep_seconds=TEST_KEPT_SECONDS
        )


def context_of(request: Request) -> ServerContext:
    """Return the context of the server that answers a request."""
    context: ServerContext = request.app.state.context
    return context
