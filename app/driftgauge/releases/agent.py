"""The agent of a worker: follows the ledger, gets ready for swaps, and serves the versions that it says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from driftgauge.errors import DriftgaugeError
from driftgauge.releases.figures import Counts, Figures, figures_of
from driftgauge.releases.ledger import Ledger
from driftgauge.releases.membership import Membership
from driftgauge.releases.release import (
    Candidate,
    Cause,
    Kind,
    Role,
    Swap,
    SwapState,
    Version,
    current_release,
    live_of,
)
from driftgauge.releases.swaps import advance, request

WATCH_SECONDS: Final = 0.1
"""Time between two looks at whether another worker has written."""
HOUSEKEEPING_SECONDS: Final = 5.0
"""Time between two looks at what is due: versions to remove, workers that have ended."""


STOP_SECONDS: Final = 5.0
"""How long the end of the server waits for a step."""


class Deployment(Protocol):
    """What serves the versions of the models in this process."""

    def prepare(self, candidate: Candidate) -> None:
        """Load and verify a version beside those that are served; DriftgaugeError if it cannot be served."""

    def apply(self, model: str, versions: Sequence[Version]) -> None:
        """Serve these versions in their roles; DriftgaugeError if the live one cannot be loaded."""

    def discard(self, candidate: Candidate) -> None:
        """Drop a version that was prepared for nothing."""

    def counts(self, model: str, version: str) -> Counts | None:
        """Return what a version has counted in all workers; None if it is not loaded."""

    def delete_state(self, candidate: Candidate) -> bool:
        """Delete the state of a version; return whether it is gone."""


@dataclass(frozen=True)
class Terms:
    """The settings of releases."""

    load_seconds: float
    """Time in which every worker must have loaded a version."""
    retired_seconds: float
    """How long the state of a retired version is kept."""
    most_versions: int
    """Versions of a model that have series."""
    latency_bounds: Sequence[float]
    """Upper bounds of the buckets of the latency."""


class Agent:
    """Keeps this worker in step with the ledger; `step` runs in one thread."""

    def __init__(
        self,
        ledger: Ledger,
        membership: Membership,
        deployment: Deployment,
        terms: Terms,
        clock: Callable[[], float],
        report: Callable[[Exception], None],
    ) -> None:
        """Take the parts; `report` is called with each failure of the agent itself."""
        self.ledger: Final = ledger
        self.membership: Final = membership
        self.terms: Final = terms
        self._deployment = deployment
        self._clock = clock
        self._report = report
        self._applied: dict[str, int] = {}
        self._prepared: dict[int, Candidate] = {}
        """Versions that are ready for swaps, by the number of the swap."""
        self._is_busy = True
        self._tidy_at = 0.0
        self._wake = threading.Event()
        self._should_stop = False
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------ requests

    def request(self, candidate: Candidate, kind: Kind, cause: Cause) -> int:
        """Begin a swap; returns its number. Refused if the versions do not allow it."""
        swap = request(self.ledger, candidate, kind, cause, self._clock() + self.terms.load_seconds)
        self.wake()
        return swap.number

    def is_everywhere(self, model: str) -> bool:
        """Return whether every running worker serves what the ledger says."""
        serial, applied = self.ledger.serial(model), self.ledger.applied(model)
        return all(applied.get(worker, -1) >= serial for worker in self.membership.running(model))

    # ------------------------------------------------------------ the thread

    def start(self) -> None:
        """Follow the ledger in a thread."""
        self._thread = threading.Thread(target=self._run, name="releases", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and take part in swaps no longer."""
        self._should_stop = True
        self.wake()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
            if self._thread.is_alive():  # it loads a version; the process ends all the same
                return
        try:
            self.membership.leave()
        except DriftgaugeError as error:
            self._report(error)
        self.ledger.close()

    def wake(self) -> None:
        """Look at the ledger now."""
        self._is_busy = True
        self._wake.set()

    def _run(self) -> None:
        while not self._should_stop:
            self._wake.wait(WATCH_SECONDS)
            self._wake.clear()
            if self._should_stop:
                return
            try:
                self.step()
            except Exception as error:  # the server serves on with the versions that it has
                self._report(error)

    def step(self) -> None:
        """Do what the ledger asks for now."""
        changed, self._is_busy, was_busy = self.ledger.has_changed(), False, self._is_busy
        if changed or was_busy:
            for model in self.membership.models:
                self._follow(model)
        if self._clock() >= self._tidy_at:
            self._tidy_at = self._clock() + HOUSEKEEPING_SECONDS
            self._tidy()

    def _follow(self, model: str) -> None:
        if swap := self.ledger.open_swap(model):
            self._is_busy = True
            self._take_part(swap)
        self._apply(model)
        for number, candidate in list(self._prepared.items()):
            if (swap := self.ledger.swap(number)) is None or swap.state is not SwapState.PREPARING:
                del self._prepared[number]
                if swap is None or swap.state is SwapState.FAILED:
                    self._deployment.discard(candidate)

    def _take_part(self, swap: Swap) -> None:
        """Get ready for a swap and vote, once; then complete it if this was the last vote."""
        worker = self.membership.worker
        if worker not in self.ledger.votes(swap.number):
            self.ledger.vote(swap.number, worker, self._refusal(swap))
        advance(
            self.ledger,
            swap,
            self.membership.running(swap.candidate.model),
            self._measure,
            now=self._clock(),
            most_versions=self.terms.most_versions,
        )

    def _refusal(self, swap: Swap) -> str | None:
        """Prepare the version of a swap; returns why that failed."""
        if swap.kind is Kind.UNLOAD:
            return None
        try:
            self._deployment.prepare(swap.candidate)
        except DriftgaugeError as error:
            return str(error)
        except Exception as error:  # a library that fails in its own way
            self._report(error)
            return f"{type(error).__name__}: {error}"
        self._prepared[swap.number] = swap.candidate
        return None

    def _apply(self, model: str) -> None:
        serial = self.ledger.serial(model)
        if self._applied.get(model) == serial:
            return
        self._deployment.apply(model, self.ledger.versions(model))
        self._applied[model] = serial
        self.ledger.set_applied(self.membership.worker, model, serial)
        if live := live_of(self.ledger.versions(model)):
            structlog.get_logger().info("versions_changed", model=model, live=live.name)

    def _measure(self, swap: Swap) -> tuple[Counts | None, Figures | None]:
        """Return what the new version has counted so far, and the figures of the release that ends."""
        model = swap.candidate.model
        begun = self._deployment.counts(model, swap.candidate.version)
        live, current = live_of(self.ledger.versions(model)), current_release(self.ledger.history(model))
        counts = None if live is None else self._deployment.counts(model, live.name)
        if counts is None or current is None:
            return begun, None
        return begun, figures_of(counts.since(current.begun), self.terms.latency_bounds)

    # ------------------------------------------------------------ what is due

    def _tidy(self) -> None:
        """Remove versions that retired long ago, with their state, and what ended workers left."""
        self.membership.remove_ended()
        now = self._clock()
        for model in self.membership.models:
            for version in self.ledger.versions(model):
                if version.role is Role.RETIRED and now - version.since > self.terms.retired_seconds:
                    self.ledger.set_role(version, Role.REMOVED, now)
                    self._is_busy = True
                elif version.role is Role.REMOVED and self.is_everywhere(model):
                    self._delete(version)

    def _delete(self, version: Version) -> None:
        if self._deployment.delete_state(version.candidate):
            self.ledger.forget(version)
            structlog.get_logger().info(
                "version_removed", model=version.candidate.model, version=version.name, hint="its state is deleted"
            )
