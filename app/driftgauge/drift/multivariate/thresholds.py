"""Limits of whole rows that can be told from the reference; settings read them, so this module loads no library."""

from __future__ import annotations

from dataclasses import dataclass

from driftgauge.drift.verdict.rule import LIMITS, Limit


@dataclass(frozen=True)
class AucThresholds:
    """AUC that the lower end of its interval has to exceed for a severity."""

    warning: float = 0.65
    critical: float = 0.8

    @property
    def by_limit(self) -> dict[Limit, float]:
        """The thresholds by severity."""
        return {limit: getattr(self, limit) for limit in LIMITS}
