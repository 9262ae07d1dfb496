"""How much each column matters to the model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_ROUNDING: Final = 1e-6


@dataclass(frozen=True)
class Importances:
    """The share of each feature in what the model makes of its inputs.

    >>> Importances("permutation", "roc_auc", {"age": 0.75, "city": 0.25}).of("age")
    0.75
    """

    method: str
    """How they were measured: `permutation`, or the model's own name for its measure."""
    metric: str
    """The metric that a permutation lowers; empty where there is none."""
    shares: Mapping[str, float]
    """By feature, not negative; their sum is 1."""

    def __post_init__(self) -> None:
        """Raise ValueError for shares that are negative, not finite, or do not add up to 1."""
        for name, share in self.shares.items():
            if not (math.isfinite(share) and share >= 0.0):
                raise ValueError(f"the importance of {name} is {share}: give a share that is not negative")
        total = math.fsum(self.shares.values())
        if abs(total - 1.0) > _ROUNDING:
            raise ValueError(f"the importances add up to {total:g}: divide them by their sum")

    def of(self, feature: str) -> float:
        """Return the share of a feature; 0 for one that was not measured."""
        return self.shares.get(feature, 0.0)

    @classmethod
    def of_measured(cls, method: str, metric: str, measured: Mapping[str, float]) -> Importances:
        """Return measured importances as shares; negative ones count as 0, and all are equal if none is above it."""
        kept = {name: max(0.0, own) if math.isfinite(own) else 0.0 for name, own in measured.items()}
        total = math.fsum(kept.values())
        if total <= 0.0:
            return cls(method, metric, equal_shares(kept))
        return cls(method, metric, {name: own / total for name, own in kept.items()})


def equal_shares(features: Iterable[str]) -> dict[str, float]:
    """Return the same share for each feature."""
    names = list(features)
    return {name: 1.0 / len(names) for name in names}
