"""Following an alias: one worker asks the registry, and a moved alias becomes a hot swap of all workers.

A version that cannot be loaded changes nothing. It is tried again when the alias moves,
and after a time that doubles with each attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import structlog

from driftgauge.common.back_off import BackOff
from driftgauge.errors import Reason, Refused
from driftgauge.models.bundle import read_info
from driftgauge.registry.address import Address
from driftgauge.registry.fetching import fetched, folder_of, remember, remove_others
from driftgauge.registry.following import Following, FollowingFile
from driftgauge.registry.moving import AliasMoves
from driftgauge.registry.versions import RegisteredVersion, Registry
from driftgauge.releases.ledger import Ledger
from driftgauge.releases.release import Candidate, Cause, Kind, Role, Swap, SwapState, live_of, live_stack

RETRY: Final = BackOff(first_seconds=60.0, most_seconds=3_600.0)
"""Waits until a version that could not be loaded is tried again."""
ROLLBACK_SECONDS: Final = 60.0
"""Time that a rollback may take to begin its swap."""
WHO: Final = "alias {}"
"""Who changes the version when the alias has moved, as the history says it."""


class Requests(Protocol):
    """Begins swaps."""

    def request(self, candidate: Candidate, kind: Kind, cause: Cause) -> int:
        """Begin a swap; returns its number. Refused if the versions do not allow it."""


@dataclass(frozen=True)
class Followed:
    """A served model, and the registered model whose alias it follows."""

    model: str
    names: Sequence[str]
    """The names that its bundles may have."""
    address: Address

    @property
    def alias(self) -> str:
        """The alias."""
        return self.address.alias or ""


class Follower:
    """Follows the aliases of the models of a server, in one thread of one worker."""

    def __init__(
        self,
        registry: Registry,
        file: FollowingFile,
        ledger: Ledger,
        requests: Requests,
        state_folder: Path,
        followed: Sequence[Followed],
        poll_seconds: float,
    ) -> None:
        """Take the parts; each model is asked for every `poll_seconds`."""
        self.followed: Final = followed
        self.file: Final = file
        self._registry = registry
        self._ledger = ledger
        self._requests = requests
        self._state_folder = state_folder
        self._poll_seconds = poll_seconds
        self._due: dict[str, float] = {}
        self._swaps: dict[str, tuple[int, str]] = {}
        """The swap that was begun for each model, and its version."""

    def step(self, now: float) -> None:
        """Look at swaps that were begun, and ask for the aliases that are due."""
        for own in self.followed:
            if own.model in self._swaps:
                self._look_at_swap(own, now)
            if now >= self._due.get(own.model, 0.0):
                self._due[own.model] = now + self._poll_seconds
                self._poll(own, now)

    def _update(self, own: Followed, change: Callable[[Following], Following]) -> Following:
        return self.file.update(own.model, str(own.address), change)

    # ------------------------------------------------------------ asking

    def _poll(self, own: Followed, now: float) -> None:
        """Ask for an alias, and follow it; a failure is written down and changes nothing else."""
        self._update(own, lambda known: replace(known, polls=known.polls + 1, asked_at=known.asked_at or now))
        try:
            named = self._registry.by_alias(own.address.name, own.alias)
            self._update(own, lambda known: replace(known, version=named.version, run=named.run, polled_at=now))
            if (version := self._after_rollback(own, named, now)) is not None:
                self._follow(own, version, now)
        except Refused as error:
            self._note(own, error)

    def _after_rollback(self, own: Followed, named: RegisteredVersion, now: float) -> RegisteredVersion | None:
        """Return the version to follow, after the alias has moved with a rollback; None while one is under way."""
        if (held := self.file.read(own.model, str(own.address)).held) is None:
            return named
        live, moves = live_of(self._ledger.versions(own.model)), self.moves(own)
        if live is not None and live.name == held.to_version:
            return moves.settle(held, named)
        if self._ledger.open_swap(own.model) is not None or now - held.at < ROLLBACK_SECONDS:
            return None
        moves.cancel(held)  # whichever worker was asked has ended
        return named

    def moves(self, own: Followed) -> AliasMoves:
        """Return what moves the alias of a model."""
        return AliasMoves(self._registry, self.file, own.model, own.address)

    def _follow(self, own: Followed, version: RegisteredVersion, now: float) -> None:
        """Begin a swap unless the version is live, or was refused a short time ago."""
        known = self.file.read(own.model, str(own.address))
        if own.model in self._swaps or (known.refused == version.version and now < known.retry_at):
            return
        try:
            if not self._is_live(own, version):
                self._begin(own, version)
            elif known.problem is not None:
                self._update(own, in_step)
        except Refused as error:
            if error.reason in (Reason.REGISTRY_UNREACHABLE, Reason.VERSION_CONFLICT):
                raise  # it may be possible at the next poll
            self._refuse(own, version.version, error, now)

    def _is_live(self, own: Followed, version: RegisteredVersion) -> bool:
        """Say whether a version answers; Refused if another one of its name does."""
        live = live_of(self._ledger.versions(own.model))
        if live is None or live.name != version.version:
            return False
        if live.candidate.digest != version.bundle.digest:
            raise Refused(
                Reason.VERSION_NOT_LOADED,
                f"the live version {live.name} has other files than the registered one: give the bundle of the "
                "settings another version, or register this one",
            )
        return True

    def _begin(self, own: Followed, version: RegisteredVersion) -> None:
        """Fetch the bundle of a version, and begin the swap."""
        if self._ledger.open_swap(own.model) is not None:
            return  # another change is under way: at the next poll
        folder = fetched(self._registry, version, self._state_folder)
        info = read_info(folder)
        if info.name not in own.names:
            raise Refused(
                Reason.VERSION_NOT_LOADED,
                f"the bundle of version {version.version} holds the model {info.name}, not {own.names[0]}",
            )
        candidate = Candidate(own.model, version.version, folder, version.bundle.digest)
        earlier = version.version in live_stack(self._ledger.history(own.model))[:-1]
        cause = Cause(WHO.format(own.alias), f"{own.address} names version {version.version}")
        number = self._requests.request(candidate, Kind.ROLLBACK if earlier else Kind.LOAD, cause)
        self._swaps[own.model] = (number, version.version)
        structlog.get_logger().info("alias_moved", model=own.model, alias=own.alias, version=version.version)

    def _look_at_swap(self, own: Followed, now: float) -> None:
        """Note how a swap ended."""
        number, version = self._swaps[own.model]
        swap: Swap | None = self._ledger.swap(number)
        if swap is not None and swap.state is SwapState.PREPARING:
            return
        del self._swaps[own.model]
        if swap is not None and swap.state is SwapState.FAILED:
            self._refuse(own, version, Refused(Reason.VERSION_NOT_LOADED, swap.detail), now)
        elif swap is not None:
            self._update(own, in_step)
            remember(self._state_folder, own.address, version)
            self._tidy(own, version)

    def _tidy(self, own: Followed, version: str) -> None:
        """Delete the bundles of versions that are no longer kept."""
        folder = folder_of(self._state_folder, own.address.name)
        kept = {version}
        for known in self._ledger.versions(own.model):
            if known.role is not Role.REMOVED and known.candidate.bundle.parent == folder:
                kept.add(known.name)
        remove_others(self._state_folder, own.address.name, kept)

    # ------------------------------------------------------------ failures

    def _refuse(self, own: Followed, version: str, error: Refused, now: float) -> None:
        """Note that a version cannot be loaded, and when it is tried again."""

        def change(known: Following) -> Following:
            attempts = known.attempts + 1 if known.refused == version else 1
            return replace(known, refused=version, attempts=attempts, retry_at=now + RETRY.longest(attempts))

        self._update(own, change)
        self._note(own, Refused(error.reason, f"version {version} was not loaded: {error.message}"))

    def _note(self, own: Followed, error: Refused) -> None:
        def change(known: Following) -> Following:
            failures = {**known.failures, error.reason.value: known.failures.get(error.reason.value, 0) + 1}
            return replace(known, failures=failures, problem=error.message)

        self._update(own, change)


def in_step(known: Following) -> Following:
    """Return what is known once the live version is the one that the alias names."""
    return replace(known, problem=None, refused=None, attempts=0)
