"""Lines of the last day: the PSI of a column beside its limit, and the severity of the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.verdict.history import SEVERITY_LEVELS, History
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import VERDICTS
from driftgauge.edges.web.words import ago, colour, minute

TREND_SECONDS: Final = 86_400.0
"""How much of the past the page shows."""
WIDTH: Final = 100.0
HEIGHT: Final = 24.0
LIMIT_AT: Final = HEIGHT / 3.0
"""The limit of each line is a third from the top, as the mark of a bar is a third from its end."""
POINTS: Final = 32
"""Points of a line; it shows the largest value of those between them."""


@dataclass(frozen=True)
class Stretch:
    """A part of the past in which the model had one verdict."""

    start: float
    length: float
    """On a line from 0 to `WIDTH`."""
    colour: str


@dataclass(frozen=True)
class Timeline:
    """The verdict on the model over the last day."""

    stretches: Sequence[Stretch]
    words: str
    first: str
    span: str


@dataclass(frozen=True)
class Past:
    """The part of a history that the page shows."""

    history: History
    now: float

    @classmethod
    def of(cls, history: History | None, now: float) -> Past | None:
        """Return the last day; None without two moments."""
        if history is None:
            return None
        recent = history[history.at + history.seconds > now - TREND_SECONDS]
        return cls(recent, now) if len(recent) > 1 and float(recent.at[0]) < now else None

    @property
    def span(self) -> str:
        """The length of the past in words."""
        return ago(self.now - float(self.history.at[0]))

    def places(self) -> FloatArray:
        """Return where each moment begins on a line from 0 to `WIDTH`."""
        first = float(self.history.at[0])
        return np.clip(WIDTH * (self.history.at - first) / (self.now - first), 0.0, WIDTH)

    def line(self, report: DriftReport, i: int) -> str:
        """Return the points of the line of a column's PSI; empty if too few are known."""
        limit = _limit(report, i)
        values = np.append(self.history.psi[:, i].astype(np.float64), report.main.psi.debiased[i])
        places = np.append(self.places(), WIDTH)
        known = ~np.isnan(values)
        if known.sum() < 2 or not limit > 0.0:
            return ""
        buckets = np.minimum((places[known] * POINTS / WIDTH).astype(np.int64), POINTS - 1)
        points = []
        for bucket in np.unique(buckets):
            inside = np.flatnonzero(buckets == bucket)
            top = inside[values[known][inside].argmax()]
            height = HEIGHT - min(float(values[known][top]) / limit * (HEIGHT - LIMIT_AT), HEIGHT - 1.0)
            points.append(f"{places[known][top]:.0f},{height:.1f}")
        return " ".join(points)

    def timeline(self, report: DriftReport) -> Timeline:
        """Return the verdicts on the model, and in words how long it had each severity."""
        places = [*self.places().tolist(), WIDTH]
        verdicts = [VERDICTS[min(rank, len(VERDICTS) - 1)] for rank in self.history.rank.tolist()]
        colours = [colour(status, severity) for status, severity in verdicts]
        found: list[Stretch] = []
        for start, end, own in zip(places, places[1:], colours, strict=False):
            if found and found[-1].colour == own:
                found[-1] = Stretch(found[-1].start, round(end - found[-1].start, 2), own)
            else:
                found.append(Stretch(round(start, 2), round(end - start, 2), own))
        return Timeline(found, self._words(found), f"{minute(float(self.history.at[0]))} UTC", self.span)

    def _words(self, found: Sequence[Stretch]) -> str:
        whole = self.now - float(self.history.at[0])
        lasted: dict[str, float] = {}
        for stretch in found:
            lasted[stretch.colour] = lasted.get(stretch.colour, 0.0) + stretch.length / WIDTH * whole
        order = [severity or "normal" for severity in reversed(SEVERITY_LEVELS)] + ["unknown"]
        said = [(name if name != "unknown" else "without a verdict", lasted.get(name, 0.0)) for name in order]
        parts = [f"{name} for {ago(seconds)}" for name, seconds in said if seconds > 0.0]
        return f"In the last {self.span}: {', '.join(parts)}."


def _limit(report: DriftReport, i: int) -> float:
    """Return the PSI from which a column's change is large in its largest window; NaN if it is unknown."""
    finding = report.verdicts[i].finding
    if finding is not None and finding.effect is not None:
        return finding.effect.limit
    limit = float(report.main.thresholds["warning"][i])
    return limit if math.isfinite(limit) else math.nan
