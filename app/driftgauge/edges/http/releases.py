"""The releases of a server: its ledger, what this worker serves of it, and the agent that follows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from driftgauge.common.quoting import shortened
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.edges.http.aliases import Aliases
from driftgauge.edges.http.context import ServerContext
from driftgauge.edges.http.deployment import ServedDeployment
from driftgauge.edges.http.release_view import change_json, changes_json, counts_of, figures_by_release
from driftgauge.errors import BundleError, Reason, Refused
from driftgauge.models.bundle import BundleInfo, read_info
from driftgauge.releases.agent import Agent
from driftgauge.releases.bundles import allowed_bundle, content_digest
from driftgauge.releases.figures import Figures
from driftgauge.releases.release import Candidate, Cause, Change, Kind, Swap, SwapState, Version
from driftgauge.releases.swaps import rollback_target
from driftgauge.serving.shadow import FeatureMap
from driftgauge.state.snapshot import sum_totals

POLL_SECONDS: Final = 0.02
EVERYWHERE_SECONDS: Final = 10.0
"""How long a request waits, after the switch, for all workers to have made it."""
LONGEST_TEXT: Final = 500
"""Most characters of `who` and `reason`."""


@dataclass(frozen=True)
class Releases:
    """What the routes of versions use."""

    context: ServerContext
    agent: Agent
    deployment: ServedDeployment
    folders: Sequence[Path]
    """Where bundles may be loaded from."""
    own_names: Mapping[str, str]
    """By model, what the bundle in the settings calls it."""
    is_alone: bool
    """Whether other workers cannot see the ledger, so that no version may be loaded."""
    aliases: Aliases | None = None
    """The aliases that models follow; None without one."""

    def start(self) -> None:
        """Start what each model needs, and follow the ledger; called on the event loop."""
        self.deployment.start(asyncio.get_running_loop())
        self.agent.start()
        if self.aliases is not None:
            self.aliases.start()

    async def stop(self) -> None:
        """Follow the ledger no longer, and end what runs for models."""
        if self.aliases is not None:
            await self.aliases.stop()
        await asyncio.to_thread(self.agent.stop)
        await self.deployment.stop()

    # ------------------------------------------------------------ changes

    async def load(self, model: str, bundle: str, kind: Kind, cause: Cause) -> dict[str, Any]:
        """Load a version beside the others and give it its role; Refused if it cannot have it."""
        self._require_model(model)
        if self.aliases is not None and kind is Kind.LOAD:
            self.aliases.refuse_load(model)
        candidate = await asyncio.to_thread(self._candidate, model, bundle, kind)
        return await self._changed(candidate, kind, cause)

    async def roll_back(self, model: str, version: str | None, cause: Cause) -> dict[str, Any]:
        """Let an earlier version answer again, by default the one before."""
        self._require_model(model)
        target = await asyncio.to_thread(rollback_target, self.agent.ledger, model, version)

        async def change() -> dict[str, Any]:
            return await self._changed(target, Kind.ROLLBACK, cause)

        if self.aliases is None:
            return await change()
        return await self.aliases.with_rollback(model, target.version, cause, change)

    async def unload(self, model: str, version: str, cause: Cause) -> dict[str, Any]:
        """End a shadow."""
        self._require_model(model)
        versions = await asyncio.to_thread(self.agent.ledger.versions, model)
        found = next((own for own in versions if own.name == version), None)
        if found is None:
            raise Refused(Reason.NOT_FOUND, f"{model} has no version {shortened(version)!r}")
        return await self._changed(found.candidate, Kind.UNLOAD, cause)

    def _require_model(self, model: str) -> None:
        self.context.model(model)
        if self.is_alone:
            raise Refused(
                Reason.VERSION_CONFLICT,
                "several workers share no files, so they cannot agree on a version: set state_dir to a folder",
            )

    def _candidate(self, model: str, text: str, kind: Kind) -> Candidate:
        bundle = allowed_bundle(text, self.folders)
        try:
            info = read_info(bundle)
            digest = content_digest(bundle)
        except BundleError as error:
            raise Refused(Reason.VERSION_NOT_LOADED, str(error), {"field": "bundle"}) from error
        own_name = self.own_names.get(model, model)
        if info.name not in (model, own_name):
            raise Refused(
                Reason.INVALID_VERSION, f"bundle: it holds the model {info.name}, not {own_name}", {"field": "bundle"}
            )
        if kind is Kind.SHADOW:
            _require_features(self.context.model(model).info, info)
        return Candidate(model, info.version, bundle, digest)

    async def _changed(self, candidate: Candidate, kind: Kind, cause: Cause) -> dict[str, Any]:
        """Make a change, and return it once every worker has made it."""
        number = await asyncio.to_thread(self.agent.request, candidate, kind, cause)
        swap = await self._finished(number)
        if swap.state is SwapState.FAILED:
            raise Refused(
                Reason.VERSION_NOT_LOADED,
                f"version {candidate.version} was not loaded, and nothing has changed: {swap.detail}",
                {"model": candidate.model, "version": candidate.version},
            )
        deadline = time.monotonic() + EVERYWHERE_SECONDS
        while not (done := await asyncio.to_thread(self.agent.is_everywhere, candidate.model)):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(POLL_SECONDS)
        history = await asyncio.to_thread(self.agent.ledger.history, candidate.model)
        return {**change_json(history[-1]), "model_name": candidate.model, "all_workers": done}

    async def _finished(self, number: int) -> Swap:
        while (swap := await asyncio.to_thread(self.agent.ledger.swap, number)) is not None:
            if swap.state is not SwapState.PREPARING:
                return swap
            await asyncio.sleep(POLL_SECONDS)
        raise Refused(Reason.VERSION_CONFLICT, "the request was forgotten: look at the versions, and retry")

    # ------------------------------------------------------------ what is

    async def status(self, model: str) -> dict[str, Any]:
        """Return the versions of a model and its history as JSON shows them."""
        self.context.model(model)
        return await asyncio.to_thread(self._status, model)

    def _status(self, model: str) -> dict[str, Any]:
        ledger, settings = self.agent.ledger, self.context.settings
        history = ledger.history(model)
        swap = ledger.open_swap(model)
        alias = None if self.aliases is None else self.aliases.as_json(model)
        return {
            "model_name": model,
            "versions": [self._version_json(own) for own in ledger.versions(model)],
            "loading": None if swap is None else {"version": swap.candidate.version, "kind": swap.kind.value},
            "thresholds": {
                "warning_ratio": settings.release_threshold_warning_ratio,
                "critical_ratio": settings.release_threshold_critical_ratio,
            },
            "history": [change_json(change) for change in reversed(history)],
            "releases": self._releases_json(model, history),
            **({} if alias is None else {"alias": alias}),
        }

    def _version_json(self, version: Version) -> dict[str, Any]:
        return {
            "version": version.name,
            "role": version.role.value,
            "since": rfc3339(version.since, "milliseconds"),
            "bundle": str(version.candidate.bundle),
            "digest": version.candidate.digest,
            "is_loaded": self.context.models.find(version.candidate.model, version.name) is not None,
        }

    def _releases_json(self, model: str, history: Sequence[Change]) -> list[dict[str, Any]]:
        """Return the figures of each release beside those of the one before, the newest first."""
        found: list[dict[str, Any]] = []
        for change, figures in figures_by_release(history, self._current(model)):
            changes = None if figures is None else changes_json(figures, change.before)
            found.append(
                {
                    "version": change.to_version,
                    "since": rfc3339(change.at, "milliseconds"),
                    "figures": None if figures is None else figures.as_json(),
                    "before": None if change.before is None else change.before.as_json(),
                    "change": changes,
                }
            )
        return found[::-1]

    def _current(self, model: str) -> Figures | None:
        live = self.context.models.live(model)
        if live is None or (view := live.monitoring.release) is None:
            return None
        return view.figures(counts_of(sum_totals(live.monitoring.store.counted())))


def _require_features(live: BundleInfo, shadow: BundleInfo) -> None:
    """Refuse a shadow that needs features which requests do not have."""
    if missing := FeatureMap(live, shadow).missing:
        names = ", ".join(map(shortened, missing[:5]))
        raise Refused(
            Reason.INVALID_VERSION,
            f"bundle: it needs features that version {live.version} does not have ({names}), so it cannot predict the "
            "same rows",
            {"field": "bundle"},
        )
