"""The aliases that a server follows: what it says of them, and rollbacks that move them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from driftgauge.common.rfc3339 import rfc3339
from driftgauge.errors import ALIAS_FAILURES, Reason, Refused
from driftgauge.metrics.facts import AliasFacts
from driftgauge.registry.follower import Followed, Follower
from driftgauge.registry.following import Following
from driftgauge.registry.thread import AliasThread
from driftgauge.releases.release import Cause


@dataclass(frozen=True)
class Aliases:
    """The models that follow an alias."""

    followed: Mapping[str, Followed]
    """By the name of the served model."""
    follower: Follower
    thread: AliasThread
    stale_seconds: float
    """Time without an answer of the registry after which an alert is raised."""
    clock: Callable[[], float]
    """Returns seconds since 1970."""

    def start(self) -> None:
        """Follow the aliases from here on."""
        self.thread.start()

    async def stop(self) -> None:
        """Follow them no longer."""
        await asyncio.to_thread(self.thread.stop)

    def facts(self, model: str) -> AliasFacts | None:
        """Return what `/metrics` shows of a model's alias; None for a model that follows none."""
        if (own := self.followed.get(model)) is None:
            return None
        known = self.thread.known(model)
        return AliasFacts(
            alias=own.alias,
            version=known.version,
            refused=known.refused,
            polls=known.polls,
            failures=tuple(float(known.failures.get(reason.value, 0)) for reason in ALIAS_FAILURES),
            answered_at=known.polled_at or known.asked_at,
            stale_seconds=self.stale_seconds,
        )

    def as_json(self, model: str) -> dict[str, Any] | None:
        """Return what the list of versions says of a model's alias; None for a model that follows none."""
        if (own := self.followed.get(model)) is None:
            return None
        known: Following = self.follower.file.read(model, str(own.address))
        return {
            "address": str(own.address),
            "version": known.version,
            "polled_at": None if known.polled_at is None else rfc3339(known.polled_at, "milliseconds"),
            "problem": known.problem,
            "move_waits_for": None if known.held is None else known.held.to_version,
        }

    def refuse_load(self, model: str) -> None:
        """Raise Refused if the version of a model is that of its alias."""
        if (own := self.followed.get(model)) is not None:
            raise Refused(
                Reason.VERSION_CONFLICT,
                f"{model} follows {own.address}: let the alias name another version of the registered model; a "
                "version can be loaded as a shadow",
                {"model": model},
            )

    async def with_rollback(
        self, model: str, version: str, cause: Cause, change: Callable[[], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        """Make a rollback, and let the alias name the version too; it is moved later if the registry is away."""
        if (own := self.followed.get(model)) is None:
            return await change()
        moves = self.follower.moves(own)
        held = await asyncio.to_thread(moves.begin, version, cause, self.clock())
        try:
            changed = await change()
        except Refused:
            await asyncio.to_thread(moves.cancel, held)
            raise
        return {**changed, "alias_moved": await asyncio.to_thread(moves.complete, held)}
