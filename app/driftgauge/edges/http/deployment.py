"""The versions of models in this process: loaded off the event loop, switched in one step of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from driftgauge.common.private_files import LockTimeout
from driftgauge.edges.http.context import ServerContext
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.http.release_view import counts_of, view_of
from driftgauge.edges.http.served_models import ServedModel
from driftgauge.errors import BundleError, DriftgaugeError, StateError
from driftgauge.metrics.facts import AliasFacts
from driftgauge.releases.bundles import content_digest
from driftgauge.releases.figures import Counts
from driftgauge.releases.ledger import Ledger
from driftgauge.releases.release import Candidate, Role, Version, live_of
from driftgauge.serving.shadow import Shadow
from driftgauge.state.folder import reset
from driftgauge.state.snapshot import sum_totals

SWITCH_SECONDS: Final = 30.0
"""How long a switch waits for the event loop."""
QUEUE_SECONDS: Final = 60.0
"""How long rows may still wait in the queue of a removed version."""
VERSION_NOT_LOADED: Final = "version_not_loaded"
Key = tuple[str, str]


class ModelTasks:
    """What runs beside requests for each model version; used on the event loop alone."""

    def __init__(self) -> None:
        self._tasks: dict[Key, list[asyncio.Task[None]]] = {}

    def start(self, model: ModelMonitoring) -> None:
        """Start what a version needs."""
        self._tasks[model.model_name, model.model_version] = [asyncio.create_task(work) for work in model.work()]

    async def stop(self, *keys: Key) -> None:
        """Stop what runs for some versions, by default for all."""
        ending = [task for key in keys or tuple(self._tasks) for task in self._tasks.pop(key, ())]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)


class ServedDeployment:
    """A deployment of `releases.agent` on the models of a server."""

    def __init__(
        self,
        context: ServerContext,
        ledger: Ledger,
        load: Callable[[Candidate], ServedModel],
        states: Mapping[str, Path | None],
    ) -> None:
        """`load` makes all parts of a version; DriftgaugeError if it cannot.

        `states` are the folders of the models' states, None for in memory.
        """
        self._states = states
        self._context = context
        self._ledger = ledger
        self._load = load
        self._tasks = ModelTasks()
        self._prepared: dict[Key, ServedModel] = {}
        self._shadows: dict[str, Shadow] = {}
        self._leaving: dict[asyncio.Task[None], ServedModel] = {}
        self._ending: set[asyncio.Future[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.alias_of: Callable[[str], AliasFacts | None] | None = None
        """Returns what is known of the alias that a model follows."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start what the models need, and switch versions on this event loop."""
        self._loop = loop
        for model in self._context.monitoring.models:
            self._tasks.start(model)

    # ------------------------------------------------------------ in the thread of the agent

    def prepare(self, candidate: Candidate) -> None:
        """Load and verify a version; see `Deployment.prepare`."""
        key = (candidate.model, candidate.version)
        if key not in self._prepared and self._context.models.find(*key) is None:
            self._prepared[key] = self._loaded(candidate)

    def _loaded(self, candidate: Candidate) -> ServedModel:
        if content_digest(candidate.bundle) != candidate.digest:
            raise BundleError(f"the files of {candidate.bundle} have changed: load it again as another version")
        return self._load(candidate)

    def discard(self, candidate: Candidate) -> None:
        """Drop a prepared version; see `Deployment.discard`."""
        if model := self._prepared.pop((candidate.model, candidate.version), None):
            _leave(model)

    def apply(self, model: str, versions: Sequence[Version]) -> None:
        """Serve versions in their roles; see `Deployment.apply`."""
        served = [version for version in versions if version.role is not Role.REMOVED]
        for version in sorted(served, key=lambda own: own.role is not Role.LIVE):
            self._make_ready(version)
        self._on_loop(self._switch(model, served))

    def _make_ready(self, version: Version) -> None:
        """Load a version that is not loaded yet, such as after a start; one that is not live may be missing."""
        try:
            self.prepare(version.candidate)
        except DriftgaugeError as error:
            if version.role is Role.LIVE:
                raise
            self._context.monitoring.service.problems.record(VERSION_NOT_LOADED, error)

    def counts(self, model: str, version: str) -> Counts | None:
        """Return what a version has counted; see `Deployment.counts`."""
        found = self._context.models.find(model, version) or self._prepared.get((model, version))
        return None if found is None else counts_of(sum_totals(found.monitoring.store.counted()))

    def delete_state(self, candidate: Candidate) -> bool:
        """Delete the state of a version; see `Deployment.delete_state`."""
        folder = self._states.get(candidate.model)
        if folder is None or not (own := folder / candidate.model / candidate.version).is_dir():
            return True
        try:
            reset(own)
        except (LockTimeout, StateError):  # another process uses it: next time
            return False
        with contextlib.suppress(OSError):  # something else is in it
            own.rmdir()
        return True

    def _on_loop(self, work: Any) -> None:
        assert self._loop is not None  # noqa: S101  the agent starts with the server
        asyncio.run_coroutine_threadsafe(work, self._loop).result(SWITCH_SECONDS)

    # ------------------------------------------------------------ on the event loop

    async def _switch(self, name: str, versions: Sequence[Version]) -> None:
        """Serve the versions that are ready, let the live one answer, and remove the others.

        Nothing is awaited, so every request sees the versions before or after.
        """
        context, models = self._context, self._context.models
        kept = {version.name for version in versions}
        for model in [own for own in models.of(name) if own.model_version not in kept and not models.is_live(own)]:
            context.remove(name, model.model_version)
            task = asyncio.create_task(self._let_go(model))
            self._leaving[task] = model
            task.add_done_callback(self._gone)
        for version in versions:
            if made := self._prepared.pop((name, version.name), None):
                context.install(made)
                self._tasks.start(made.monitoring)
        if (live := live_of(versions)) and models.find(name, live.name):
            context.make_live(name, live.name)
        self._say_roles(name, versions)
        self._mirror(name, versions)

    def _say_roles(self, name: str, versions: Sequence[Version]) -> None:
        settings, history = self._context.settings, self._ledger.history(name)
        thresholds = (settings.release_threshold_warning_ratio, settings.release_threshold_critical_ratio)
        for version in versions:
            if found := self._context.models.find(name, version.name):
                found.monitoring.release = view_of(
                    version, history, thresholds, None if self.alias_of is None else partial(self.alias_of, name)
                )

    def _mirror(self, name: str, versions: Sequence[Version]) -> None:
        """Show the rows of the live version to the shadow, and to no other."""
        if old := self._shadows.pop(name, None):
            old.close()
        for model in self._context.models.of(name):
            model.batcher.mirror = None
        live = self._context.models.live(name)
        wanted = next((version.name for version in versions if version.role is Role.SHADOW), None)
        shadow = None if wanted is None else self._context.models.find(name, wanted)
        if live is None or shadow is None or shadow is live:
            return
        settings = self._context.settings
        self._shadows[name] = live.batcher.mirror = Shadow(
            shadow.predictor,
            live.info,
            shadow.monitoring.monitor,
            shadow.monitoring.problems,
            shadow.executor,
            queue_rows=settings.shadow_queue_rows,
            batch_rows=settings.max_batch_rows,
        )

    async def _let_go(self, model: ServedModel) -> None:
        """Wait for the last requests of a removed version, and end what runs for it."""
        await asyncio.sleep(self._context.settings.body_timeout_seconds)  # a body may still be read
        deadline = asyncio.get_running_loop().time() + QUEUE_SECONDS
        while model.batcher.queued_requests and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)

    def _gone(self, task: asyncio.Task[None]) -> None:
        model = self._leaving.pop(task)
        ending = asyncio.ensure_future(self._end(model))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end(self, model: ServedModel) -> None:
        await self._tasks.stop((model.model_name, model.model_version))
        await asyncio.to_thread(_leave, model)

    async def stop(self) -> None:
        """End everything that runs for versions, removed ones included, and give back what is not served."""
        for task in tuple(self._leaving):
            task.cancel()
        await asyncio.sleep(0)  # their callbacks run
        await asyncio.gather(*self._ending)
        await self._tasks.stop()
        for model in self._prepared.values():
            await asyncio.to_thread(_leave, model)
        self._prepared.clear()


def _leave(model: ServedModel) -> None:
    """End a version; what fails then is logged."""
    try:
        model.leave()
        model.monitoring.watching.shutdown(wait=False)
    except Exception as error:  # the disk may be what fails; nothing more can be done
        structlog.get_logger().error("state_not_saved", version=model.model_version, exc_info=error)
