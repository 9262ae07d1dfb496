"""Evidence that more rows violate a constraint than in the reference, within a budget of false alarms.

Evidence is the negative logarithm of a binomial tail: the probability of at least the observed violations if the share
is that of the reference. The threshold is 2 A C for C constraints in all windows. Then the window that ends at a given
row has false evidence with probability 1 / (2 A) at most. By the union bound a false alarm comes within k rows with
probability k / (2 A) at most, and so after A rows on average at the earliest, however often windows are evaluated.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.special import betainc, betaincinv

from driftgauge.drift.bins import FloatArray

BOUND_LEVEL: Final = 1e-4
"""Probability that the reference's true share lies above its bound (Clopper and Pearson)."""
MOST_EVIDENCE: Final = 300.0
LEAST_TAIL: Final = 10.0**-MOST_EVIDENCE
"""Smallest tail."""


def share_bound(violations: FloatArray, rows: FloatArray, tau: FloatArray) -> FloatArray:
    """Return the upper confidence bounds of the reference's shares of violations; all of shape [constraints].

    `tau` are the autocorrelation times: a reference holds rows / tau independent ones.
    """
    known, total = violations / tau, np.maximum(rows / tau, 1.0)
    bound = betaincinv(known + 1.0, np.maximum(total - known, 1e-9), 1.0 - BOUND_LEVEL)
    return np.minimum(np.where(violations >= rows, 1.0, bound), 1.0)


def evidence(violations: FloatArray, rows: FloatArray | float, expected: FloatArray, tau: FloatArray) -> FloatArray:
    """Return the evidence in a window of which `rows` rows were checked; all have shape [constraints]."""
    found, total = violations / tau, np.maximum(rows / tau, violations / tau)
    with np.errstate(invalid="ignore"):
        tail = betainc(np.maximum(found, 1e-9), total - found + 1.0, np.clip(expected, 0.0, 1.0))
    values: FloatArray = -np.log10(np.maximum(np.where(found > 0.0, tail, 1.0), LEAST_TAIL))
    return np.maximum(values, 0.0)


def threshold_log10(false_alarm_rows: float, constraints: int) -> float:
    """Return the evidence at which a violation is significant; `constraints` are those of all windows together."""
    return float(np.log10(2.0 * false_alarm_rows * max(1, constraints)))
