"""When a change began: the row from which on the newest rows differ most from the reference."""

from __future__ import annotations

from typing import Final

import numpy as np

from driftgauge.drift.bins import CodeArray, FloatArray, IntArray

PLACES: Final = 200
"""Places that are compared, of equal distance."""
FEWEST_ROWS: Final = 30
"""Rows after the last place."""


def onset(codes: CodeArray, reference: FloatArray, hours: IntArray | None = None) -> int:
    """Return the index of the first row of a change, given the bin of each row, oldest first.

    It is the maximum-likelihood change point: with the reference's shares q before it and the shares p of the rows
    after it, the place with the largest `rows · Σ p·ln(p/q)`. `reference` are the reference's rows in each bin, shape
    [K]; with `hours`, the hour of the day of each row, they are those of each hour, shape [24, K].
    """
    n, bins = len(codes), reference.shape[-1]
    if n <= FEWEST_ROWS:
        return 0
    starts = np.unique(np.linspace(0, n - FEWEST_ROWS, PLACES).astype(np.int64))
    part = np.searchsorted(starts, np.arange(n), side="right") - 1
    counts = np.bincount(part * bins + codes, minlength=len(starts) * bins).reshape(len(starts), bins)
    after = np.cumsum(counts[::-1], axis=0)[::-1].astype(np.float64)
    shares = (after + 0.5) / (after.sum(axis=1, keepdims=True) + 0.5 * bins)
    usual = np.log((reference + 0.5) / (reference.sum(axis=-1, keepdims=True) + 0.5 * bins))
    each = usual[codes] if hours is None else usual[hours, codes]
    before = np.cumsum(np.bincount(part, weights=each, minlength=len(starts))[::-1])[::-1]
    likelihood = (after * np.log(shares)).sum(axis=1) - before
    return int(starts[int(np.argmax(likelihood))])
