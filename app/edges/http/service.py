"""What the HTTP edge works with: the parts that `main.create_app` put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from fastapi import Request

from app.bundles import BundleInfo
from app.capture import Capture
from app.edges.formats.features import FeatureDecoder
from app.edges.http.measure import HttpCounters
from app.errors import Reason, Refused
from app.evaluation import Evaluator
from app.metrics import Limits, MonitorFacts, ServerFacts
from app.monitor import Monitor, Registry
from app.problems import Problems
from app.serving import Batch, Predictions, Predictor
from app.settings import Settings


@dataclass
class Service:
    """One server's parts."""

    settings: Settings
    clock: Callable[[], float]
    info: BundleInfo
    predictor: Predictor
    decoder: FeatureDecoder
    monitors: Registry
    evaluators: Mapping[tuple[str, str], Evaluator]
    capture: Capture
    problems: Problems
    """Of monitoring."""
    failures: Problems
    """Of the model: logged, and counted as failed predictions, but no fault of monitoring."""
    http: HttpCounters
    executor: Executor
    """Where the model runs: one thread, so that the event loop goes on answering."""
    ready: bool = field(default=False)

    async def predict(self, batch: Batch) -> Predictions:
        """Predict off the event loop; raises what the predictor raises."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, self.predictor.predict, batch)

    def monitor(self, model_name: str | None) -> Monitor:
        """Return a model's monitor, or the only one; Refused if there is none of that name."""
        found = self.monitors.find(model_name)
        if found is None:
            names = ", ".join(sorted({monitor.model_name for monitor in self.monitors}))
            raise Refused(Reason.NOT_FOUND, f"no model {model_name!r} is monitored; there is {names}")
        return found

    def evaluator(self, monitor: Monitor) -> Evaluator:
        """Return what keeps a monitor's report fresh."""
        return self.evaluators[monitor.model_name, monitor.model_version]

    async def facts(self) -> Sequence[MonitorFacts]:
        """Return what `/metrics` says of every monitor, evaluated first where rows came."""
        for monitor in self.monitors:
            await self.evaluator(monitor).current()
        healthy = not self.problems.current()
        return await asyncio.to_thread(lambda: [self._facts(monitor, healthy) for monitor in self.monitors])

    def _facts(self, monitor: Monitor, healthy: bool) -> MonitorFacts:
        last = monitor.last
        with monitor.state.counting() as counters:  # so that no histogram is copied half counted
            arrays = counters.copy()
        return MonitorFacts(
            model_name=monitor.model_name,
            model_version=monitor.model_version,
            task=self.info.task,
            series=monitor.state.counters.series,
            arrays=arrays,
            baseline=monitor.baseline,
            report=last.report,
            bin_rows=monitor.bin_rows(),
            evaluated_at=last.at,
            evaluation_seconds=last.cpu_seconds,
            healthy=healthy,
            limits=self.limits,
        )

    def server_facts(self) -> ServerFacts:
        """Return what `/metrics` says of the server itself."""
        return ServerFacts(self.http.series, self.http.counters.copy(), self.settings.error_budget_ratio)

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
