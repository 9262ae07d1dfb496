"""What a page says about the versions of a model: which answers, what a shadow does, and the history."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from driftgauge.drift.verdict.numbers import percent, short
from driftgauge.drift.verdict.rule import LIMITS
from driftgauge.edges.web.words import UNKNOWN, ago, count, duration, minute

SHOWN: Final = 20
"""Changes of the history that a page shows, the newest."""
KINDS: Final = {
    "configured": "named by the settings",
    "load": "loaded",
    "rollback": "rolled back",
    "shadow": "loaded as shadow",
    "unload": "shadow ended",
}


@dataclass(frozen=True)
class ReleaseNumbers:
    """Numbers of one release; NaN where unknown."""

    p50_seconds: float
    p99_seconds: float
    error_ratio: float
    changes: tuple[float, float, float]
    """Increases of these numbers over the release before: 0.5 is 50 % more."""


@dataclass(frozen=True)
class ReleaseEntry:
    """A change of the versions."""

    at: float
    """Seconds since 1970."""
    kind: str
    who: str
    reason: str
    from_version: str
    """Empty without one."""
    to_version: str
    numbers: ReleaseNumbers | None
    """Those of the release that it began; None if it began none, or they are not known."""


@dataclass(frozen=True)
class ShadowFacts:
    """A version that predicts the same rows unseen."""

    version: str
    rows: float
    agreement: float
    """Share of the rows with the same prediction; NaN without rows."""
    score_difference: float
    dropped: float
    """Rows that it did not predict."""


@dataclass(frozen=True)
class ReleasesFacts:
    """The versions of a model and their history."""

    live: str
    live_since: float
    others: Sequence[tuple[str, str, float]]
    """Version, role and since when, of versions that do not answer."""
    shadow: ShadowFacts | None
    history: Sequence[ReleaseEntry]
    """The oldest first."""
    thresholds: tuple[float, float]
    """Increases over the release before that are a warning and critical."""


@dataclass(frozen=True)
class Cell:
    """A number with its increase over the release before."""

    text: str
    colour: str
    """The severity of the increase; empty for none."""


@dataclass(frozen=True)
class ReleaseRow:
    """A row of the history."""

    at: str
    what: str
    versions: str
    who: str
    reason: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class ReleasesView:
    """The section on releases."""

    live: str
    others: str
    shadow: str
    rows: Sequence[ReleaseRow]
    """The newest first."""
    left_out: int


def releases_view(facts: ReleasesFacts | None, now: float) -> ReleasesView | None:
    """Return the section; None where versions are not replaced."""
    if facts is None:
        return None
    shown = list(reversed(facts.history))[:SHOWN]
    since = f"{minute(facts.live_since)} UTC, {ago(now - facts.live_since)}"
    others = [f"{name} ({role} since {minute(at)} UTC)" for name, role, at in facts.others]
    return ReleasesView(
        live=f"Version {facts.live} answers since {since}.",
        others=f"Also loaded: {', '.join(others)}." if others else "",
        shadow="" if facts.shadow is None else _shadow(facts.shadow),
        rows=[_row(entry, facts.thresholds) for entry in shown],
        left_out=len(facts.history) - len(shown),
    )


def _shadow(shadow: ShadowFacts) -> str:
    dropped = f" It did not predict {shadow.dropped:,.0f} rows." if shadow.dropped else ""
    if not shadow.rows:
        return f"The shadow {shadow.version} has predicted no row yet.{dropped}"
    rows, difference = count(int(shadow.rows), "row"), _signed(shadow.score_difference, short)
    return (
        f"The shadow {shadow.version} has predicted {rows}. It agrees with the live version on "
        f"{percent(shadow.agreement)} of them, and its score differs by {difference} on average.{dropped}"
    )


def _row(entry: ReleaseEntry, thresholds: tuple[float, float]) -> ReleaseRow:
    versions = " → ".join(name for name in (entry.from_version, entry.to_version) if name)
    numbers, cells = entry.numbers, [Cell(UNKNOWN, "")] * 3
    if numbers is not None:
        texts = [duration(numbers.p50_seconds), duration(numbers.p99_seconds), _share(numbers.error_ratio)]
        cells = [_cell(text, change, thresholds) for text, change in zip(texts, numbers.changes, strict=True)]
    return ReleaseRow(
        f"{minute(entry.at)} UTC", KINDS.get(entry.kind, entry.kind), versions, entry.who, entry.reason, cells
    )


def _share(ratio: float) -> str:
    return UNKNOWN if math.isnan(ratio) else percent(ratio)


def _cell(text: str, change: float, thresholds: tuple[float, float]) -> Cell:
    if math.isnan(change):
        return Cell(text, "")
    reached = [severity for severity, limit in zip(LIMITS, thresholds, strict=True) if change > limit]
    return Cell(f"{text} ({_signed(change, percent)})", reached[-1] if reached else "")


def _signed(value: float, words: Callable[[float], str]) -> str:
    return f"{'−' if value < 0 else '+'}{words(abs(value))}"
