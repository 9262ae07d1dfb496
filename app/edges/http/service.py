"""What the HTTP edge works with: the parts that `main.create_app` put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from app.batching import Batcher
from app.bundles import BundleInfo
from app.capture import Capture
from app.edges.formats.infer_v2 import InferRequest
from app.edges.formats.predict_json import PredictRequest
from app.edges.http.connections import Connections
from app.edges.http.measure import HttpCounters
from app.edges.http.operation import Operation
from app.errors import Reason, Refused
from app.evaluation import Evaluator
from app.metrics import NO_SLOT, Exposed, Limits, MonitorFacts, ServerFacts, WorkerFacts
from app.monitor import Monitor, Registry
from app.naming import named, shortened
from app.problems import Problems
from app.publishing import Publisher
from app.serving import Predictor
from app.settings import Settings
from app.store import Store, Sums, added


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
    connections: Connections
    store: Store
    """The state of the model, which the server's own counters are part of."""
    publisher: Publisher
    executor: Executor
    """Where a model runs that is slow: one thread, so that the event loop goes on answering."""
    ready: bool = field(default=False)

    def monitor(self, model_name: str | None) -> Monitor:
        """Return a model's monitor, or the only one; Refused if there is none of that name."""
        found = self.monitors.find(model_name)
        if found is None:
            names = named(sorted({monitor.model_name for monitor in self.monitors}))
            raise Refused(Reason.NOT_FOUND, f"no model {shortened(str(model_name))!r} is monitored; there is {names}")
        return found

    def evaluator(self, monitor: Monitor) -> Evaluator:
        """Return what keeps a monitor's report fresh; Refused if nobody watches."""
        if not self.settings.monitoring_enabled:
            raise Refused(
                Reason.MONITORING_DISABLED, "monitoring is switched off: start the server with monitoring_enabled=true"
            )
        return self.evaluators[monitor.model_name, monitor.model_version]

    async def facts(self) -> tuple[Sequence[MonitorFacts], ServerFacts]:
        """Return what `/metrics` says of every monitor, evaluated first where rows came, and of the server itself."""
        for evaluator in self.evaluators.values():
            await evaluator.current()
        self.publisher.measure()
        return await asyncio.to_thread(self._facts)

    def _facts(self) -> tuple[Sequence[MonitorFacts], ServerFacts]:
        healthy = not self.current_problems()
        members = self.store.counted()
        workers = [
            WorkerFacts(NO_SLOT if own.number is None else str(own.number), own.counted["process"], own.lives)
            for own in members
        ]
        together = added(members)
        server = ServerFacts(self.http.series, together.counted, self.settings.error_budget_ratio, workers)
        return [
            self._facts_of(own, together if own.store is self.store else added(own.store.counted()), healthy)
            for own in self.monitors
        ], server

    def _facts_of(self, monitor: Monitor, sums: Sums, healthy: bool) -> MonitorFacts:
        last, watched, store = monitor.last, self.settings.monitoring_enabled, monitor.store
        own = {spec.name for spec in self.http.series}
        return MonitorFacts(
            model_name=monitor.model_name,
            model_version=monitor.model_version,
            task=self.info.task,
            series=tuple(spec for spec in store.counters.series if spec.name not in own),
            arrays=sums.counted,
            baseline=monitor.baseline,
            report=last.report if watched else None,
            bin_rows=sums.bin_rows if watched else None,
            evaluated_at=max(last.at, store.evaluated_at()),
            evaluation_seconds=last.cpu_seconds,
            healthy=healthy,
            persistent=store.is_persistent,
            limits=self.limits,
        )

    def current_problems(self) -> list[str]:
        """Return a sentence for each problem of monitoring."""
        gone = self.store.slots is not None and not self.store.is_persistent
        lost = ["state_in_memory: the files of the state are gone: restart to keep windows and counters again"]
        return [*self.problems.current(), *(lost if gone else [])]

    def state_facts(self) -> dict[str, Any]:
        """Return how state is kept, for people."""
        return {
            "kept": "files" if self.store.is_persistent else "memory",
            "workers": self.store.workers,
            "notes": self.store.notes,
        }

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
