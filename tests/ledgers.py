"""Ledgers of releases, and workers that follow them without serving anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from driftgauge.errors import BundleError
from driftgauge.releases.agent import Agent, Terms
from driftgauge.releases.figures import Counts
from driftgauge.releases.ledger import Ledger
from driftgauge.releases.membership import Membership
from driftgauge.releases.release import Candidate, Cause, Role, Version, live_of

BOUNDS = (0.001, 0.01, 0.1)
CAUSE = Cause("ann", "a new model")


def candidate(version: str, digest: str | None = None, model: str = "m") -> Candidate:
    """Return a version of a model in a folder of its own."""
    return Candidate(model, version, Path("/bundles") / version, digest or f"digest of {version}")


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Served:
    """The versions that a worker serves: a deployment without models."""

    def __init__(self) -> None:
        self.live: str | None = None
        self.roles: dict[str, Role] = {}
        self.ready: list[str] = []
        self.discarded: list[str] = []
        self.deleted: list[str] = []
        self.broken: set[str] = set()
        """Versions that this worker cannot load."""
        self.counted: dict[str, Counts] = {}
        self.in_use = False
        """Whether the states cannot be deleted."""

    def prepare(self, own: Candidate) -> None:
        """Load a version, unless it is broken."""
        if own.version in self.broken:
            raise BundleError(f"version {own.version} cannot be loaded here")
        self.ready.append(own.version)

    def apply(self, model: str, versions: Sequence[Version]) -> None:
        """Serve the versions."""
        self.roles = {own.name: own.role for own in versions}
        live = live_of(versions)
        self.live = None if live is None else live.name

    def discard(self, own: Candidate) -> None:
        """Drop a version."""
        self.discarded.append(own.version)

    def counts(self, model: str, version: str) -> Counts | None:
        """Return what the test has set."""
        return self.counted.get(version)

    def delete_state(self, own: Candidate) -> bool:
        """Delete a state unless it is in use."""
        if not self.in_use:
            self.deleted.append(own.version)
        return not self.in_use


class Worker:
    """A worker of a ledger, whose steps a test makes."""

    def __init__(
        self, folder: Path, clock: Callable[[], float], *, retired_seconds: float = 3600.0, most_versions: int = 3
    ) -> None:
        self.ledger = Ledger.open(folder)
        self.membership = Membership(self.ledger, ["m"])
        self.served = Served()
        self.errors: list[Exception] = []
        terms = Terms(60.0, retired_seconds, most_versions, BOUNDS)
        self.agent = Agent(self.ledger, self.membership, self.served, terms, clock, self.errors.append)

    def kill(self) -> None:
        """End as a killed process does: the kernel closes its files."""
        lock = self.membership._lock
        assert lock is not None
        lock.release()
        self.ledger.close()


def settle(*workers: Worker, steps: int = 4) -> None:
    """Let workers take turns."""
    for _ in range(steps):
        for worker in workers:
            worker.agent.step()
