"""Versions of a model, the changes between them, and the swap that is under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from driftgauge.releases.figures import Counts, Figures


class Role(StrEnum):
    """What a version does."""

    LIVE = "live"
    """It answers requests."""
    SHADOW = "shadow"
    """It predicts the same rows and never answers."""
    RETIRED = "retired"
    """It answered before, and its state is kept."""
    REMOVED = "removed"
    """Its state is about to be deleted."""


class Kind(StrEnum):
    """How a change of versions came about."""

    CONFIGURED = "configured"
    """The settings name the bundle."""
    LOAD = "load"
    SHADOW = "shadow"
    ROLLBACK = "rollback"
    UNLOAD = "unload"
    """A shadow was ended."""


class SwapState(StrEnum):
    """How far a swap is."""

    PREPARING = "preparing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Candidate:
    """A version of a model, and the bundle that holds it."""

    model: str
    version: str
    bundle: Path
    digest: str
    """Of the content of the bundle's files."""


@dataclass(frozen=True)
class Version:
    """A version that the ledger knows."""

    candidate: Candidate
    role: Role
    since: float
    """When it took this role, seconds since 1970."""

    @property
    def name(self) -> str:
        """The version itself."""
        return self.candidate.version


@dataclass(frozen=True)
class Cause:
    """Who changes something, and why."""

    who: str
    reason: str


@dataclass(frozen=True)
class Change:
    """An entry of the history of a model."""

    number: int
    model: str
    at: float
    """Seconds since 1970."""
    kind: Kind
    cause: Cause
    from_version: str | None
    to_version: str | None
    begun: Counts | None
    """What the new version had counted before."""
    before: Figures | None
    """The figures of the release that this one ended."""


@dataclass(frozen=True)
class Swap:
    """A requested change, which every worker has to be ready for."""

    number: int
    candidate: Candidate
    kind: Kind
    cause: Cause
    deadline: float
    """When it fails unless all workers are ready, seconds since 1970."""
    state: SwapState
    detail: str
    """Why it failed."""

    @property
    def role(self) -> Role:
        """The role that the version takes."""
        return {Kind.SHADOW: Role.SHADOW, Kind.UNLOAD: Role.RETIRED}.get(self.kind, Role.LIVE)


def live_of(versions: Sequence[Version]) -> Version | None:
    """Return the version that answers."""
    return next((version for version in versions if version.role is Role.LIVE), None)


def live_stack(history: Sequence[Change]) -> list[str]:
    """Return the versions that a rollback goes back through, the live one last."""
    stack: list[str] = []
    for change in history:
        if change.to_version is None or change.kind in (Kind.SHADOW, Kind.UNLOAD):
            continue
        if change.kind is Kind.ROLLBACK and change.to_version in stack:
            while stack[-1] != change.to_version:
                stack.pop()
        elif not stack or stack[-1] != change.to_version:
            stack.append(change.to_version)
    return stack


def surplus(versions: Sequence[Version], history: Sequence[Change], most: int) -> list[Version]:
    """Return the retired versions to remove so that no more than `most` have series.

    Those that retired first go first. The one that a rollback goes back to goes last.
    """
    kept = [own for own in versions if own.role is not Role.REMOVED]
    retired = {own.name: own for own in kept if own.role is Role.RETIRED}
    back = next((name for name in reversed(live_stack(history)[:-1]) if name in retired), None)
    leaving = sorted(retired.values(), key=lambda own: (own.name == back, own.since))
    return leaving[: max(0, len(kept) - most)]


def releases_of(history: Sequence[Change]) -> list[Change]:
    """Return the changes after which another version answered, in order."""
    return [change for change in history if change.kind not in (Kind.SHADOW, Kind.UNLOAD)]


def current_release(history: Sequence[Change]) -> Change | None:
    """Return the change with which the live version began to answer."""
    return next(iter(reversed(releases_of(history))), None)
