"""The history of a monitor's verdicts, as others read it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from driftgauge.drift.verdict.history import History, SeverityChange
from driftgauge.drift.verdict.news import News, news
from driftgauge.drift.verdict.record import recorded
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import VERDICTS
from driftgauge.state.store import Store


class ChangeLog(NamedTuple):
    """Changes of severities, oldest first."""

    changes: tuple[SeverityChange, ...]
    dropped: int
    """Older changes that made room for newer ones since the history began."""


class VerdictHistory:
    """The verdicts that all workers of a model version have reached; times are by the monitor's clock."""

    def __init__(self, store: Store, names: Sequence[str]) -> None:
        """Read and write the history of a store; `names` are those of its columns."""
        self.names: Final = tuple(names)
        self._store = store

    def read(self, since: float = -math.inf, columns: Sequence[str] | None = None) -> History:
        """Return the verdicts from `since`, seconds since 1970, by default all of all columns.

        The last two hours are by minutes, the last two days by quarters of an hour, the last 60 days by days.
        ValueError for an unknown column.
        """
        history = self._store.history.current.read(self.names, since)
        return history if columns is None else history.of(columns)

    def changes(self, since: float = -math.inf) -> ChangeLog:
        """Return the changes of severities from `since`, seconds since 1970, by default all that are kept."""
        found = self._store.history.current.changes()
        names = [*self.names, None]
        changes = (
            SeverityChange(at, names[place], VERDICTS[before], VERDICTS[after])
            for at, place, before, after in zip(
                found.at.tolist(), found.column.tolist(), found.before.tolist(), found.after.tolist(), strict=True
            )
            if at >= since
        )
        return ChangeLog(tuple(changes), found.dropped)

    def news(self, report: DriftReport, since: float) -> News | None:
        """Return what changed since the last verdict until `since`, or since the oldest; None without a history."""
        before = self.read().before(since)
        return None if before is None else news(report, before)

    def keep(self, report: DriftReport) -> None:
        """Keep the verdicts of a report. The caller holds the evaluation lock."""
        self._store.history.keep(recorded(report), self._store.note)
