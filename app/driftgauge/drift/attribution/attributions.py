"""Attributions: how much each feature contributes to a model's scores, on the reference and on live rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from scipy.special import ndtri

from driftgauge.drift.bins import FloatArray

Method = Literal["linear", "tree_shap", "replacement"]
"""How contributions are found."""
METHODS: Final[tuple[Method, ...]] = ("linear", "tree_shap", "replacement")
FEWEST_ROWS: Final = 200
"""Fewest live rows whose attributions are compared."""
SIGNIFICANCE: Final = 0.01
"""Chance that the shares of a quiet stream have any significant shift, at one look."""


@dataclass(frozen=True)
class Attributions:
    """The mean contribution of each feature to the scores of rows."""

    method: Method
    rows: int
    features: tuple[str, ...]
    means: tuple[float, ...]
    """Mean of the contribution's magnitude."""
    spreads: tuple[float, ...]
    """Its standard deviation."""
    share_spreads: tuple[float, ...]
    """Standard deviation that one row gives to the share of the feature."""

    @cached_property
    def shares(self) -> FloatArray:
        """Share of each feature in the sum of means; 0 for all where no feature contributes."""
        means = np.array(self.means)
        shares: FloatArray = means / means.sum() if means.sum() > 0.0 else means
        return shares


def attributions_of(method: Method, features: Sequence[str], magnitudes: FloatArray) -> Attributions:
    """Return the attributions of rows; `magnitudes` are those of contributions, shape [n, features], n at least 1."""
    means = magnitudes.mean(axis=0)
    total = means.sum()
    shares = means / total if total > 0.0 else means
    # The linear part of a share, a ratio of two means.
    parts = (magnitudes - shares * magnitudes.sum(axis=1, keepdims=True)) / (total if total > 0.0 else 1.0)
    numbers = (means, magnitudes.std(axis=0), parts.std(axis=0))
    return Attributions(method, len(magnitudes), tuple(features), *(tuple(own.tolist()) for own in numbers))


@dataclass(frozen=True)
class AttributionShift:
    """The share of one feature in live rows beside that in the reference."""

    feature: str
    share: float
    reference_share: float
    error: float
    """Standard error of their difference."""
    is_significant: bool
    """Whether the difference is larger than chance makes one of all features at one look."""

    @property
    def shift(self) -> float:
        """Difference of the shares."""
        return self.share - self.reference_share


@dataclass(frozen=True)
class AttributionReport:
    """The attributions of live rows beside those of the reference."""

    method: Method
    rows: int
    reference_rows: int
    ndcg: float | None
    """How well live rows rank the features as the reference does: 1 is the same order. None for too few rows."""
    shifts: tuple[AttributionShift, ...]
    """By feature in the order of the model; empty for too few rows."""


def compare(reference: Attributions, live: Attributions, tau: FloatArray | None = None) -> AttributionReport:
    """Compare live attributions with the reference's, which are of the same features.

    `tau` (shape [features]) is how many of the live rows carry the information of one independent row, by default 1.
    """
    if live.rows < FEWEST_ROWS:
        return AttributionReport(reference.method, live.rows, reference.rows, None, ())
    independent = live.rows / (np.ones(len(live.features)) if tau is None else np.maximum(tau, 1.0))
    variances = np.square(live.share_spreads) / independent + np.square(reference.share_spreads) / reference.rows
    errors = np.sqrt(variances)
    limit = -float(ndtri(SIGNIFICANCE / 2.0 / max(len(live.features), 1)))
    shifts = tuple(
        AttributionShift(name, share, known, error, bool(abs(share - known) > limit * error))
        for name, share, known, error in zip(
            reference.features, live.shares.tolist(), reference.shares.tolist(), errors.tolist(), strict=True
        )
    )
    found = ndcg(np.array(reference.means), np.array(live.means))
    return AttributionReport(reference.method, live.rows, reference.rows, found, shifts)


def ndcg(relevance: FloatArray, ranking: FloatArray) -> float:
    """Return the normalised discounted cumulative gain of a ranking, shapes [features].

    `relevance` are the attributions of the reference, gained in the order of the live ones (`ranking`); each is
    discounted by the logarithm of its place. Features that tie share their gains. 1 if the reference's own order gains
    nothing.
    """
    discounts = 1.0 / np.log2(np.arange(2, len(relevance) + 2))
    ideal = float(np.sort(relevance)[::-1] @ discounts)
    if ideal <= 0.0:
        return 1.0
    _, group, sizes = np.unique(-ranking, return_inverse=True, return_counts=True)
    gains = np.bincount(group, weights=relevance) / sizes
    return float(np.repeat(gains, sizes) @ discounts) / ideal
