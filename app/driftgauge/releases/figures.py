"""Latency and errors of a release, and how they compare with the release before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

ENOUGH_REQUESTS: Final = 100
"""Fewest requests of each of two releases that are compared."""
ERROR_FLOOR: Final = 0.001
"""Added to both error ratios before they are compared: few errors after none are not infinitely more."""
QUANTILES: Final = (0.5, 0.99)


@dataclass(frozen=True)
class Counts:
    """What a version has counted since its state began."""

    latency: tuple[float, ...]
    """Requests in each bucket of the latency, the last one unbounded."""
    rows: float
    """Predicted rows."""
    failed: float
    """Rows that the model failed on."""

    def since(self, begun: Counts | None) -> Counts:
        """Return what was counted after a moment; a state that was deleted meanwhile counts from 0."""
        if begun is None or len(begun.latency) != len(self.latency) or begun.rows > self.rows:
            return self
        latency = tuple(max(0.0, now - then) for now, then in zip(self.latency, begun.latency, strict=True))
        return Counts(latency, self.rows - begun.rows, max(0.0, self.failed - begun.failed))

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"latency": list(self.latency), "rows": self.rows, "failed": self.failed}

    @classmethod
    def from_json(cls, content: dict[str, Any] | None) -> Counts | None:
        """Return what `as_json` gave."""
        if content is None:
            return None
        return cls(tuple(map(float, content["latency"])), float(content["rows"]), float(content["failed"]))


@dataclass(frozen=True)
class Figures:
    """Latency and errors of one release."""

    requests: int
    p50_seconds: float | None
    """None without requests."""
    p99_seconds: float | None
    error_ratio: float | None
    """Share of the rows that the model failed on; None without rows."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "requests": self.requests,
            "p50_seconds": self.p50_seconds,
            "p99_seconds": self.p99_seconds,
            "error_ratio": self.error_ratio,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any] | None) -> Figures | None:
        """Return what `as_json` gave."""
        return None if content is None else cls(**content)


@dataclass(frozen=True)
class Changes:
    """How much more a release needs, and fails, than the one before: 0.5 is 50 % more. None if unknown."""

    p50_ratio: float | None
    p99_ratio: float | None
    error_ratio: float | None


UNKNOWN: Final = Changes(None, None, None)


def figures_of(counts: Counts, bounds: Sequence[float]) -> Figures:
    """Return the figures of counts, whose latency has buckets with these upper bounds in seconds."""
    p50, p99 = (quantile(counts.latency, bounds, share) for share in QUANTILES)
    rows = counts.rows + counts.failed
    return Figures(round(sum(counts.latency)), p50, p99, counts.failed / rows if rows else None)


def quantile(latency: Sequence[float], bounds: Sequence[float], share: float) -> float | None:
    """Return a quantile of a histogram by linear interpolation, as Prometheus computes it; None without requests."""
    total = sum(latency)
    if not total:
        return None
    wanted, counted, lower = share * total, 0.0, 0.0
    for count, upper in zip(latency, [*bounds, math.inf], strict=True):
        if counted + count >= wanted and count:
            return lower if math.isinf(upper) else lower + (upper - lower) * (wanted - counted) / count
        counted, lower = counted + count, upper if not math.isinf(upper) else lower
    return lower


def compared(now: Figures, before: Figures | None) -> Changes:
    """Return how a release compares with the one before; unknown unless both have enough requests."""
    if before is None or min(now.requests, before.requests) < ENOUGH_REQUESTS:
        return UNKNOWN
    return Changes(
        p50_ratio=_more(now.p50_seconds, before.p50_seconds),
        p99_ratio=_more(now.p99_seconds, before.p99_seconds),
        error_ratio=_more(now.error_ratio, before.error_ratio, ERROR_FLOOR),
    )


def _more(now: float | None, before: float | None, floor: float = 0.0) -> float | None:
    if now is None or before is None or before + floor <= 0.0:
        return None
    return (now + floor) / (before + floor) - 1.0
