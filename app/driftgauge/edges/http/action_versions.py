"""The versions of a server's models, as actions switch them from a thread of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from driftgauge.actions.action import ActionFailed
from driftgauge.actions.executors.switch import Target
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.performance.compared import worse_performance
from driftgauge.drift.performance.verdict import PerformanceStatus
from driftgauge.edges.http.event_loop import failure, on_loop
from driftgauge.edges.http.release_view import counts_of, figures_by_release
from driftgauge.edges.http.releases import EVERYWHERE_SECONDS, Releases
from driftgauge.edges.http.served_models import ServedModel
from driftgauge.edges.http.worse_release import worse_release
from driftgauge.errors import DriftgaugeError, Refused
from driftgauge.models.bundle import read_info
from driftgauge.releases.bundles import allowed_bundle
from driftgauge.releases.release import Cause, Change, Kind, Role, releases_of
from driftgauge.releases.swaps import rollback_target
from driftgauge.state.snapshot import sum_totals

WAIT_SECONDS: Final = 10.0
"""Time for a switch beyond that in which every worker must have loaded the version."""
T = TypeVar("T")
ACTION: Final = "action "
"""How the history begins to name an action that switched."""


class ReleaseVersions:
    """`actions.executors.switch.Versions` on the releases of a server."""

    def __init__(self, releases: Releases, loop: asyncio.AbstractEventLoop) -> None:
        """Switch on this event loop; every method is called in other threads."""
        self._releases: Final = releases
        self._loop: Final = loop

    def live(self, model: str) -> str:
        """Return the version that answers; see `Versions.live`."""
        return self._live(model).model_version

    def last(self, model: str) -> Target:
        """Return the version that answered before; see `Versions.last`."""
        return self.named(model, None)

    def named(self, model: str, version: str | None) -> Target:
        """Return a version that answered before; see `Versions.named`."""
        try:
            return Target(rollback_target(self._releases.agent.ledger, model, version).version)
        except Refused as error:  # it does not come by itself
            raise ActionFailed(str(error), retryable=False) from error
        except DriftgaugeError as error:
            raise failure(error) from error

    def in_bundle(self, model: str, bundle: str) -> Target:
        """Return the version in a bundle; see `Versions.in_bundle`."""
        try:
            return Target(read_info(allowed_bundle(bundle, self._releases.folders)).version, bundle)
        except DriftgaugeError as error:
            raise failure(error) from error

    def was_switched(self, model: str, who: str, mark: str) -> tuple[str, str] | None:
        """Return from which version to which it was switched; see `Versions.was_switched`."""
        for change in reversed(self._history(model)):
            if change.cause.who == who and change.cause.reason.endswith(mark):
                return change.from_version or "", change.to_version or ""
        return None

    def alarm(self, model: str, version: str) -> str | None:
        """Return why a version should not answer; see `Versions.alarm`."""
        history = self._history(model)
        if (left := _left(history, version)) and left.cause.who.startswith(ACTION):
            return f"{left.cause.who} has left it at {rfc3339(left.at)}"
        found = self._releases.context.models.find(model, version)
        report = None if found is None else self._on_loop(found.monitoring.latest_performance(), WAIT_SECONDS)
        if report is not None and report.status is PerformanceStatus.DEGRADED:
            return f"its performance is degraded: {report.reason}"
        if why := self._was_worse(history, version):
            return f"it was worse than the version before: {why}"
        return None if found is None else self._shadow_alarm(found)

    def worse(self, model: str, version: str, before: str) -> str | None:
        """Return how the live version is worse than the one before; see `Versions.worse`."""
        live, old = self._live(model), self._releases.context.models.find(model, before)
        if live.model_version != version:
            return None
        view = live.monitoring.release
        if view is not None and view.change is not None:
            counts = counts_of(sum_totals(live.monitoring.store.counted()))
            failed = counts.since(view.change.begun).failed
            if why := worse_release(view.figures(counts), view.change.before, self._critical, failed_rows=failed):
                return why
        now = self._on_loop(live.monitoring.latest_performance(), WAIT_SECONDS)
        then = None if old is None else self._on_loop(old.monitoring.latest_performance(), WAIT_SECONDS)
        return worse_performance(now, then)

    def switch(self, model: str, target: Target, who: str, reason: str) -> None:
        """Let a version answer; see `Versions.switch`."""
        releases, cause = self._releases, Cause(who, reason)
        seconds = releases.agent.terms.load_seconds + EVERYWHERE_SECONDS + WAIT_SECONDS
        if target.bundle is None:
            self._on_loop(releases.roll_back(model, target.version, cause), seconds)
        else:
            self._on_loop(releases.load(model, target.bundle, Kind.LOAD, cause), seconds)

    @property
    def _critical(self) -> float:
        return self._releases.context.settings.release_threshold_critical_ratio

    def _live(self, model: str) -> ServedModel:
        try:
            return self._releases.context.model(model)
        except DriftgaugeError as error:
            raise failure(error) from error

    def _history(self, model: str) -> Sequence[Change]:
        try:
            return self._releases.agent.ledger.history(model)
        except DriftgaugeError as error:
            raise failure(error) from error

    def _was_worse(self, history: Sequence[Change], version: str) -> str | None:
        """Return how the last release of a version that has ended was worse than the one before."""
        ended = [(change, own) for change, own in figures_by_release(history, None) if change.to_version == version]
        if not ended or (figures := ended[-1][1]) is None:
            return None
        return worse_release(figures, ended[-1][0].before, self._critical)

    def _shadow_alarm(self, found: ServedModel) -> str | None:
        """Return that a shadow drifts; a retired version sees no rows."""
        release, evaluator = found.monitoring.release, found.monitoring.evaluator
        if release is None or release.role is not Role.SHADOW or evaluator is None:
            return None
        report = self._on_loop(evaluator.current(), WAIT_SECONDS).report
        return f"its own drift is critical: {report.reason}" if report.severity == "critical" else None

    def _on_loop(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        return on_loop(self._loop, work, seconds)


def _left(history: Sequence[Change], version: str) -> Change | None:
    """Return the change with which a version ended to answer last."""
    changes = [change for change in releases_of(history) if change.from_version == version != change.to_version]
    return changes[-1] if changes else None
