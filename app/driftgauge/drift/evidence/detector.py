"""Evidence that columns have drifted, within a budget of false alarms.

A block e-detector of the Shiryaev-Roberts kind. Drift can begin with any row, so each bet starts once with every
row; E, the weighted sum of their wealth, is the evidence. Without drift the mean of E is at most the number of
rows. So at least A rows pass on average until E reaches A * F in any of F columns (Shin, Ramdas and Rinaldo,
arXiv 2203.03532).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.drift.bins import Bins, BoolArray, FloatArray
from driftgauge.drift.evidence.bets import TILTS, BetDesign, Bets
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.evidence.live_dependence import DependenceMeter, LiveDependence
from driftgauge.drift.windows.blocks import Blocks

CLEARED: Final = 0.1
"""Raised evidence is cleared when it falls below this part of the threshold."""
CAP: Final = 10.0
"""Wealth of a bet is capped at this many thresholds, so that evidence falls once a drift ends."""
LARGEST_LOG_FACTOR: Final = 500.0
"""Limit of a block's log factor: far beyond any cap, and without overflow."""
OVERRULED: Final = 8.0
"""The reference's tau holds until the live one is this many times as large."""
_FACTORS_AT_ONCE: Final = 2_000_000
_RATE_SECONDS: Final = 86_400.0
"""Time constant of the current rate of rows."""
FEWEST_FALSE_ALARM_ROWS: Final = 10_000.0
"""Lower bound of A where it is given as a time."""
_RATE_KNOWN_SECONDS: Final = 3_600.0


@dataclass(frozen=True)
class Rate:
    """Rows a second, the last day counting most."""

    rows: float = 0.0
    seconds: float = 0.0
    since: float | None = None
    until: float = 0.0

    def after(self, rows: float, at: float) -> Rate:
        """Return the rate after more rows that came until `at`, seconds since 1970.

        The first rows only start the clock, because the time they took is unknown.
        """
        if self.since is None:
            return Rate(0.0, 0.0, at, at)
        passed = max(0.0, at - self.until)
        kept = float(np.exp(-passed / _RATE_SECONDS))
        seconds = self.seconds * kept + _RATE_SECONDS * (1.0 - kept)
        return Rate(self.rows * kept + rows, seconds, self.since, self.until + passed)

    @property
    def per_second(self) -> float | None:
        """Rows a second, None until an hour has passed."""
        if self.since is None or self.until - self.since < _RATE_KNOWN_SECONDS:
            return None
        return self.rows / self.seconds


@dataclass(frozen=True)
class Evidence:
    """The evidence after some rows; its arrays are never written to."""

    wealth: FloatArray
    """Wealth of each bet, times its weight, shape [bets]."""
    values: FloatArray
    """E of each column, shape [columns]; NaN for columns that are not watched."""
    raised: BoolArray
    """Shape [columns]."""
    since: FloatArray
    """When evidence was raised, seconds since 1970, shape [columns]; NaN while it is not."""
    cleared: FloatArray
    """When evidence that had been raised was cleared last, shape [columns]; NaN if it never was."""
    threshold: float
    """A * F."""
    rate: Rate
    tau: FloatArray
    """Autocorrelation time in force: rows that carry the information of one independent row, shape [columns]."""
    live: LiveDependence | None = None
    """Dependence between the rows so far; None where it is not measured. Its tau holds from the next block on."""

    @property
    def watched(self) -> int:
        """Columns with a detector, F."""
        return int((~np.isnan(self.values)).sum())

    @cached_property
    def log10(self) -> FloatArray:
        """Decimal logarithm of E, 0 for none, shape [columns]."""
        return np.log10(np.maximum(self.values, 1.0))

    @property
    def threshold_log10(self) -> float:
        """Decimal logarithm of the threshold."""
        return float(np.log10(self.threshold))


class Detector:
    """Updates evidence with blocks of rows, against one reference."""

    def __init__(
        self,
        bins: Sequence[Bins],
        counts: FloatArray,
        budget: Budget | None = None,
        *,
        tau: FloatArray | None = None,
        by_hour: FloatArray | None = None,
        watched: BoolArray | None = None,
        tolerance: FloatArray | None = None,
        timed: BoolArray | None = None,
        expected_live_tau: FloatArray | None = None,
        beside: int = 0,
    ) -> None:
        """Make the bets; `counts` (shape [columns, K]) are the reference's rows in each bin.

        `tau` (shape [columns]) is the autocorrelation time, 1 by default; `by_hour` (shape [24, columns, K])
        are the reference's rows in each hour of the day, for a baseline by hour; `watched` (shape [columns])
        says which columns have a detector, by default all; `tolerance` (shape [columns]) is by default the
        budget's. With `timed` (shape [columns]), which says whose `tau` the
        reference's times gave, dependence is measured live too; never by hour, because an hour's own sampling error
        would look like dependence. `expected_live_tau` (shape [columns]) are the live ones that the reference accounts
        for, by default none. `beside` are the columns of another detector whose budget these columns share.
        """
        columns = len(bins)
        self.budget: Final = budget or Budget()
        self.tau: Final = np.ones(columns) if tau is None else tau
        self.watched: Final[BoolArray] = np.ones(columns, dtype=np.bool_) if watched is None else watched
        self.tolerance: Final = np.full(columns, self.budget.tolerance) if tolerance is None else tolerance
        self._maker = BetDesign(bins, counts, self.tau, self.watched, self.tolerance)
        against = () if by_hour is None else by_hour
        self._against_hour: Final[tuple[Bets, ...]] = tuple(self._maker.against(own) for own in against)
        self._timed: BoolArray = np.zeros(columns, np.bool_) if timed is None else timed
        expected = OVERRULED * self.tau
        self._trusted = expected if expected_live_tau is None else np.maximum(expected, expected_live_tau)
        self._meter: Final = None if timed is None or by_hour is not None else DependenceMeter(bins, counts)
        self._bets: tuple[FloatArray, Bets] = self.tau, self._maker.bets
        self._weights = self._maker.weights
        self._first = np.cumsum(self._maker.singles) - self._maker.singles
        self._columns = columns
        self._beside = beside

    @property
    def by_hour(self) -> bool:
        """Whether rows are compared with the reference of their hour of the day."""
        return bool(self._against_hour)

    @property
    def bets(self) -> int:
        """How many bets there are."""
        return len(self._weights)

    def start(self) -> Evidence:
        """Return the evidence before the first row: none."""
        return Evidence(
            wealth=np.zeros(self.bets),
            values=np.where(self.watched, 0.0, np.nan),
            raised=np.zeros(self._columns, dtype=np.bool_),
            since=np.full(self._columns, np.nan),
            cleared=np.full(self._columns, np.nan),
            threshold=self._threshold(Rate()),
            rate=Rate(),
            tau=self.tau,
            live=None if self._meter is None else self._meter.start(),
        )

    def advance(self, seen: Evidence, blocks: Blocks) -> Evidence:
        """Return the evidence after more blocks; those without rows change nothing.

        A bet's factor over a block is the product of its factors over the rows; its wealth becomes
        (wealth + weight * rows) * factor, at most `CAP` thresholds.
        """
        filled = blocks.rows > 0
        if not filled.all():
            blocks = blocks.part(np.flatnonzero(filled))
        for lot in self._lots(blocks):
            seen = self._measured(seen, lot)
        return seen

    def tau_in_force(self, live: LiveDependence) -> FloatArray:
        """Return the autocorrelation times by which the next block is weighed, shape [columns].

        The reference's where it has times, unless the live ones are far larger and the reference does not account
        for them; else the live ones.
        """
        live_tau = live.tau
        trusted = (live_tau <= self._trusted) & self._timed
        tau: FloatArray = np.where(trusted, self.tau, np.maximum(live_tau, self.tau))
        return tau

    def _measured(self, seen: Evidence, blocks: Blocks) -> Evidence:
        """Return the evidence after blocks with rows; each is weighed by the tau measured before it."""
        if self._meter is None or seen.live is None:
            return self._advance(seen, blocks)[0]
        live, changes = self._meter.after(seen.live, blocks)
        before, first = seen.live, 0
        for end, steps in (*changes, (len(blocks), live.steps)):
            if end > first:
                seen = self._reweighed(seen, self.tau_in_force(before))
                seen, _ = self._advance(seen, blocks.part(slice(first, end)))
            before, first = replace(before, steps=steps), end
        return replace(seen, live=live)

    def _reweighed(self, seen: Evidence, tau: FloatArray) -> Evidence:
        """Return the evidence with other autocorrelation times.

        Where one rises, the wealth M that bets have won counts as if it had been in force: M ** (before / after).
        """
        if np.array_equal(tau, seen.tau):
            return seen
        power = np.minimum(seen.tau / tau, 1.0)[self._maker.owners]
        with np.errstate(divide="ignore", invalid="ignore"):
            won = seen.wealth / self._weights
            rich = (won > 1.0) & (power < 1.0)
            wealth = np.where(rich, self._weights * won**power, seen.wealth)
        return replace(seen, wealth=wealth, tau=tau)

    def _bets_by(self, tau: FloatArray) -> Bets:
        """Return the bets with some autocorrelation times; those of the last ones are kept."""
        known, bets = self._bets
        columns = np.flatnonzero(known != tau)
        if columns.size:
            bets = self._maker.reweighed(bets, tau, columns)
            self._bets = tau, bets
        return bets

    def peaks(self, blocks: Iterable[Blocks]) -> FloatArray:
        """Return the largest E of each column on the way through blocks, shape [columns]."""
        seen, highest = self.start(), np.zeros(self._columns)
        for lot in (lot for some in blocks for lot in self._lots(some)):
            seen, values = self._advance(seen, lot)
            highest = np.maximum(highest, values.max(axis=0))
        return highest

    def _lots(self, blocks: Blocks) -> Iterator[Blocks]:
        most = max(1, _FACTORS_AT_ONCE // max(1, self.bets))
        for first in range(0, len(blocks), most):
            yield blocks.part(slice(first, first + most))

    def _advance(self, seen: Evidence, blocks: Blocks) -> tuple[Evidence, FloatArray]:
        """Return the evidence after blocks with rows, and E of each column after each, shape [blocks, columns]."""
        rows = blocks.rows
        rate, thresholds = self._thresholds(seen.rate, rows, blocks.at)
        factors = self._factors(blocks, seen.tau)
        wealth = self._wealth_after(seen.wealth, factors, rows, CAP * thresholds)
        values = self._by_column(wealth)
        raised, since, cleared = _latched(values, thresholds, blocks.at, seen)
        after = Evidence(
            wealth=wealth[-1].copy(),
            values=np.where(self.watched, values[-1], np.nan),
            raised=raised,
            since=since,
            cleared=cleared,
            threshold=float(thresholds[-1]),
            rate=rate,
            tau=seen.tau,
            live=seen.live,
        )
        return after, values

    def _factors(self, blocks: Blocks, tau: FloatArray) -> FloatArray:
        """Return each bet's factor over each block, shape [blocks, bets]."""
        counts = blocks.counts.astype(np.float64)
        if not self.by_hour:
            factors = self._bets_by(tau).log_factors(counts)
        else:
            factors = np.empty((len(blocks), self.bets))
            for hour in np.unique(blocks.hours).tolist():
                own = blocks.hours == hour
                factors[own] = self._against_hour[hour].log_factors(counts[own])
        np.minimum(factors, LARGEST_LOG_FACTOR, out=factors)
        return np.exp(factors, out=factors)

    def _wealth_after(self, wealth: FloatArray, factors: FloatArray, rows: FloatArray, caps: FloatArray) -> FloatArray:
        """Return the wealth of each bet after each block, shape [blocks, bets]; it replaces the factors."""
        staked = np.empty(self.bets)
        for factor, b, cap in zip(factors, rows.tolist(), caps.tolist(), strict=True):
            np.multiply(self._weights, b, out=staked)
            staked += wealth
            np.multiply(staked, factor, out=factor)
            wealth = np.minimum(factor, cap, out=factor)
        return factors

    def _by_column(self, wealth: FloatArray) -> FloatArray:
        """Return E of each column after each block, shape [blocks, columns]."""
        split = self._columns * TILTS
        values: FloatArray = wealth[:, :split].reshape(len(wealth), self._columns, TILTS).sum(axis=2)
        betted = np.flatnonzero(self._maker.singles)
        if betted.size:
            values[:, betted] += np.add.reduceat(wealth[:, split:], self._first[betted], axis=1)
        return values

    def _thresholds(self, rate: Rate, rows: FloatArray, at: FloatArray) -> tuple[Rate, FloatArray]:
        """Return the rate after the blocks and the threshold that held at the end of each, shape [blocks]."""
        if self.budget.false_alarm_interval_seconds is None:
            return rate, np.full(len(rows), self._threshold(rate))
        thresholds = np.empty(len(rows))
        for index, (b, end) in enumerate(zip(rows.tolist(), at.tolist(), strict=True)):
            rate = rate.after(b, end)
            thresholds[index] = self._threshold(rate)
        return rate, thresholds

    def _threshold(self, rate: Rate) -> float:
        rows, interval = self.budget.false_alarm_rows, self.budget.false_alarm_interval_seconds
        if interval is not None and rate.per_second is not None:
            rows = max(FEWEST_FALSE_ALARM_ROWS, interval * rate.per_second)
        return rows * max(1, int(self.watched.sum()) + self._beside)


def _latched(
    values: FloatArray, thresholds: FloatArray, at: FloatArray, before: Evidence
) -> tuple[BoolArray, FloatArray, FloatArray]:
    """Return which columns are raised after the last block, since when, and when they were cleared last.

    Raised at the threshold, cleared below `CLEARED` of it, unchanged between.
    """
    up, down = values >= thresholds[:, None], values < CLEARED * thresholds[:, None]
    step = np.arange(1, len(values) + 1)[:, None]
    decided = np.maximum.accumulate(np.where(up | down, step, 0), axis=0)  # 0: as it was before
    after = np.take_along_axis(np.concatenate([before.raised[None], up]), decided, axis=0)
    was = np.concatenate([before.raised[None], after[:-1]])
    began, ended = (np.where(turn, step, 0).max(axis=0) for turn in (after & ~was, was & ~after))
    times = np.concatenate([[np.nan], at])
    since = np.where(began > 0, times[began], before.since)
    cleared = np.where(ended > 0, times[ended], before.cleared)
    return after[-1], np.where(after[-1], since, np.nan), cleared
