"""The guards of an action: whether it runs now, later or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from driftgauge.actions.action import Action, Alert, Confirmation, State
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.settings.actions import minutes_of

DAY_SECONDS: Final = 86_400.0
CONFIRM_SECONDS: Final = 10.0
"""Time between two looks at a second condition that does not hold yet."""
ALLOWED: Final = "allowed"
QUIET: Final = "quiet_hours"


@dataclass(frozen=True)
class Finding:
    """What is decided now, and by which guard."""

    state: State
    reason: str
    detail: str
    due_at: float
    """When it is looked at next."""


@dataclass(frozen=True)
class Case:
    """An alert that leads to an action, with what the guards need to know."""

    action: Action
    alert: Alert
    received_at: float
    is_dry_run: bool
    runs: Sequence[float]
    """When this action was decided before, seconds since 1970, the newest last; of dry runs where this is one."""


def judge(case: Case, now: float, confirmation: Confirmation | None = None) -> Finding:
    """Return what the guards decide at a time in seconds since 1970, the first one that does not let it pass.

    `confirmation` is that of the second condition; it is not looked at for an action without one.
    """
    return (
        _not_long_enough(case, now)
        or _quiet(case.action, now)
        or _cooling_down(case, now)
        or _too_many(case, now)
        or _unconfirmed(case, now, confirmation)
        or _allowed(case, now)
    )


def next_look(action: Action, now: float) -> float:
    """Return the first time from now at which it is not quiet."""
    return found.due_at if (found := _quiet(action, now)) else now


def memory_seconds(action: Action) -> float:
    """Return for how long runs matter to the guards."""
    return max(DAY_SECONDS, action.settings.cooldown_seconds)


def _not_long_enough(case: Case, now: float) -> Finding | None:
    begun = min(case.alert.starts_at, case.received_at)  # a clock that is ahead must not make it wait for years
    due = begun + case.action.settings.for_seconds
    if now >= due or not case.action.settings.for_seconds:
        return None
    return _waiting("for_seconds", f"the alert must fire until {rfc3339(due)}", due)


def _quiet(action: Action, now: float) -> Finding | None:
    own = action.settings
    if own.quiet_hours is None:
        return None
    until = quiet_until(own.quiet_hours, own.time_zone, now)
    return None if until is None else _waiting(QUIET, f"it is quiet until {rfc3339(until)}", until)


def _cooling_down(case: Case, now: float) -> Finding | None:
    until = max(case.runs, default=-float("inf")) + case.action.settings.cooldown_seconds
    if now >= until:
        return None
    return _refused("cooldown_seconds", f"it ran at {rfc3339(max(case.runs))} and rests until {rfc3339(until)}", now)


def _too_many(case: Case, now: float) -> Finding | None:
    most, today = case.action.settings.most_a_day, [at for at in case.runs if at > now - DAY_SECONDS]
    if len(today) < most:
        return None
    return _refused("most_a_day", f"it ran {len(today)} times in 24 hours, and may run {most} times", now)


def _unconfirmed(case: Case, now: float, confirmation: Confirmation | None) -> Finding | None:
    if not case.action.needs_confirmation:
        return None
    if confirmation is None:
        return _waiting("confirm", "the second condition is looked at next", now)
    if confirmation.holds:
        return None
    until = case.received_at + case.action.confirm_within_seconds
    if now >= until:
        return _refused("confirm", f"not confirmed: {confirmation.detail}", now)
    return _waiting(
        "confirm",
        f"not confirmed yet, until {rfc3339(until)}: {confirmation.detail}",
        min(now + CONFIRM_SECONDS, until),
    )


def _allowed(case: Case, now: float) -> Finding:
    if case.is_dry_run:
        return Finding(State.DRY_RUN, "dry_run", "all guards let it pass; dry_run keeps it from running", now)
    return Finding(State.DECIDED, ALLOWED, "all guards let it pass", now)


def _waiting(reason: str, detail: str, due_at: float) -> Finding:
    return Finding(State.WAITING, reason, detail, due_at)


def _refused(reason: str, detail: str, now: float) -> Finding:
    return Finding(State.REFUSED, reason, detail, now)


def quiet_until(hours: str, zone: str, now: float) -> float | None:
    """Return when the quiet hours that it is in end, seconds since 1970; None outside of them.

    >>> quiet_until("22:00-06:00", "UTC", 1.0), quiet_until("22:00-06:00", "UTC", 43_200.0)
    (21600.0, None)
    """
    first, last = minutes_of(hours)
    local = datetime.fromtimestamp(now, ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    is_quiet = first <= minute < last if first < last else minute >= first or minute < last
    if not is_quiet:
        return None
    end = local.replace(hour=last // 60, minute=last % 60, second=0, microsecond=0, fold=0)
    if minute >= last:
        end += timedelta(days=1)
    return max(end.timestamp(), now + 1.0)  # when clocks are put back, an hour comes twice
