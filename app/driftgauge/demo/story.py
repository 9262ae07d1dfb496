"""The story of the demo: a quiet month, a deploy that breaks one column, and its repair.

All dates are New York's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from driftgauge.demo.replay import Replay, columns_of

ZONE: Final = "America/New_York"
BEGIN: Final = pd.Timestamp("2013-08-01", tz=ZONE)
FAULT: Final = pd.Timestamp("2013-08-27 15:00", tz=ZONE)
REPAIR: Final = pd.Timestamp("2013-08-30 15:00", tz=ZONE)
END: Final = pd.Timestamp("2013-09-09", tz=ZONE)
STATUS_EVERY_ROWS: Final = 100
ALERTING: Final = ("warning", "critical")
FIXED_LIMIT: Final = 0.2
"""The PSI from which the rule that Driftgauge is compared with would alert."""
FIXED_ROWS: Final = 1_000
"""The window of that rule, a sliding window of the server."""


def story_flights(flights: pd.DataFrame) -> pd.DataFrame:
    """Return the flights of the story, with the right hour in `hour`."""
    return flights[(flights["time"] >= BEGIN) & (flights["time"] < END)].reset_index(drop=True)


def with_fault(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the flights as they are sent: from the deploy until its repair, `hour` is in UTC."""
    broken = (rows["time"] >= FAULT) & (rows["time"] < REPAIR)
    return rows.assign(hour=rows["hour"].mask(broken, rows["time"].dt.hour))


@dataclass(frozen=True)
class Phase:
    """A part of the story: flights `start` to `end` - 1, and the days that they take."""

    name: str
    start: int
    end: int
    days: int


def phases(rows: pd.DataFrame) -> list[Phase]:
    """Return the phases that these flights reach, in order."""
    found = []
    for name, begin, end in (("before", BEGIN, FAULT), ("hour in UTC", FAULT, REPAIR), ("repaired", REPAIR, END)):
        first, last = (int(rows["time"].searchsorted(moment)) for moment in (begin, end))
        if first < last:
            reached = min(end, rows["time"].iloc[last - 1].ceil("D"))
            found.append(Phase(name, first, last, max(1, (reached - begin).days)))
    return found


# ---------------------------------------------------------------- what happens


@dataclass(frozen=True)
class Change:
    """A column that began to alert, or is quiet again."""

    column: str
    rows: int
    """Flights sent until the status that shows it."""
    alerting: bool


class AlertWatch:
    """Notes from each status which columns begin or cease to alert."""

    def __init__(self) -> None:
        self.changes: Final[list[Change]] = []
        self._alerting: set[str] = set()

    def look(self, columns: Mapping[str, Mapping[str, Any]], rows: int) -> list[Change]:
        """Return what changed since the last status."""
        alerting = {name for name, column in columns.items() if column["severity"] in ALERTING}
        changed = [Change(name, rows, name in alerting) for name in columns if name in alerting ^ self._alerting]
        self.changes.extend(changed)
        self._alerting = alerting
        return changed

    def between(self, phase: Phase, alerting: bool) -> list[str]:
        """Return the columns that began, or ceased, to alert in a phase."""
        return [
            change.column
            for change in self.changes
            if change.alerting is alerting and phase.start < change.rows <= phase.end
        ]


@dataclass
class FixedRule:
    """What a fixed limit of PSI would say, looked at once in 1,000 flights."""

    windows: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    """For each full window the flights sent and the columns at or above the limit."""

    def look(self, columns: Mapping[str, Mapping[str, Any]], rows: int) -> None:
        """Look at the newest 1,000 flights if as many have come since the last look."""
        if rows // FIXED_ROWS > (self.windows[-1][0] // FIXED_ROWS if self.windows else 0):
            psi = {name: column["windows"][str(FIXED_ROWS)]["psi"] for name, column in columns.items()}
            above = frozenset(name for name, value in psi.items() if value is not None and value >= FIXED_LIMIT)
            self.windows.append((rows, above))

    def within(self, phase: Phase) -> list[frozenset[str]]:
        """Return the columns above the limit in each window that ends in a phase."""
        return [above for rows, above in self.windows if phase.start < rows <= phase.end]

    def alerts(self, phase: Phase) -> int:
        """Return how many alerts begin in a phase; an alert lasts while a column stays above the limit."""
        before: frozenset[str] = frozenset()
        begun = 0
        for rows, above in self.windows:
            begun += len(above - before) if phase.start < rows <= phase.end else 0
            before = above
        return begun


class StoryLog:
    """Tells the story while it happens."""

    def __init__(self, rows: pd.DataFrame, say: Callable[[str], None]) -> None:
        """Tell of the replay of these flights."""
        self.watch: Final = AlertWatch()
        self.fixed: Final = FixedRule()
        self.phases: Final[Sequence[Phase]] = phases(rows)
        self._say = say
        self._scheduled = self._events()

    def on_batch(self, seen: Replay) -> None:
        """Tell what the replay itself does, such as the fault."""
        if self._scheduled and seen.rows > self._scheduled[0][0]:
            _, at, text = self._scheduled.pop(0)
            self._say(f"{_date(at)}  {text()}")

    def on_status(self, seen: Replay) -> None:
        """Tell which alerts begin and end."""
        columns = columns_of(seen.status)
        self.fixed.look(columns, seen.rows)
        for change in self.watch.look(columns, seen.rows):
            self._say(f"{_date(seen.at)}  {self._since_event(change)}{_verdict(change.column, columns[change.column])}")

    def _events(self) -> list[tuple[int, pd.Timestamp, Callable[[], str]]]:
        """Return the first flight, the moment and the text of each event that the replay reaches."""
        texts = {"hour in UTC": (FAULT, self._broken), "repaired": (REPAIR, lambda: "The deploy is rolled back.")}
        return [(phase.start, *texts[phase.name]) for phase in self.phases if phase.name in texts]

    def _broken(self) -> str:
        quiet = self.phases[0]
        return (
            f"{counted(len(self.watch.between(quiet, True)), 'alert')} in {counted(quiet.days, 'day')}. "
            "Now a deploy breaks an input: hour arrives in UTC, not in New York's time."
        )

    def _since_event(self, change: Change) -> str:
        start = [phase.start for phase in self.phases if phase.start < change.rows][-1]
        return f"{change.rows - start:,} flights later: " if start else ""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: No alert, 1 alert, 2 alerts."""
    return f"{f'{number:,}' if number else 'No'} {noun}{'s' if number > 1 else ''}"


def _verdict(name: str, column: Mapping[str, Any]) -> str:
    if column["severity"] not in ALERTING:
        return f"{name} is {column['status']} again."
    return f"{column['status']}, severity {column['severity']}. {column['reason']}"


def _date(at: pd.Timestamp) -> str:
    local = at.tz_convert(ZONE)
    return f"{local.day:>2} {local:%b %H:%M}"
