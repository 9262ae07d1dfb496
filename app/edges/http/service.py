"""What the HTTP edge works with: the parts that `main.create_app` put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from fastapi import Request

from app.batching import Batcher
from app.bundles import BundleInfo
from app.capture import Capture
from app.edges.formats.infer_v2 import InferRequest
from app.edges.formats.predict_json import PredictRequest
from app.edges.http.measure import HttpCounters
from app.edges.http.operation import Operation
from app.errors import Reason, Refused
from app.evaluation import Evaluator
from app.metrics import Exposed, Limits, MonitorFacts, ServerFacts
from app.monitor import Monitor, Registry
from app.problems import Problems
from app.serving import Predictor
from app.settings import Settings


@dataclass
class Service:
    """One server's parts."""

    settings: Settings
    clock: Callable[[], float]
    info: BundleInfo
    predictor: Predictor
    batcher: Batcher
    predict: Operation[PredictRequest]
    infer: Operation[InferRequest]
    monitors: Registry
    evaluators: Mapping[tuple[str, str], Evaluator]
    """Empty where monitoring is switched off."""
    capture: Capture
    problems: Problems
    """Of monitoring."""
    failures: Problems
    """Of the model: logged, and counted as failed predictions, but no fault of monitoring."""
    http: HttpCounters
    executor: Executor
    """Where a model runs that is slow: one thread, so that the event loop goes on answering."""
    ready: bool = field(default=False)

    def monitor(self, model_name: str | None) -> Monitor:
        """Return a model's monitor, or the only one; Refused if there is none of that name."""
        found = self.monitors.find(model_name)
        if found is None:
            names = ", ".join(sorted({monitor.model_name for monitor in self.monitors}))
            raise Refused(Reason.NOT_FOUND, f"no model {model_name!r} is monitored; there is {names}")
        return found

    def evaluator(self, monitor: Monitor) -> Evaluator:
        """Return what keeps a monitor's report fresh; Refused if nobody watches."""
        if not self.settings.monitoring_enabled:
            raise Refused(
                Reason.MONITORING_DISABLED, "monitoring is switched off: start the server with monitoring_enabled=true"
            )
        return self.evaluators[monitor.model_name, monitor.model_version]

    async def facts(self) -> Sequence[MonitorFacts]:
        """Return what `/metrics` says of every monitor, evaluated first where rows came."""
        for evaluator in self.evaluators.values():
            await evaluator.current()
        healthy = not self.problems.current()
        return await asyncio.to_thread(lambda: [self._facts(monitor, healthy) for monitor in self.monitors])

    def _facts(self, monitor: Monitor, healthy: bool) -> MonitorFacts:
        last, watched = monitor.last, self.settings.monitoring_enabled
        with monitor.state.counting() as counters:  # so that no histogram is copied half counted
            arrays = counters.copy()
        return MonitorFacts(
            model_name=monitor.model_name,
            model_version=monitor.model_version,
            task=self.info.task,
            series=monitor.state.counters.series,
            arrays=arrays,
            baseline=monitor.baseline,
            report=last.report if watched else None,
            bin_rows=monitor.bin_rows() if watched else None,
            evaluated_at=last.at,
            evaluation_seconds=last.cpu_seconds,
            healthy=healthy,
            limits=self.limits,
        )

    def server_facts(self) -> ServerFacts:
        """Return what `/metrics` says of the server itself."""
        return ServerFacts(self.http.series, self.http.counters.copy(), self.settings.error_budget_ratio)

    @property
    def exposed(self) -> Exposed:
        """How much of many columns `/metrics` lists."""
        return Exposed(self.settings.metrics_bin_rows, self.settings.metrics_top_features)

    @property
    def limits(self) -> Limits:
        """What is too slow and too old for a monitor."""
        settings = self.settings
        return Limits(
            latency_seconds=(settings.latency_threshold_warning_seconds, settings.latency_threshold_critical_seconds),
            evaluation_age_seconds=settings.evaluation_stale_seconds,
        )


def service_of(request: Request) -> Service:
    """Return the service that answers a request."""
    service: Service = request.app.state.service
    return service
