"""When the executions of a schedule are due, in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from driftgauge.errors import CheckError

HOURS: Final = 24
MINUTES: Final = 60
NAMED: Final = {"hourly": "0 * * * *", "daily": "0 0 * * *"}
_OF_AWS: Final = re.compile(r"cron\((\S+) (\S+) [?*] \* [?*] \*\)")
_PART: Final = re.compile(r"(\*|\d{1,2})(?:/(\d{1,2}))?")


@dataclass(frozen=True)
class Schedule:
    """Minutes of some hours of each day."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]

    @classmethod
    def named(cls, text: str) -> Schedule:
        """Return the schedule of `hourly`, `daily` or an expression of cron; CheckError for any other.

        >>> Schedule.named("30 6/8 * * *")
        Schedule(minutes=(30,), hours=(6, 14, 22))
        """
        fields = _fields(text)
        minutes = None if fields is None else _values(fields[0], MINUTES)
        hours = None if fields is None else _values(fields[1], HOURS)
        if minutes is None or hours is None:
            raise CheckError(
                f"--schedule {text!r}: give hourly, daily, or minute and hour, "
                "as in '30 6 * * *' or 'cron(0 0/6 ? * * *)'"
            )
        return cls(minutes, hours)

    def after(self, at: float) -> float:
        """Return when the next execution is due, seconds since 1970; always later than `at`."""
        day = datetime.fromtimestamp(at, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        times = (
            (day + timedelta(days=days, hours=hour, minutes=minute)).timestamp()
            for days in range(2)
            for hour in self.hours
            for minute in self.minutes
        )
        return next(time for time in times if time > at)


def _fields(text: str) -> tuple[str, str] | None:
    """Return minute and hour of an expression; None if it has other fields that restrict it."""
    found = _OF_AWS.fullmatch(text)
    if found:
        return found[1], found[2]
    fields = NAMED.get(text, text).split()
    return (fields[0], fields[1]) if len(fields) == 5 and fields[2:] == ["*", "*", "*"] else None


def _values(field: str, end: int) -> tuple[int, ...] | None:
    """Return the numbers of a field below `end`: `*`, `5`, `5,35`, `*/10` or `5/10`; None if it is none of them."""
    chosen: set[int] = set()
    for part in field.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            return None
        first, step = (0 if found[1] == "*" else int(found[1])), found[2]
        if first >= end or (step is not None and not 0 < int(step) < end):
            return None
        is_range = found[1] == "*" or step is not None
        chosen |= set(range(first, end, int(step or 1))) if is_range else {first}
    return tuple(sorted(chosen))
