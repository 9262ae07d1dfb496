"""The shift of principal components' reconstruction error: a change of how columns go together.

The components that explain most of the reference's variance are kept. What they cannot reconstruct of a row is its
error. Rows whose columns no longer go together as in the reference have larger errors, also if each column by itself
is as it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray

EXPLAINED: Final = 0.65
"""Share of the variance that the kept components explain at least."""
Z: Final = 1.96


@dataclass(frozen=True)
class Reconstruction:
    """The reconstruction errors of window and reference."""

    components: int
    """Components that are kept."""
    reference: float
    """Mean error of the reference's rows that the components were not fitted to."""
    current: float
    """Mean error of the window's rows."""
    shift: float
    """Difference of the means, in standard deviations of the reference's errors."""
    low: float
    """Ends of its 95 % interval, for independent rows."""
    high: float

    @property
    def is_significant(self) -> bool:
        """Whether chance alone does not explain the shift."""
        return self.low > 0.0 or self.high < 0.0


def reconstruction(reference: FloatArray, current: FloatArray, rng: np.random.Generator) -> Reconstruction | None:
    """Compare the errors of two sides, shapes [n, encoded]; None where there is nothing to reconstruct.

    The components are fitted to half of the reference and the other half gives its errors, which would be too small
    otherwise.
    """
    order = rng.permutation(len(reference))
    fitted, held = np.array_split(reference[order], 2)
    mean, std = fitted.mean(axis=0), fitted.std(axis=0)
    varies = std > 1e-9
    if varies.sum() < 2:
        return None
    fitted, held, current = ((side[:, varies] - mean[varies]) / std[varies] for side in (fitted, held, current))
    _, singular, axes = np.linalg.svd(fitted, full_matrices=False)
    explained = np.cumsum(singular**2) / np.sum(singular**2)
    kept = min(int(np.searchsorted(explained, EXPLAINED)) + 1, len(singular) - 1)
    was, now = _errors(held, axes[:kept]), _errors(current, axes[:kept])
    spread = float(was.std(ddof=1))
    if not spread > 0.0:
        return None
    shift = float(now.mean() - was.mean()) / spread
    error = Z * math.sqrt(float(now.var(ddof=1)) / len(now) + spread**2 / len(was)) / spread
    return Reconstruction(kept, float(was.mean()), float(now.mean()), shift, shift - error, shift + error)


def _errors(rows: FloatArray, axes: FloatArray) -> FloatArray:
    """Return the distance of each row from its projection."""
    left: FloatArray = np.linalg.norm(rows - rows @ axes.T @ axes, axis=1)
    return left
