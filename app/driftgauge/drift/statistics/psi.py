"""Statistics that compare a window with the reference, for all columns at once.

Counts have shape [..., columns, bins] (several windows at once, if you like) and are compared with
reference counts of shape [columns, bins]; results have shape [..., columns]. A bin that is empty on
both sides takes no part: K is the number of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from driftgauge.drift.bins import ABOVE, BELOW, MISSING, SPECIAL, UNSEEN, Bins, FloatArray, IntArray
from driftgauge.drift.ordered_bins import OrderedBins

ZeroBin = Literal["jeffreys", "clip"]

CLIP: Final = 1e-4


@dataclass(frozen=True)
class Psi:
    """The population stability index of each column, shapes [..., columns]."""

    psi: FloatArray
    """Sum over the bins of (p - q) * ln(p / q)."""
    noise: FloatArray
    """Expected `psi` without drift: (K - 1) * (1/n + 1/m)."""
    debiased: FloatArray
    """max(0, psi - noise), to which thresholds apply."""
    bins: IntArray
    """K, the bins that are not empty on either side."""


def psi(current: FloatArray, reference: FloatArray) -> Psi:
    """Return PSI with Jeffreys' shares (c + 1/2) / (n + K/2); NaN without rows."""
    return _debias(psi_terms(current, reference), current, reference)


def psi_terms(current: FloatArray, reference: FloatArray) -> FloatArray:
    """Return what each bin adds to `psi`, shape [..., columns, bins]."""
    used = (current > 0) | (reference > 0)
    k = used.sum(axis=-1)
    n, m = current.sum(axis=-1), reference.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = (current + 0.5) / (n + 0.5 * k)[..., None]
        q = (reference + 0.5) / (m + 0.5 * k)[..., None]
        terms: FloatArray = np.where(used, (p - q) * np.log(p / q), 0.0)
    return terms


def psi_clip(current: FloatArray, reference: FloatArray) -> Psi:
    """Compare counts by the common formula: shares clipped at 1e-4 (fold the special bins in first)."""
    return _debias(psi_clip_terms(current, reference), current, reference)


def psi_clip_terms(current: FloatArray, reference: FloatArray) -> FloatArray:
    """Return what each bin adds to `psi_clip`, shape [..., columns, bins]."""
    n, m = current.sum(axis=-1), reference.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.maximum(current / n[..., None], CLIP)
        q = np.maximum(reference / m[..., None], CLIP)
    terms: FloatArray = (p - q) * np.log(p / q)
    return terms


def _debias(terms: FloatArray, current: FloatArray, reference: FloatArray) -> Psi:
    value = terms.sum(axis=-1)
    k = ((current > 0) | (reference > 0)).sum(axis=-1)
    n, m = current.sum(axis=-1), reference.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = np.maximum(k - 1, 0) * (1.0 / n + 1.0 / m)
    empty = (n == 0) | (m == 0)
    return Psi(
        psi=np.where(empty, np.nan, value),
        noise=np.where(empty, np.nan, noise),
        debiased=np.where(empty, np.nan, np.maximum(0.0, value - noise)),
        bins=k,
    )


def js_distance(current: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the Jensen-Shannon distance of the shares, from 0 (equal) to 1 (nothing in common).

    The square root of the divergence with logarithms of base 2; NaN where a side is empty.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        p = current / current.sum(axis=-1, keepdims=True)
        q = reference / reference.sum(axis=-1, keepdims=True)
        divergence = (_relative_entropy(p, (p + q) / 2.0) + _relative_entropy(q, (p + q) / 2.0)) / 2.0
    return np.sqrt(np.clip(divergence, 0.0, 1.0))


def _relative_entropy(p: FloatArray, q: FloatArray) -> FloatArray:
    terms = np.where(p == 0.0, 0.0, p * np.log2(p / np.where(q == 0.0, 1.0, q)))
    entropy: FloatArray = terms.sum(axis=-1)
    return entropy


class Folding:
    """Folds `below` and `above` into the outermost bins and drops `missing`, as common PSI does."""

    def __init__(self, columns: Sequence[Bins]) -> None:
        self._ordered = OrderedBins(columns)
        self._missing = np.array([bins.special[MISSING] for bins in columns], dtype=np.int64)

    def __call__(self, counts: FloatArray) -> FloatArray:
        """Return the folded counts, shape [..., columns, bins] as given."""
        folded = self._ordered.folded(counts)
        folded[..., np.arange(len(self._missing)), self._missing] = 0.0
        return folded


@dataclass(frozen=True)
class Shares:
    """The share of a window's rows in groups of special bins, shapes [columns].

    NaN where a column has no such bin, or the window no rows.
    """

    missing: FloatArray
    unseen: FloatArray
    out_of_range: FloatArray
    """`below` and `above` together."""


def special_codes(columns: Sequence[Bins]) -> dict[str, IntArray]:
    """Return the code of each special bin in every column, shape [columns].

    -1 where there is none, and for `unseen` where the tail was too long to keep.
    """
    codes = {name: np.array([bins.special.get(name, -1) for bins in columns], dtype=np.int64) for name in SPECIAL}
    codes[UNSEEN][[not bins.tail_complete for bins in columns]] = -1
    return codes


def shares(counts: IntArray, codes: Mapping[str, IntArray]) -> Shares:
    """Return the shares of missing, unseen and out-of-range rows.

    `counts` has shape [columns, bins], `codes` are those of `special_codes`.
    """
    row = np.arange(len(counts))
    total = counts.sum(axis=1)

    def share(name: str) -> FloatArray:
        with np.errstate(invalid="ignore"):
            return np.where((codes[name] < 0) | (total == 0), np.nan, counts[row, codes[name]] / total)

    return Shares(missing=share(MISSING), unseen=share(UNSEEN), out_of_range=share(BELOW) + share(ABOVE))
