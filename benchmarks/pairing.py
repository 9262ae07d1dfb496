"""Pairs of measurements, their median ratio and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from scipy.stats import binom

from benchmarks.measuring import number

HEADS: Final = ("measured", "before", "after", "after / before", "95 % interval", "pairs")
_TAIL: Final = 0.025


@dataclass(frozen=True)
class Ratio:
    """A median of ratios and its 95 % interval."""

    median: float
    interval: tuple[float, float] | None
    """From order statistics; None for fewer than six ratios."""

    @classmethod
    def of(cls, below: Sequence[float], above: Sequence[float]) -> Ratio:
        """Compare two sequences element by element; `above` is divided by `below`."""
        ratios = sorted(high / low for low, high in zip(below, above, strict=True))
        rank = int(binom.ppf(_TAIL, len(ratios), 0.5))
        return cls(median(ratios), (ratios[rank - 1], ratios[-rank]) if rank else None)

    def cells(self) -> tuple[str, str]:
        """Return the median and the interval as cells of a table."""
        if self.interval is None:
            return number(self.median, 3), "–"
        low, high = self.interval
        return number(self.median, 3), f"{low:.3f}–{high:.3f}"


@dataclass
class Pairs:
    """Measurements of two versions in turns."""

    measured: str
    digits: int = 2
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    """Empty if only one version was measured, as `before`; else of the same length."""

    def add(self, before: float, after: float) -> None:
        """Add a pair."""
        self.before.append(before)
        self.after.append(after)

    def row(self) -> list[str]:
        """Return a row of a table with `HEADS`: medians, their ratio, and its interval."""
        medians = [number(median(values) if values else None, self.digits) for values in (self.before, self.after)]
        if not self.before or not self.after or min(self.before) <= 0.0:
            return [self.measured, *medians, "–", "–", str(len(self.before or self.after))]
        return [self.measured, *medians, *Ratio.of(self.before, self.after).cells(), str(len(self.before))]
