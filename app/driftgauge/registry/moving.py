"""Moving an alias back, so that the registry and the server agree after a rollback.

A rollback needs no registry: the server goes back at once, and the move of the alias is held until MLflow answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.errors import Reason, Refused
from driftgauge.registry.address import Address
from driftgauge.registry.following import Following, FollowingFile, Held
from driftgauge.registry.versions import RegisteredVersion, Registry
from driftgauge.releases.release import Cause

ROLLED_BACK: Final = "driftgauge.rolled_back"
"""First part of the tags of a version that a rollback has left: when, why, by whom and to which version."""


@dataclass(frozen=True)
class AliasMoves:
    """Moves the alias that a model follows."""

    registry: Registry
    file: FollowingFile
    model: str
    address: Address

    def begin(self, to_version: str, cause: Cause, now: float) -> Held:
        """Hold a move for a rollback that is about to be made; Refused if the version is not registered."""
        from_version = self.file.read(self.model, str(self.address)).version or ""
        try:
            from_version = self._named().version
            self.registry.by_number(self.address.name, to_version)
        except Refused as error:
            if error.reason is not Reason.REGISTRY_UNREACHABLE:
                raise
        held = Held(from_version, to_version, cause.reason, cause.who, now)
        self._update(lambda known: replace(known, held=held))
        return held

    def cancel(self, held: Held) -> None:
        """Forget a move, because its rollback failed."""
        self._update(_without(held))

    def complete(self, held: Held) -> bool:
        """Move the alias; returns whether the registry has taken it. It is tried again with each poll."""
        try:
            self.settle(held, self._named())
        except Refused as error:
            structlog.get_logger().warning(
                "alias_not_moved", model=self.model, detail=error.message, hint="it is tried again with each poll"
            )
            return False
        return True

    def settle(self, held: Held, named: RegisteredVersion) -> RegisteredVersion:
        """Return the version that the alias names after a held move; it is dropped if the alias has moved meanwhile."""
        if named.version == held.from_version:
            self._move(held)
            named = self.registry.by_number(self.address.name, held.to_version)
        self._update(_without(held))
        return named

    def _move(self, held: Held) -> None:
        """Say on the version that the alias leaves when, why, by whom and to which version; then move the alias."""
        tags = {
            ROLLED_BACK: rfc3339(held.at, "seconds"),
            f"{ROLLED_BACK}.reason": held.reason,
            f"{ROLLED_BACK}.by": held.who,
            f"{ROLLED_BACK}.to": held.to_version,
        }
        self.registry.by_number(self.address.name, held.to_version)  # refused before anything is written
        self.registry.tag_version(self.address.name, held.from_version, tags)
        self.registry.set_alias(self.address.name, self.address.alias or "", held.to_version)
        self._update(lambda known: replace(known, version=held.to_version))

    def _named(self) -> RegisteredVersion:
        return self.registry.by_alias(self.address.name, self.address.alias or "")

    def _update(self, change: Callable[[Following], Following]) -> None:
        self.file.update(self.model, str(self.address), change)


def _without(held: Held) -> Callable[[Following], Following]:
    return lambda known: replace(known, held=None) if known.held == held else known
