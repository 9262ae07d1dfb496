"""News: what changed between an earlier verdict of the history and a report, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.verdict.history import SEVERITY_LEVELS, History
from driftgauge.drift.verdict.numbers import percent, two_decimals
from driftgauge.drift.verdict.record import recorded
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import VERDICTS, Status, Verdict

MOST_SENTENCES: Final = 20
"""Sentences on columns; the rest is a number."""
MUCH: Final = 0.5
"""Growth of a PSI that is news, as a share of its limit."""
RATIO_CHANGE: Final = 0.01
"""Change of a share of rows that is news."""
_RATIOS: Final = {
    "missing_ratio": "missing values",
    "unseen_ratio": "values that the reference does not contain",
    "out_of_range_ratio": "values outside the reference's range",
}
_WARNING: Final = SEVERITY_LEVELS.index("warning")


@dataclass(frozen=True)
class News:
    """What changed since an earlier verdict."""

    since: float
    """The time of that verdict, seconds since 1970."""
    sentences: tuple[str, ...]
    """First on the model, then on columns, the worst first; empty if nothing changed."""


def news(report: DriftReport, before: History) -> News:
    """Return what changed since `before`, a history of one moment of the same columns."""
    found = _News(report, recorded(report), before)
    on_columns = [sentence for i in report.worst_first for sentence in found.on_column(i)]
    shown = on_columns[:MOST_SENTENCES]
    more = [f"{len(on_columns) - len(shown)} more changes of columns."] if len(on_columns) > len(shown) else []
    return News(float(before.at[0]), (*found.on_model(), *shown, *more))


@dataclass(frozen=True)
class _News:
    report: DriftReport
    now: History
    before: History

    def on_model(self) -> Iterator[str]:
        """Yield how the model's verdict changed."""
        earlier, later = VERDICTS[self.before.rank[0]], VERDICTS[self.now.rank[0]]
        if earlier != later:
            yield f"The model's status changed from {_in_words(earlier)} to {_in_words(later)}."

    def on_column(self, i: int) -> Iterator[str]:
        """Yield what changed in a column."""
        name, psi = self.now.names[i], self._psi(i)
        if change := self._severity(i):
            yield f"{name}: {change}{f' ({psi})' if psi else ''}."
        elif (
            self._by_psi(i)
            and self.now.psi[0, i] - self.before.psi[0, i] >= MUCH * self.report.main.thresholds["warning"][i]
        ):
            yield f"{name}: {psi}."
        for statistic, words in _RATIOS.items():
            earlier, later = (float(own.column(statistic)[0, i]) for own in (self.before, self.now))
            if abs(later - earlier) >= RATIO_CHANGE:
                verb = "rose" if later > earlier else "fell"
                yield f"{name}: {words} {verb} from {percent(earlier)} to {percent(later)} of rows."

    def _severity(self, i: int) -> str:
        """Return how the severity of a column changed; empty if it did not."""
        earlier, later = int(self.before.severity[0, i]), int(self.now.severity[0, i])
        was, severity = SEVERITY_LEVELS[earlier], SEVERITY_LEVELS[later]
        if later == earlier:
            return ""
        if self.report.verdicts[i].status is Status.INSUFFICIENT_DATA:
            return f"not enough data any more; severity was {was}"
        if later > earlier:
            if earlier >= _WARNING:
                return f"severity rose from {was} to {severity}"
            return f"new drift, severity {severity}" if later >= _WARNING else "new significant change, for information"
        if later >= _WARNING:
            return f"severity fell from {was} to {severity}"
        if earlier < _WARNING:
            return "no significant change any more"
        return f"drift ended; severity was {was}{', and a change is still significant' if later else ''}"

    def _psi(self, i: int) -> str:
        earlier, later = float(self.before.psi[0, i]), float(self.now.psi[0, i])
        limit = f", limit {two_decimals(float(self.report.main.thresholds['warning'][i]))}" if self._by_psi(i) else ""
        if np.isnan(later):
            return ""
        if np.isnan(earlier):
            return f"PSI {two_decimals(later)}{limit}"
        verb = "rose" if later > earlier else "fell"
        return f"PSI {verb} from {two_decimals(earlier)} to {two_decimals(later)}{limit}"

    def _by_psi(self, i: int) -> bool:
        return self.report.main.sizes.statistics[i] == "psi"


def _in_words(verdict: Verdict) -> str:
    status, severity = verdict
    return f"{status} ({severity})" if severity else str(status)
