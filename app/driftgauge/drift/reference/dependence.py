"""Autocorrelation time (tau): rows of the reference that carry the information of one independent row.

It is estimated from a reference in order of time, by how much more the means of a hundred batches vary than those of
independent rows. It is a heuristic: dependence longer than a batch, or absent from the reference, is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import chdtri, gammaincinv  # not scipy.stats, which takes a second to import

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import BoolArray, CodeArray, FloatArray, IntArray
from driftgauge.drift.evidence.live_dependence import POWERS, DependenceMeter
from driftgauge.drift.windows.blocks import FEWEST_HOUR_ROWS, HOURS, Blocks

BATCHES: Final = 100
FEWEST_BATCHES: Final = 10
FEWEST_BATCH_ROWS: Final = 10
SHORT_BATCH_ROWS: Final = 50
"""A reference with fewer than a hundred batches of this size is short."""
LARGEST_TAU: Final = 1_000.0
"""Upper limit of tau: beyond, no drift would be found in the rows of a year."""
HIGH_TAU: Final = 50.0
"""Tau above which drift is found late, so that the report says so."""
_FEWEST_BIN_ROWS: Final = 100
_CHANCE: Final = 1e-3
"""False-positive rate of the largest ratio of a column's bins."""
TRENDING: Final = 2.0
"""Ratio of the variance between distant and between neighbouring batches that makes a trend."""
_CERTAIN: Final = 1e-2
"""False-positive rate of a ratio."""
_UPPER: Final = 0.2
"""Probability that the upper limit of a ratio is too low."""
SIMILAR: Final = 2.0
"""Live rows may show this many times the tau that the reference shows when it is measured as they are."""
_REFINEMENTS: Final = 3
_WHOLE: Final = -1
"""The stratum of rows that are compared with the whole reference."""


@dataclass(frozen=True)
class Dependence:
    """Dependence between the rows of the reference, shapes [columns]."""

    tau: FloatArray
    """At least 1, at most `LARGEST_TAU`."""
    trending: BoolArray
    """Whether a trend or season causes most of it: neighbouring batches differ far less than distant ones."""


def dependence(binner: Binner, codes: CodeArray, scores: FloatArray, hours: IntArray | None) -> Dependence | None:
    """Estimate the dependence between rows from a reference in order of time.

    `codes` are its rows (shape [m, columns]), `scores` the normal score of each bin (shape [columns, K],
    0 where it has none). With `hours`, the hour of the day of each row (shape [m]), the mean of each hour that
    with enough rows is subtracted first. None below 500 rows.

    The largest of several variance ratios counts: of the normal score, of all bins together, and of single
    bins where chance is unlikely to give it.

    The batches of a short reference are too short to show all dependence, and longer ones too few for an exact
    estimate. So several lengths are tried, the missing part of an exponentially fading dependence is added, and
    the upper limit is used (measured on 1,000 rows of an AR(1) process of 0.9: no false alarm in five million
    rows of 30 columns, instead of 65 in a million).
    """
    strata = np.full(len(codes), _WHOLE)
    if hours is not None:
        rows = np.bincount(hours, minlength=HOURS)
        strata = np.where(rows[hours] >= FEWEST_HOUR_ROWS, hours, _WHOLE)
    tau, trending = np.ones(binner.columns), np.zeros(binner.columns, dtype=np.bool_)
    sizes = _batch_rows(len(codes))
    if not sizes:
        return None
    for size in sizes:
        ratio, near = _ratios(binner, codes, strata, scores, size)
        # Of the longest ones: short neighbours are alike by mere dependence.
        trending = (ratio > TRENDING) & (ratio > TRENDING * near)
        if len(codes) < BATCHES * SHORT_BATCH_ROWS:
            ratio = _upper(ratio, len(codes) // size, size)
        tau = np.maximum(tau, ratio)
    return Dependence(np.minimum(tau, LARGEST_TAU), trending)


def _batch_rows(rows: int) -> list[int]:
    """Return the batch sizes to try: a hundred batches, and fewer, longer ones of a short reference."""
    if rows // BATCHES >= SHORT_BATCH_ROWS:
        return [rows // BATCHES]
    lengths = {rows // BATCHES, 2 * rows // BATCHES, SHORT_BATCH_ROWS}
    return [size for size in sorted(lengths) if size >= FEWEST_BATCH_ROWS and rows // size >= FEWEST_BATCHES]


def _upper(ratio: FloatArray, batches: int, size: int) -> FloatArray:
    """Return the upper limits of significant ratios, with the dependence that such batches do not show."""
    degrees = batches - 1
    certain = ratio > chdtri(degrees, _CERTAIN) / degrees
    whole = ratio + ratio**2 / (2.0 * size)
    return np.where(certain, whole * degrees / (2.0 * gammaincinv(degrees / 2.0, _UPPER)), ratio)


def _ratios(
    binner: Binner, codes: CodeArray, strata: IntArray, scores: FloatArray, size: int
) -> tuple[FloatArray, FloatArray]:
    """Return the variance ratio of each column from all stretches, and from neighbouring ones; shapes [columns]."""
    batches = len(codes) // size
    width = binner.width
    excess, spread = _excess(binner, codes[: batches * size], strata[: batches * size], scores, size)
    far = (excess**2).sum(axis=0) / (batches - 1) / size
    near = (np.diff(excess, axis=0) ** 2).mean(axis=0) / 2.0 / size
    rare = spread[:, :width] * len(codes) < _FEWEST_BIN_ROWS
    by_chance = chdtri(batches - 1, _CHANCE / np.maximum(1, (~rare).sum(axis=1))) / (batches - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.concatenate([far / spread, _together(far, spread)], axis=1)
        close = np.concatenate([near / spread, _together(near, spread)], axis=1)
    ratio[:, :width][rare | (ratio[:, :width] < by_chance[:, None])] = np.nan
    ratio, close = np.nan_to_num(ratio), np.nan_to_num(close)
    most = ratio.argmax(axis=1)[:, None]
    return np.take_along_axis(ratio, most, axis=1)[:, 0], np.take_along_axis(close, most, axis=1)[:, 0]


def _together(variance: FloatArray, spread: FloatArray) -> FloatArray:
    """Return the ratio of all bins together, shape [columns, 1]."""
    ratio: FloatArray = variance[:, :-1].sum(axis=1, keepdims=True) / spread[:, :-1].sum(axis=1, keepdims=True)
    return ratio


def _excess(
    binner: Binner, codes: CodeArray, strata: IntArray, scores: FloatArray, size: int
) -> tuple[FloatArray, FloatArray]:
    """Return the excess of each batch over the expectation of its hours, and the variance of a row.

    Shapes [batches, columns, K + 1] and [columns, K + 1]: of each bin, and last of the normal score.
    """
    batches = len(codes) // size
    batch = np.arange(len(codes)) // size
    excess = np.zeros((batches, binner.columns, binner.width + 1))
    spread = np.zeros((binner.columns, binner.width + 1))
    whole = binner.counts_by(codes, np.zeros(len(codes), dtype=np.int64), 1)[0] / len(codes)
    for stratum in np.unique(strata).tolist():
        own = strata == stratum
        counts = binner.counts_by(codes[own], batch[own], batches).astype(np.float64)
        rows = counts[:, 0].sum(axis=1)
        shares = whole if stratum == _WHOLE else counts.sum(axis=0) / rows.sum()
        over = counts - rows[:, None, None] * shares
        excess[:, :, :-1] += over
        excess[:, :, -1] += np.einsum("bfk,fk->bf", over, scores)
        spread[:, :-1] += rows.sum() * shares * (1.0 - shares)
        mean = (shares * scores).sum(axis=1)
        spread[:, -1] += rows.sum() * np.maximum((shares * scores**2).sum(axis=1) - mean**2, 0.0)
    return excess, spread / len(codes)


def expected_live_tau(meter: DependenceMeter, blocks: Iterable[Blocks]) -> FloatArray:
    """Return the largest tau of live rows that a reference in order of time accounts for, shape [columns].

    The reference's rows, in blocks, are measured as live rows are. A daily cycle, for example, shows a large tau at a
    scale of hours, and cancels out in stretches of days. Live rows that show the same are no news, as long as the
    reference has a hundred stretches of that length: its own tau is measured from these.
    """
    live = meter.start()
    largest = live.tau
    for lot in blocks:
        live, changes = meter.after(live, lot)
        for _, steps in changes:
            largest = np.maximum(largest, POWERS[steps])
    return np.maximum(np.minimum(SIMILAR * largest, live.rows / BATCHES), 1.0)


def smallest_silent_tau(tau: FloatArray, raises_alarm: Callable[[FloatArray], BoolArray]) -> FloatArray:
    """Return the smallest tau, at least the given one, with which the reference itself raises no evidence.

    `raises_alarm` says for which columns it does with a given tau; shapes [columns]. Exact to a tenth.
    """
    low, high = tau.copy(), tau.copy()
    loud = raises_alarm(high)
    while loud.any():
        low = np.where(loud, high, low)
        high = np.where(loud, np.minimum(2.0 * high, LARGEST_TAU), high)
        loud = raises_alarm(high) & (high < LARGEST_TAU)
    if (high == tau).all():
        return high
    for _ in range(_REFINEMENTS):
        middle = np.sqrt(low * high)
        still = raises_alarm(middle)
        low, high = np.where(still, middle, low), np.where(still, high, middle)
    return high
