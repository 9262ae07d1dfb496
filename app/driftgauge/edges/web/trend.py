"""Lines of the past: the PSI of a column beside its limit, and the severity of the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.verdict.history import SEVERITY_LEVELS, History
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import VERDICTS
from driftgauge.edges.web.words import ago, colour, minute

WIDTH: Final = 100.0
HEIGHT: Final = 24.0
LIMIT_AT: Final = HEIGHT / 3.0
"""The limit of each line is a third from the top, as the mark of a bar is a third from its end."""
POINTS: Final = 32
"""Parts of a line; each shows its largest value."""
GAP_STEPS: Final = 3.0
"""Usual steps between two reports of the same length from which on nothing is known of the time between them."""


@dataclass(frozen=True)
class Stretch:
    """A part of the past in which the model had one verdict."""

    start: float
    length: float
    """On a line from 0 to `WIDTH`."""
    colour: str


@dataclass(frozen=True)
class Timeline:
    """The verdict on the model over the past."""

    stretches: Sequence[Stretch]
    words: str
    first: str
    span: str


@dataclass(frozen=True)
class Point:
    """A point of a line."""

    x: float
    """On a line from 0 to `WIDTH`."""
    value: float
    at: float
    """Seconds since 1970."""
    begins: bool
    """Whether a stretch of the line begins here: just before nothing is known."""


@dataclass(frozen=True)
class Past:
    """The part of a history that the page shows."""

    history: History
    now: float

    @classmethod
    def of(cls, history: History | None, now: float, seconds: float) -> Past | None:
        """Return the last seconds; None without two moments."""
        if history is None:
            return None
        recent = history[history.at + history.seconds > now - seconds]
        return cls(recent, now) if len(recent) > 1 and float(recent.at[0]) < now else None

    @property
    def span(self) -> str:
        """The length of the past in words."""
        return ago(self.now - float(self.history.at[0]))

    def places(self, moments: FloatArray) -> FloatArray:
        """Return where moments are on a line from 0 to `WIDTH`."""
        first = float(self.history.at[0])
        return np.clip(WIDTH * (moments - first) / (self.now - first), 0.0, WIDTH)

    @cached_property
    def ends(self) -> FloatArray:
        """Until when each verdict held, seconds since 1970: until the next began, or earlier if there is a gap."""
        steps = np.diff(self.history.at, append=self.now)
        longest = np.empty_like(steps)
        for length in np.unique(self.history.seconds):
            own = self.history.seconds == length
            longest[own] = max(float(length), float(np.median(steps[own])))
        ends: FloatArray = self.history.at + np.where(steps > GAP_STEPS * longest, longest, steps)
        return ends

    def points(self, values: FloatArray) -> list[Point]:
        """Return the largest known value of each part of the past; the last of `values` is that of now."""
        moments = np.append(self.history.at, self.now)
        is_after_gap = np.append(False, self.ends < moments[1:])
        known = np.flatnonzero(~np.isnan(values))
        if not len(known):
            return []
        pieces = np.cumsum(is_after_gap | np.isnan(values))[known]
        places = np.append(self.places(moments[:-1]), WIDTH)
        parts = np.ceil(places[known] * POINTS / WIDTH)  # the first moment is a part of its own, and so is now
        parts[known == len(values) - 1] = POINTS + 1
        starts = np.flatnonzero((np.diff(pieces) != 0) | (np.diff(parts) != 0)) + 1
        tops = np.array([group[values[group].argmax()] for group in np.split(known, starts)])
        begins = np.diff(pieces[np.searchsorted(known, tops)], prepend=-1) != 0
        return [
            Point(float(places[top]), float(values[top]), float(moments[top]), bool(begin))
            for top, begin in zip(tops.tolist(), begins.tolist(), strict=True)
        ]

    def line(self, report: DriftReport, i: int) -> str:
        """Return the path of a column's PSI; empty if too few values are known."""
        limit = limit_of(report, i)
        found = self.points(np.append(self.history.psi[:, i].astype(np.float64), report.main.psi.debiased[i]))
        if len(found) < 2 or not limit > 0.0:
            return ""
        return path(found, lambda value: HEIGHT - min(value / limit * (HEIGHT - LIMIT_AT), HEIGHT - 1.0))

    def timeline(self) -> Timeline:
        """Return the verdicts on the model, and in words how long it had each severity."""
        starts, ends = self.places(self.history.at).tolist(), self.places(self.ends).tolist()
        verdicts = [VERDICTS[min(rank, len(VERDICTS) - 1)] for rank in self.history.rank.tolist()]
        colours = [colour(status, severity) for status, severity in verdicts]
        found: list[Stretch] = []
        for start, end, own in zip(starts, ends, colours, strict=True):
            last = found[-1] if found else None
            if last is not None and last.colour == own and last.start + last.length >= start - 0.01:
                found[-1] = Stretch(last.start, round(end - last.start, 2), own)
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
        said.append(("not evaluated", whole - sum(lasted.values())))
        parts = [f"{name} for {ago(seconds)}" for name, seconds in said if seconds > whole / 1_000.0]
        return f"In the last {self.span}: {', '.join(parts)}."


def path(points: Sequence[Point], height: Callable[[float], float]) -> str:
    """Return the path of a line, which has gaps; a point alone is a stretch without length."""
    steps = []
    for place, point in enumerate(points):
        here = f"{point.x:.0f},{height(point.value):.1f}"
        is_alone = point.begins and (place + 1 == len(points) or points[place + 1].begins)
        steps.append(f"{'M' if point.begins else ''}{here}{' ' + here if is_alone else ''}")
    return " ".join(steps)


def limit_of(report: DriftReport, i: int) -> float:
    """Return the PSI from which a column's change is large, also if another statistic judges it; NaN if unknown."""
    finding = report.verdicts[i].finding
    by_psi = report.main.sizes.statistics[i] == "psi"
    if by_psi and finding is not None and finding.effect is not None:
        return finding.effect.limit
    limit = float(report.main.thresholds["warning"][i])
    return limit if math.isfinite(limit) else math.nan
