"""Kullback-Leibler divergence and Cramér's V of a window's bins against the reference's.

Counts have the shapes that `driftgauge.drift.statistics.psi` says.
"""

from __future__ import annotations

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray


def kl_divergence(current: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the divergence of the window from the reference in nats: the sum of p * ln(p / q).

    p are the window's shares and q the reference's, with half a row in each bin as in PSI, so that it is finite. 0
    means equal; it has no upper bound. NaN where a side is empty.
    """
    used = (current > 0) | (reference > 0)
    k, n, m = used.sum(axis=-1), current.sum(axis=-1), reference.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = (current + 0.5) / (n + 0.5 * k)[..., None]
        q = (reference + 0.5) / (m + 0.5 * k)[..., None]
        terms = np.where(used, p * np.log(p / q), 0.0)
    divergence = np.maximum(terms.sum(axis=-1), 0.0)  # rounding
    return np.where(_empty(current, reference), np.nan, divergence)


def cramers_v(current: FloatArray, reference: FloatArray) -> FloatArray:
    """Return Cramér's V of the table of both sides' shares, from 0 (equal) to 1 (nothing in common).

    Both sides weigh the same: V of the counts themselves would shrink as the reference grows. NaN where a side is
    empty.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        p = current / current.sum(axis=-1, keepdims=True)
        q = reference / reference.sum(axis=-1, keepdims=True)
        terms = np.where(p + q > 0.0, (p - q) ** 2 / (p + q), 0.0)
    v = np.sqrt(np.minimum(terms.sum(axis=-1) / 2.0, 1.0))
    return np.where(_empty(current, reference), np.nan, v)


def _empty(current: FloatArray, reference: FloatArray) -> BoolArray:
    empty: BoolArray = (current.sum(axis=-1) == 0) | (reference.sum(axis=-1) == 0)
    return empty
