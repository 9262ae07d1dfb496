"""Noise: what a statistic is expected to be without drift, in a window of n rows and a reference of m.

Two statistics are divergences, which grow with the square of a change: their noise is subtracted. The others are
distances, which grow with the change itself: their noise is the root of the mean square, and is subtracted from the
square.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray

KS_SQUARE: Final = math.pi**2 / 12.0
"""Mean square of the Kolmogorov distribution. Where values repeat, the statistic has less noise than that."""
GRID: Final = 64
"""Points of the reference that stand for its distribution in the noise of Wasserstein."""
_KL_PER_PSI, _JS_PER_PSI, _V_PER_PSI = 1.0 / 2.0, 1.0 / (8.0 * math.log(2.0)), 1.0 / 4.0
"""A small change's KL divergence, Jensen-Shannon divergence in bits, and squared Cramér's V, relative to its PSI."""


def kl_noise(psi_noise: FloatArray) -> FloatArray:
    """Return the expected KL divergence, from that of PSI."""
    return _KL_PER_PSI * psi_noise


def js_noise(psi_noise: FloatArray) -> FloatArray:
    """Return the root of the expected Jensen-Shannon divergence, from the expected PSI."""
    return np.sqrt(_JS_PER_PSI * psi_noise)


def v_noise(psi_noise: FloatArray) -> FloatArray:
    """Return the root of the expected square of Cramér's V, from the expected PSI."""
    return np.sqrt(_V_PER_PSI * psi_noise)


def ks_noise(rows: FloatArray, reference_rows: FloatArray) -> FloatArray:
    """Return the root of the expected square of Kolmogorov-Smirnov's statistic; NaN without rows."""
    return np.sqrt(KS_SQUARE * _per_row(rows, reference_rows))


def wasserstein_noise(unit: FloatArray, rows: FloatArray, reference_rows: FloatArray) -> FloatArray:
    """Return the root of the expected square of Wasserstein's distance; NaN without rows.

    `unit` is what `wasserstein_unit` gives.
    """
    return unit * np.sqrt(_per_row(rows, reference_rows))


def wasserstein_unit(z: FloatArray, sizes: IntArray, ends: FloatArray, rows: FloatArray) -> FloatArray:
    """Return the noise of Wasserstein's distance in one row against an exact reference, shape [columns].

    `z` are the reference's standardised quantiles at the middles of equal shares, ascending, shape [columns, Q], of
    which `sizes` (shape [columns]) are not repetitions; `ends` (shape [columns, 2]) are the smallest and the largest
    of its `rows` (shape [columns]) values. The distance is then the integral of |B|, the absolute value
    of a Brownian bridge at the shares, over the values; its mean square is a double integral of E|B(s) B(t)|.
    """
    found = np.full(len(z), np.nan)
    for row, size in enumerate(sizes.tolist()):
        if size:
            found[row] = _root_mean_square(z[row, :size], ends[row], float(rows[row]))
    return found


def _root_mean_square(z: FloatArray, ends: FloatArray, rows: float) -> float:
    """Return the root of the mean square of the integral of a Brownian bridge's absolute value."""
    inner = z[np.unique(np.linspace(0, len(z) - 1, GRID).round().astype(np.int64))]
    taken = np.concatenate([ends[:1], inner, ends[1:]])
    # Between two of the points, the share of the values below is that of the middle.
    shares = np.searchsorted(z, (taken[1:] + taken[:-1]) / 2.0, side="right") / len(z)
    # Beyond the outermost quantiles it falls to that of one row: there the mean of both is geometric.
    shares[0] = 0.5 / math.sqrt(len(z) * max(rows, len(z)))
    shares[-1] = 1.0 - shares[0]
    steps = np.diff(taken)
    spread = np.sqrt(shares * (1.0 - shares))
    together = spread[:, None] * spread[None, :]
    low, high = np.minimum.outer(shares, shares), np.maximum.outer(shares, shares)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.clip(np.nan_to_num(low * (1.0 - high) / together), 0.0, 1.0)
    mean = 2.0 / math.pi * together * (np.sqrt(1.0 - correlation**2) + correlation * np.arcsin(correlation))
    return math.sqrt(float(steps @ mean @ steps))


def _per_row(rows: FloatArray, reference_rows: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        found = 1.0 / rows + 1.0 / reference_rows
    return np.where(np.isfinite(found), found, np.nan)


def without_noise(value: FloatArray, noise: FloatArray, *, is_distance: bool) -> FloatArray:
    """Return a statistic without its noise, at least 0; NaN stays NaN."""
    if not is_distance:
        return np.maximum(0.0, value - noise)
    return np.sqrt(np.maximum(0.0, value**2 - noise**2))
