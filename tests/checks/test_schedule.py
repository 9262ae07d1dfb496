"""When executions are due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from driftgauge.checks.schedule import Schedule
from driftgauge.errors import CheckError


def times(text: str, first: str, count: int) -> list[str]:
    schedule, at, found = Schedule.named(text), datetime.fromisoformat(first).replace(tzinfo=UTC).timestamp(), []
    for _ in range(count):
        at = schedule.after(at)
        found.append(datetime.fromtimestamp(at, UTC).strftime("%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hourly", ["30 23:00", "01 00:00", "01 01:00"]),
        ("daily", ["01 00:00", "02 00:00", "03 00:00"]),
        ("30 6 * * *", ["01 06:30", "02 06:30", "03 06:30"]),
        ("0,20 */12 * * *", ["01 00:00", "01 00:20", "01 12:00"]),
        ("cron(0 * ? * * *)", ["30 23:00", "01 00:00", "01 01:00"]),
        ("cron(0 7/8 ? * * *)", ["30 23:00", "01 07:00", "01 15:00"]),
        ("*/30 22,23 * * *", ["30 22:30", "30 23:00", "30 23:30"]),
    ],
)
def test_executions_follow_each_other_across_the_end_of_a_month(text: str, expected: list[str]) -> None:
    assert times(text, "2026-11-30T22:15:00", 3) == expected


def test_the_next_execution_is_later_than_now() -> None:
    at = datetime(2026, 11, 30, 5, tzinfo=UTC).timestamp()
    assert Schedule.named("hourly").after(at) == at + 3_600.0
    assert Schedule.named("hourly").after(at - 0.001) == at


@pytest.mark.parametrize("text", ["weekly", "60 * * * *", "0 24 * * *", "0 0 1 * *", "0 */0 * * *", "x * * * *", "* *"])
def test_another_schedule_is_refused(text: str) -> None:
    with pytest.raises(CheckError, match="give hourly, daily, or minute and hour"):
        Schedule.named(text)
