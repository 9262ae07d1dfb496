"""Swaps in two phases: every worker gets ready, and only when all are the version takes its role.

No worker leads. Whichever sees that all have voted completes the swap, so it does not depend on the one that was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from driftgauge.errors import Reason, Refused
from driftgauge.releases.figures import Counts, Figures
from driftgauge.releases.ledger import Ledger
from driftgauge.releases.release import (
    Candidate,
    Cause,
    Kind,
    Role,
    Swap,
    SwapState,
    Version,
    live_of,
    live_stack,
)

Measure = Callable[[Swap], tuple[Counts | None, Figures | None]]
"""Returns what the new version has counted, and the figures of the release that ends."""


def request(ledger: Ledger, candidate: Candidate, kind: Kind, cause: Cause, deadline: float) -> Swap:
    """Begin a swap; Refused with VERSION_CONFLICT if the versions do not allow it."""
    with ledger.transaction():
        versions = ledger.versions(candidate.model)
        _refuse_conflict(ledger.open_swap(candidate.model), candidate, versions, kind)
        number = ledger.begin_swap(candidate, kind, cause, deadline)
    found = ledger.swap(number)
    assert found is not None  # noqa: S101  it was just written
    return found


def rollback_target(ledger: Ledger, model: str, version: str | None = None) -> Candidate:
    """Return the version that answered before the live one, or a named earlier one; Refused if there is none."""
    stack = live_stack(ledger.history(model))
    known = {own.name: own for own in ledger.versions(model) if own.role is not Role.REMOVED}
    earlier = [name for name in stack[:-1] if name in known]
    wanted = version or (earlier[-1] if earlier else None)
    if wanted is None or wanted not in known:
        what = "no earlier version" if version is None else f"no version {version!r}"
        raise Refused(
            Reason.VERSION_CONFLICT,
            f"{model} has {what} to go back to; it may have been deleted after retired_state_seconds: "
            "load its bundle again",
            {"known": sorted(known)},
        )
    return known[wanted].candidate


def _refuse_conflict(under_way: Swap | None, candidate: Candidate, versions: list[Version], kind: Kind) -> None:
    def conflict(message: str) -> Refused:
        return Refused(Reason.VERSION_CONFLICT, message, {"model": candidate.model, "version": candidate.version})

    if under_way is not None:
        raise conflict(f"version {under_way.candidate.version} of {candidate.model} is being loaded: retry later")
    same = next((own for own in versions if own.name == candidate.version), None)
    if kind is Kind.UNLOAD:
        if same is None or same.role is not Role.SHADOW:
            raise conflict(f"version {candidate.version} of {candidate.model} is no shadow: only a shadow is unloaded")
        return
    if same is None:
        return
    if same.role is Role.REMOVED:
        raise conflict(f"the state of version {candidate.version} is being deleted: retry in a minute")
    if same.candidate.digest != candidate.digest:
        raise conflict(
            f"version {candidate.version} of {candidate.model} is known with other files: "
            "give the new bundle another version"
        )
    live = live_of(versions)
    if same is live or (kind is Kind.SHADOW and same.role is Role.SHADOW):
        raise conflict(f"version {candidate.version} of {candidate.model} is the {same.role} version already")


def advance(
    ledger: Ledger, swap: Swap, running: Mapping[str, int], measure: Measure, *, now: float, most_versions: int
) -> None:
    """Complete a swap if all workers are ready, or let it fail; do nothing while votes are missing.

    Afterwards no more than `most_versions` of the model have series.
    """
    votes = {worker: refusal for worker, refusal in ledger.votes(swap.number).items() if worker in running}
    missing = [pid for worker, pid in running.items() if worker not in votes]
    refusals = sorted({refusal for refusal in votes.values() if refusal is not None})
    if refusals:
        _finish(ledger, swap, SwapState.FAILED, "; ".join(refusals))
    elif now > swap.deadline:
        names = ", ".join(map(str, sorted(missing))) or "all workers were ready too late"
        _finish(ledger, swap, SwapState.FAILED, f"not ready in time: process {names}" if missing else names)
    elif not missing:
        begun, before = (None, None) if swap.role is not Role.LIVE else measure(swap)
        with ledger.transaction():
            if _is_open(ledger, swap):
                ledger.promote(swap.candidate, swap.kind, swap.cause, now, begun, before)
                ledger.make_room(swap.candidate.model, most_versions)
                ledger.finish_swap(swap.number, SwapState.DONE)


def _finish(ledger: Ledger, swap: Swap, state: SwapState, detail: str) -> None:
    with ledger.transaction():
        if _is_open(ledger, swap):
            ledger.finish_swap(swap.number, state, detail)


def _is_open(ledger: Ledger, swap: Swap) -> bool:
    current = ledger.swap(swap.number)
    return current is not None and current.state is SwapState.PREPARING
