"""What HTTP reads of monitoring: that of each model, and what is the server's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Protocol

from fastapi import Request

from driftgauge.common.quoting import named, shortened
from driftgauge.common.single_flight import SingleFlight
from driftgauge.common.versions import Versions
from driftgauge.edges.http.access import caller_bounds
from driftgauge.edges.http.model_monitoring import UNREAD, ModelMonitoring
from driftgauge.edges.http.senders import Notified, Sent
from driftgauge.errors import Reason, Refused, SettingsError
from driftgauge.metrics.facts import ActionFacts, MonitorFacts, ServerFacts, StreamFacts, WorkerFacts
from driftgauge.metrics.gpu import GpuReading, Gpus
from driftgauge.metrics.render import Exposed
from driftgauge.metrics.series import CounterSpec
from driftgauge.metrics.server_series import LOG_GAUGES, NO_SLOT, QUEUED
from driftgauge.monitor.problems import Problems
from driftgauge.monitor.publisher import Publisher, state_problems
from driftgauge.monitor.unused_slots import UnusedSlots
from driftgauge.predictions.log import LogFacts, PredictionLog
from driftgauge.settings.models import too_many_models
from driftgauge.settings.options import Settings
from driftgauge.state.snapshot import SlotTotals, sum_totals
from driftgauge.state.store import Store


class Stream(Protocol):
    """Reads messages of other programs into the state of a model."""

    @property
    def facts(self) -> StreamFacts:
        """What the metrics say of it."""

    def start(self) -> None:
        """Start to read."""

    def stop(self) -> None:
        """Stop, once what was read is in the state."""


NO_LOG: Final = (None,) * len(LOG_GAUGES)
LOG_SECONDS: Final = 0.5
"""Longest wait at the end for predictions to be written to their log."""


GPU_SECONDS: Final = 0.5
"""Longest wait for the driver of the GPUs; without its answer `/metrics` lists no GPU."""
GPU_KEEP_SECONDS: Final = 5.0
"""Time for which what the driver said is listed again."""


@dataclass(frozen=True)
class ServiceState:
    """What is the service's own and of no model: counted requests, and the processes of its workers."""

    store: Store
    publisher: Publisher
    problems: Problems
    series: Sequence[CounterSpec] = ()
    """The series of requests and connections; none in an application that uses the library."""


@dataclass
class Monitoring:
    """The monitoring of one service: of our own server, or of an application that uses the library."""

    settings: Settings
    clock: Callable[[], float]
    service: ServiceState
    watching: Executor
    """Reads the state of the service."""
    writing: Executor
    """Serialises large answers: one thread, which reads no state."""
    predictions: PredictionLog | None = None
    """The prediction log; None if there is none."""
    models: Versions[ModelMonitoring] = field(default_factory=Versions)
    unusable: dict[str, str] = field(default_factory=dict)
    """The models that could not be loaded, and why."""
    streams: dict[tuple[str, str], Stream] = field(default_factory=dict)
    """What reads messages into models, by their names and versions."""
    actions: Callable[[], Sequence[ActionFacts]] | None = None
    """Returns how often actions on alerts have ended how; None without actions. Blocks."""
    notified: Notified | None = None
    """What sends notifications; None without receivers."""
    telemetry: Sent | None = None
    """What sends metrics and traces; None without a collector."""

    gpus: Gpus | None = None
    """Reads the GPUs of the machine; None if there is no library for it."""

    def __post_init__(self) -> None:
        """Have this worker publish how many of its rows wait for the prediction log."""
        if (log := self.predictions) is not None:
            self.service.publisher.queued = lambda: log.writer.queued_rows

    @property
    def has_several(self) -> bool:
        """Whether there are several models, counting those that could not be loaded."""
        return len(self.models.names) + len(self.unusable) > 1

    def model(self, name: str | None = None, version: str | None = None) -> ModelMonitoring:
        """Return the monitoring of a model, of its live version by default.

        The name may be left out where there is one model. Refused for an unknown name or version.
        """
        names = self.models.names
        if name is None:
            if self.has_several or not names:
                raise Refused(
                    Reason.MODEL_NOT_NAMED,
                    f"this server monitors several models: name one with ?model=; there is {named(sorted(names))}",
                    {"field": "model"},
                )
            name = names[0]
        found = self.models.live(name) if version is None else self.models.find(name, version)
        if found is None:
            if why := self.unusable.get(name):
                raise Refused(Reason.MODEL_UNUSABLE, f"the model {name} could not be loaded: {why}", {"field": "model"})
            asked = shortened(name if version is None else f"{name} {version}")
            there = named(sorted(names)) if version is None else named([own.model_version for own in self._of(name)])
            raise Refused(Reason.NOT_FOUND, f"no model {asked!r} is monitored; there is {there}")
        return found

    def _of(self, name: str) -> Sequence[ModelMonitoring]:
        return self.models.of(name) or list(self.models)

    def add(self, model: ModelMonitoring) -> None:
        """Monitor a model version; with a prediction log, also by its ground truth.

        SettingsError if there are as many models, or versions of one, as there may be, whether they predict or not.
        """
        self._refuse_too_many(model.model_name)
        if self.predictions is not None:
            model.use_log(self.predictions)
        self.models.add(model)

    def _refuse_too_many(self, name: str) -> None:
        names, versions, most = self.models.names, len(self.models.of(name)), self.settings.max_versions
        if name not in names and len(names) >= self.settings.max_models:
            raise SettingsError(too_many_models(len(names) + 1, self.settings.max_models))
        if versions >= most:
            raise SettingsError(f"{name} has {versions} versions already: remove one, or raise max_versions")

    def work(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what runs beside requests until it is cancelled."""
        running = [work for model in self.models for work in model.work()]
        return running if self._is_shared else [*running, *self.service_work()]

    def service_work(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what runs for the service's own state until it is cancelled."""
        unused = UnusedSlots(self.service.store)
        return [self.service.publisher.run(), unused.run(self.watching, self.service.problems)]

    @property
    def _is_shared(self) -> bool:
        """Whether the service has no state of its own, but uses that of its only model."""
        return any(model.store is self.service.store for model in self.models)

    def start(self) -> None:
        """Start what runs in threads of its own."""
        if self.predictions is not None:
            self.predictions.start()
        for stream in self.streams.values():
            stream.start()

    def leave(self) -> None:
        """Write what is left of the prediction log, save all states and give them back.

        The first error is raised once all were tried.
        """
        errors: list[Exception] = []
        for stream in self.streams.values():
            stream.stop()
        for model in self.models:
            model.close_log()
        if self.predictions is not None:
            self.predictions.close(LOG_SECONDS)
        for store in dict.fromkeys([*(model.store for model in self.models), self.service.store]):
            try:
                store.leave()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    async def facts(self) -> tuple[Sequence[MonitorFacts], ServerFacts]:
        """Return the facts behind `/metrics`: of each model, and of the server."""
        reading = asyncio.gather(*(model.facts() for model in self.models))
        if self._is_shared:  # then both read the same store
            await reading
        server, monitors, gpus = await asyncio.gather(self._server(), reading, self._gpus())
        sound = not self.service_problems()
        return [self._completed(facts, sound=sound) for facts in monitors], replace(server, gpus=gpus)

    async def facts_of(self, model: ModelMonitoring) -> MonitorFacts:
        """Return the facts of one model, with those of its consumer."""
        return self._completed(await model.facts(), sound=not self.service_problems())

    def _completed(self, facts: MonitorFacts, *, sound: bool) -> MonitorFacts:
        facts, stream = replace(facts, healthy=facts.healthy and sound), self._stream_of(facts)
        return facts if stream is None else facts.with_stream(stream)

    def _stream_of(self, facts: MonitorFacts) -> StreamFacts | None:
        stream = self.streams.get((facts.model_name, facts.model_version))
        return None if stream is None else stream.facts

    async def state(self, model: ModelMonitoring) -> tuple[list[str], dict[str, Any]]:
        """Return the problems of a model's monitoring and how its state is kept; it is evaluated first if rows came."""
        problems, state = await model.state()
        of_receivers = [] if self.notified is None else self.notified.problems()
        of_collector = [] if self.telemetry is None else await asyncio.to_thread(self.telemetry.problems)
        return list(dict.fromkeys([*problems, *self.service_problems(), *of_receivers, *of_collector])), state

    async def telemetry_status(self) -> dict[str, Any] | None:
        """Return what the status says of metrics and traces for a collector; None without one."""
        return None if self.telemetry is None else await asyncio.to_thread(self.telemetry.status)

    async def log_facts(self) -> LogFacts | None:
        """Return what is known of the prediction log; None without one."""
        return None if self.predictions is None else (await self._members())[1]

    async def _gpus(self) -> Sequence[GpuReading]:
        """Return what is known of the GPUs; nothing if their driver takes too long."""
        if self._read_gpus is None:
            return ()
        with suppress(TimeoutError):
            return await self._read_gpus.get(GPU_SECONDS)
        return ()

    @cached_property
    def _read_gpus(self) -> SingleFlight[Sequence[GpuReading]] | None:
        if self.gpus is None:
            return None
        thread = ThreadPoolExecutor(1, thread_name_prefix="gpu")  # of its own: a driver that hangs delays nothing else
        return SingleFlight(self.gpus.read, thread, keep_seconds=GPU_KEEP_SECONDS)

    async def _server(self) -> ServerFacts:
        facts = self._server_facts(*await self._members())
        if self.telemetry is not None:
            facts = replace(facts, telemetry=await asyncio.to_thread(self.telemetry.facts))
        return facts if self.actions is None else replace(facts, actions=await asyncio.to_thread(self.actions))

    async def _members(self) -> tuple[Sequence[SlotTotals], LogFacts | None]:
        """Return what the workers have counted, and what is known of the prediction log."""
        try:
            members = await self._read_members.get(self.settings.evaluation_wait_seconds)
        except Exception as error:
            late = TimeoutError(f"the state was not read within {self.settings.evaluation_wait_seconds:g} s")
            self.service.problems.record(UNREAD, late if isinstance(error, TimeoutError) else error, part="workers")
            return self.service.store.own_and_known(), None
        self.service.problems.resolve(UNREAD, "workers")
        return members

    def _log_facts(self, members: Sequence[SlotTotals]) -> LogFacts | None:
        running = [own.counted["process"][QUEUED] for own in members if own.is_running]
        return None if self.predictions is None else self.predictions.facts(sum(running), len(running))

    @cached_property
    def _read_members(self) -> SingleFlight[tuple[Sequence[SlotTotals], LogFacts | None]]:
        def read() -> tuple[Sequence[SlotTotals], LogFacts | None]:
            self.service.publisher.measure()
            members = self.service.store.counted()
            return members, self._log_facts(members)

        return SingleFlight(read, self.watching)

    def _server_facts(self, members: Sequence[SlotTotals], log: LogFacts | None) -> ServerFacts:
        workers = [
            WorkerFacts(NO_SLOT if own.number is None else str(own.number), own.counted["process"], own.is_running)
            for own in members
            if own.number is not None or own.counted["process"].any()  # no slot was folded
        ]
        callers = caller_bounds(self.settings, self.settings.workers).stated
        budget = self.settings.error_budget_ratio
        loaded = {(own.model_name, own.model_version): True for own in self.models.all_live}
        available = {**loaded, **{(name, ""): False for name in self.unusable}}
        listed = available if self.has_several else {}
        sent = {} if self.notified is None else self.notified.totals
        return ServerFacts(
            self.service.series,
            sum_totals(members),
            budget,
            workers,
            callers,
            _gauges(log),
            listed,
            _price(self.settings),
            notifications=sent,
        )

    def service_problems(self) -> list[str]:
        """Return a sentence for each problem with what is the service's own."""
        of_state = [f"{kind}: {text}" for kind, text in state_problems(self.service.store).items()]
        return list(dict.fromkeys([*self.service.problems.current(), *of_state]))

    def current_problems(self) -> list[str]:
        """Return a sentence for each problem of monitoring; where there are several models, it names its own."""
        several = len(self.models) > 1
        found = [
            f"{model.model_name} {model.model_version}: {text}" if several else text
            for model in self.models
            for text in model.current_problems()
        ]
        return list(dict.fromkeys([*found, *self.service_problems()]))

    @property
    def exposed(self) -> Exposed:
        """The part of the drift metrics that `/metrics` lists."""
        return Exposed(
            self.settings.metrics_bin_rows, self.settings.metrics_top_features, self.settings.exposed_windows
        )


def _price(settings: Settings) -> tuple[str, float] | None:
    """Return the currency and the price of a second of the server; None if it is not known."""
    hour = settings.price_per_hour
    return None if hour is None else (settings.price_currency, hour / 3_600)


def _gauges(log: LogFacts | None) -> Sequence[float | None]:
    """Return the numbers of `LOG_GAUGES`; None where they are not known."""
    if log is None:
        return NO_LOG
    size = None if log.look is None else log.look.bytes
    queue = (log.queued_rows, log.queue_limit_rows)
    return (*queue, size, log.max_bytes, log.free_bytes, log.free_threshold_bytes, log.damaged_files)


def monitoring_of(request: Request) -> Monitoring:
    """Return the monitoring of the application that answers a request."""
    monitoring: Monitoring = request.app.state.monitoring
    return monitoring
