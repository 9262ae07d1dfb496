from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from driftgauge.actions.action import Confirmation, State
from driftgauge.actions.guards import Case, Finding, judge, next_look, quiet_until

from tests.acting import CONFIRMED, NOON, action, alert

HOUR = 3_600.0


def case(runs: Sequence[float] = (), *, starts_at: float = NOON, **settings: Any) -> Case:
    own = action(**settings)
    return Case(own, alert(starts_at=starts_at), NOON, own.settings.dry_run, runs)


def found(judged: Finding) -> tuple[State, str, float]:
    return judged.state, judged.reason, judged.due_at


def test_without_a_guard_that_objects_it_is_decided() -> None:
    assert found(judge(case(), NOON)) == (State.DECIDED, "allowed", NOON)


def test_a_dry_run_would_have_run() -> None:
    assert found(judge(case(dry_run=True), NOON)) == (State.DRY_RUN, "dry_run", NOON)


def test_an_alert_must_fire_for_long_enough() -> None:
    own = case(for_seconds=300.0)
    assert found(judge(own, NOON + 299.0)) == (State.WAITING, "for_seconds", NOON + 300.0)
    assert judge(own, NOON + 300.0).state is State.DECIDED


def test_a_clock_of_prometheus_that_is_ahead_does_not_delay_without_for_seconds() -> None:
    assert judge(case(starts_at=NOON + 5.0), NOON).state is State.DECIDED


def test_an_alert_of_the_future_fires_from_when_it_came() -> None:
    judged = judge(case(starts_at=NOON + 1e9, for_seconds=300.0), NOON)
    assert found(judged) == (State.WAITING, "for_seconds", NOON + 300.0)


def test_the_next_one_is_refused_until_the_cooldown_is_over() -> None:
    own = case([NOON - HOUR], cooldown_seconds=HOUR + 1.0)
    refused = judge(own, NOON)
    assert found(refused) == (State.REFUSED, "cooldown_seconds", NOON)
    assert refused.detail == "it ran at 2026-03-04T11:00:00Z and rests until 2026-03-04T12:00:01Z"
    assert judge(own, NOON + 1.0).state is State.DECIDED


def test_a_day_has_only_so_many() -> None:
    runs = [NOON - 24 * HOUR + 1.0, NOON - HOUR]
    own = case(runs, most_a_day=2)
    refused = judge(own, NOON)
    assert found(refused) == (State.REFUSED, "most_a_day", NOON)
    assert refused.detail == "it ran 2 times in 24 hours, and may run 2 times"
    assert judge(own, NOON + 1.0).state is State.DECIDED


def test_quiet_hours_make_it_wait_for_their_end() -> None:
    own = case(quiet_hours="10:00-13:30")
    assert found(judge(own, NOON)) == (State.WAITING, "quiet_hours", NOON + 1.5 * HOUR)
    assert judge(own, NOON + 1.5 * HOUR).state is State.DECIDED
    assert next_look(own.action, NOON) == NOON + 1.5 * HOUR
    assert next_look(own.action, NOON + 2 * HOUR) == NOON + 2 * HOUR


@pytest.mark.parametrize(
    ("zone", "now", "end"),
    [
        ("UTC", (2026, 3, 4, 23, 0), (2026, 3, 5, 6, 0)),
        ("UTC", (2026, 3, 5, 5, 59), (2026, 3, 5, 6, 0)),
        ("UTC", (2026, 3, 5, 6, 0), None),
        ("UTC", (2026, 3, 4, 21, 59), None),
        ("UTC", (2026, 3, 4, 22, 0), (2026, 3, 5, 6, 0)),
        ("Europe/Berlin", (2026, 3, 29, 1, 0), (2026, 3, 29, 6, 0)),  # at 2 it becomes 3
        ("Europe/Berlin", (2026, 10, 24, 23, 0), (2026, 10, 25, 6, 0)),  # at 3 it becomes 2
        ("America/New_York", (2026, 12, 31, 22, 30), (2027, 1, 1, 6, 0)),
    ],
)
def test_quiet_hours_are_those_of_their_zone(zone: str, now: tuple[int, ...], end: tuple[int, ...] | None) -> None:
    def seconds(at: tuple[int, ...]) -> float:
        year, month, day, hour, minute = at
        return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone)).timestamp()

    assert quiet_until("22:00-06:00", zone, seconds(now)) == (None if end is None else seconds(end))


def test_an_hour_that_comes_twice_ends() -> None:
    zone = "Europe/Berlin"
    first = datetime(2026, 10, 25, 0, 10, tzinfo=UTC).timestamp()  # 2:10, for the first time
    second = first + HOUR
    assert quiet_until("02:00-02:30", zone, first) == first + 1_200.0
    assert quiet_until("02:00-02:30", zone, second) == second + 1.0  # looked at again each second


def confirmed(now: float, confirmation: Confirmation | None, **settings: Any) -> Finding:
    own = action(**CONFIRMED, **settings)
    return judge(Case(own, alert(), NOON, own.settings.dry_run, ()), now, confirmation)


def test_a_second_condition_is_looked_at_last() -> None:
    assert found(confirmed(NOON, None)) == (State.WAITING, "confirm", NOON)
    assert confirmed(NOON, None, quiet_hours="10:00-13:30").reason == "quiet_hours"
    assert confirmed(NOON, Confirmation(holds=True, detail="worse")).state is State.DECIDED
    assert confirmed(NOON, Confirmation(holds=True, detail="worse"), dry_run=True).state is State.DRY_RUN


def test_a_second_condition_that_does_not_hold_in_time_refuses() -> None:
    not_yet = Confirmation(holds=False, detail="performance is normal")
    assert found(confirmed(NOON, not_yet)) == (State.WAITING, "confirm", NOON + 10.0)
    assert found(confirmed(NOON + 55.0, not_yet)) == (State.WAITING, "confirm", NOON + 60.0)
    refused = confirmed(NOON + 60.0, not_yet)
    assert (refused.state, refused.detail) == (State.REFUSED, "not confirmed: performance is normal")
