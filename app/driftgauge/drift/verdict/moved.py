"""The change of a column in one clause that a person can check: a share of rows, or the mean."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import numpy as np

from driftgauge.drift.bin_names import number_name
from driftgauge.drift.bins import ABOVE, BELOW, MISSING, OTHER, UNSEEN, FloatArray
from driftgauge.drift.novelty.novelty import OUTLIER
from driftgauge.drift.ordered_bins import NormalScores
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.verdict.numbers import apart, percent

LONGEST: Final = 60
"""Characters of a category's name in a clause."""
FARTHEST: Final = 5.0
"""Limit of normal scores."""
_SPECIAL_PHRASES: Final = {
    MISSING: "missing",
    UNSEEN: "with a value that the reference does not have",
    OTHER: "in categories that are rare in the reference",
    BELOW: "below the reference's smallest value",
    ABOVE: "above the reference's largest value",
}
_OUTLIER_PHRASES: Final = {"ok": "are no outliers", "outlier": "are outliers"}


@dataclass(frozen=True)
class Share:
    """A share of the window's rows that changed, beside that of the reference's rows."""

    rows: str
    """Which rows: `above the reference's largest value`. One of a few texts that the baseline fixes."""
    ratio: float
    reference_ratio: float


@dataclass(frozen=True)
class Change:
    """The clause that explains most of a change."""

    clause: str
    share: Share | None
    """The share of rows that it states; None if it states the mean."""


def largest_change(
    column: ColumnBaseline, counts: FloatArray, expected: FloatArray | None = None, mean: float = math.nan
) -> Change | None:
    """Return the clause that explains most of a change; None where none is beyond chance.

    `counts` are the window's rows in each bin, shape [at least the column's bins]. `expected` are the reference's
    rows to compare with, by default all of them; `mean` is the window's, to be compared with the reference's.
    Every bin, and for ordered ones every cut between two, splits the rows in two parts. Named is the split with
    the largest PSI (of two that are the same split, the side that grew), or the mean if its shift explains more.
    """
    current = counts[: len(column.bins.names)].astype(np.float64)
    reference = np.asarray(column.counts if expected is None else expected[: len(column.bins.names)])
    n, m = float(current.sum()), float(reference.sum())
    if n == 0 or m == 0:
        return None
    # Lists, because single elements of arrays are slow.
    splits = _splits(column, current.tolist(), reference.tolist())
    most = max(splits, key=lambda split: (round(split.psi(n, m), 9), split.current / n - split.reference / m))
    psi, chance = most.psi(n, m), 1.0 / n + 1.0 / m
    least = max(psi, chance)
    if _mean_psi(column, current, reference, mean, least) > least:
        return Change(_mean_phrase(column, mean), None)
    return most.change(n, m) if psi > chance else None


# ---------------------------------------------------------------- shares of rows


@dataclass(frozen=True)
class _Split:
    """Rows on one side of a split, and which rows these are."""

    current: float
    reference: float
    rows: str
    is_new: bool = False
    """Whether the reference itself has no such rows, and its number is an estimate."""
    says_reference: bool = True
    """Whether the clause states the reference's share, which a percentile says by itself."""

    def psi(self, n: float, m: float) -> float:
        """Return the PSI of the split, with half a row on either side."""
        p, q = (self.current + 0.5) / (n + 1.0), (self.reference + 0.5) / (m + 1.0)
        return (p - q) * math.log(p * (1.0 - q) / (q * (1.0 - p)))

    def change(self, n: float, m: float) -> Change:
        """Return the clause about this side; `n` and `m` are all rows of the window and of the reference."""
        share = Share(self.rows, self.current / n, 0.0 if self.is_new else self.reference / m)
        was = f" (reference: {percent(share.reference_ratio)})" if self.says_reference else ""
        return Change(f"{percent(share.ratio)} of rows {self.rows}{was}", share)


def _splits(column: ColumnBaseline, current: list[float], reference: list[float]) -> Iterator[_Split]:
    bins = column.bins
    special = {code: name for name, code in bins.special.items()}
    for code, name in enumerate(bins.names):
        if code in special:
            # The reference itself has no unseen value: its count is an estimate.
            yield _Split(current[code], reference[code], _SPECIAL_PHRASES[special[code]], special[code] == UNSEEN)
        elif bins.rule != "interval":
            own = f"are {_clipped(name)}"
            rows = _OUTLIER_PHRASES.get(name, own) if column.name == OUTLIER else own
            yield _Split(current[code], reference[code], rows)
    if bins.rule != "category":
        yield from _cuts(column, current, reference)


def _clipped(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _cuts(column: ColumnBaseline, current: list[float], reference: list[float]) -> Iterator[_Split]:
    """Yield the side of each cut between two ordered bins that holds more than it did."""
    bins = column.bins
    ordered = slice(bins.special[BELOW], bins.special[ABOVE] + 1)
    up_to, was_up_to = list(accumulate(current[ordered])), list(accumulate(reference[ordered]))
    own_up_to = list(accumulate(column.counts[ordered]))
    n, m = sum(current), sum(reference)
    for index in range(bins.ordinary.start, bins.ordinary.stop - 1):
        below, was_below = up_to[index], was_up_to[index]
        above, was_above = up_to[-1] - below, was_up_to[-1] - was_below
        rose = above / n - was_above / m > below / n - was_below / m
        side, rows, was = ("above", above, was_above) if rose else ("below", below, was_below)
        if bins.rule == "value":
            value = number_name(bins.edges[index - 1])
            yield _Split(rows, was, f"{'above' if rose else 'up to'} {value}")
        else:
            level = 100.0 * own_up_to[index] / own_up_to[-1]
            yield _Split(rows, was, f"{side} the reference's {_percentile(level)}", says_reference=False)


def _percentile(level: float) -> str:
    # Near its ends a whole number would be the end itself.
    return f"{_ordinal(round(level)) if 1.0 <= level <= 99.0 else f'{min(max(level, 0.1), 99.9):.1f}th'} percentile"


def _ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else endings.get(number % 10, 'th')}"


# ---------------------------------------------------------------- the mean


def _mean_psi(column: ColumnBaseline, current: FloatArray, reference: FloatArray, mean: float, least: float) -> float:
    """Return the PSI that a shift of the mean explains: d², as between two normal distributions d apart.

    d is the smaller of two shifts, of the values and of the bins' normal scores, in standard deviations: a few
    extreme values move the first alone. 0 where the column has fewer than three values, where they disagree, and
    where it cannot be above `least`.
    """
    bins = column.bins
    if not bins.has_order or bins.ordinary.stop - bins.ordinary.start < 3:
        return 0.0
    by_value = (mean - column.mean) / column.std if column.std > 0 else math.nan
    if not abs(by_value) > math.sqrt(least):  # NaN too
        return 0.0
    by_score = _score_shift(column, current, reference)
    if not by_value * by_score > 0:  # NaN too
        return 0.0
    return float(min(abs(by_value), abs(by_score)) ** 2 * current[_with_order(column)].sum() / current.sum())


def _with_order(column: ColumnBaseline) -> slice:
    return slice(column.bins.special[BELOW], column.bins.special[ABOVE] + 1)


def _score_shift(column: ColumnBaseline, current: FloatArray, reference: FloatArray) -> float:
    """Return the shift of the mean normal score in standard deviations; NaN where a side has no values."""
    ordered = _with_order(column)
    counts = np.asarray(column.counts)
    # Bounded, because the first or last bin of a reference may be empty.
    scores = np.clip(NormalScores([column.bins], len(counts))(counts[None, :])[0, ordered], -FARTHEST, FARTHEST)
    now, was = current[ordered], reference[ordered]
    if now.sum() == 0 or was.sum() == 0:
        return math.nan
    before = float(scores @ was / was.sum())
    spread = math.sqrt(float((scores - before) ** 2 @ was / was.sum()))
    return (float(scores @ now / now.sum()) - before) / spread if spread > 0 else math.nan


def _mean_phrase(column: ColumnBaseline, mean: float) -> str:
    now, was = apart(mean, column.mean)
    return f"{'mean length' if column.of_text else 'mean'} {now} (reference: {was})"
