"""Reasons in words: what moved, whether it is significant and large, and since when."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bin_names import number_name
from driftgauge.drift.bins import ABOVE, BELOW, MISSING, OTHER, UNSEEN, FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.reference.dependence import HIGH_TAU
from driftgauge.drift.verdict.rule import Status
from driftgauge.drift.windows.time_spans import DAY_SECONDS

NAMED: Final = 8
"""Columns that a note names."""
_SPECIAL_PHRASES: Final = {
    MISSING: "missing",
    UNSEEN: "with a value that the reference does not have",
    OTHER: "in categories that are rare in the reference",
    BELOW: "below the reference's smallest value",
    ABOVE: "above the reference's largest value",
}


@dataclass(frozen=True)
class Effect:
    """How large a change is beside its threshold."""

    psi_debiased: float
    threshold: float
    held_until: float | None
    """Where detected drift ends, if the change is below its threshold by now."""
    expected_range: float
    is_usual: bool
    """Whether the expected range sets the threshold."""

    def in_words(self) -> str:
        """Return `large`, `still large`, `small` or `within the expected range`."""
        if self.psi_debiased >= self.threshold:
            return "large"
        if self.held_until is not None:
            return "still large"
        return "within the expected range" if self.is_usual else "small"

    def numbers(self) -> str:
        """Return the PSI beside its limit: `PSI 0.41, limit 0.10`, or `PSI 10.8, usual up to 3.27`."""
        shown = self.expected_range if self.is_usual else self.threshold
        psi, limit = two_decimals(self.psi_debiased), two_decimals(shown)
        if psi == limit and not math.isclose(self.psi_debiased, shown, rel_tol=1e-6):
            psi = f"{self.psi_debiased:.4g}"
        held = "" if self.held_until is None else f", ends below {two_decimals(self.held_until)}"
        return f"PSI {psi}, {'usual up to' if self.is_usual else 'limit'} {limit}{held}"


@dataclass(frozen=True)
class Finding:
    """What was found of a column, to be said in words."""

    significant: bool
    large: bool
    effect: Effect | None
    """None where there are too few rows to tell."""
    too_few: str
    """Which, in words, where that is so."""
    until: str | None
    """Until when a drift was significant that ended while the window's rows came; None if none did."""
    moved: str = ""
    since: str = ""
    learning: str = ""
    """Why severity is limited for now, and until when; empty if it is not."""

    def in_words(self, status: Status) -> str:
        """Return the reason of a verdict."""
        if status is Status.INSUFFICIENT_DATA:
            return f"not enough data: {self.too_few}{'. Earlier rows had drifted' if self.significant else ''}"
        if status is Status.NORMAL and not self.significant:
            return self._normal()
        effect = self.effect
        size = f"{effect.in_words()} ({effect.numbers()})" if effect else f"size not known yet ({self.too_few})"
        return " ".join(
            f"{part[0].upper()}{part[1:]}."
            for part in (self.moved, f"significant; {size}", self.since, self.learning)
            if part
        )

    def _normal(self) -> str:
        if self.effect is None:
            return f"no significant change (size not known yet: {self.too_few})"
        if not self.large:
            return f"no significant change ({self.effect.numbers()})"
        if self.until is not None:
            return f"was significant {self.until}; the window still holds rows from then ({self.effect.numbers()})"
        return f"large but not significant ({self.effect.numbers()})"


def since_in_words(since: float, now: float) -> str:
    """Return when something began: the day, and within a day the minute (UTC)."""
    return f"since {_moment(since, now)}"


def until_in_words(until: float, now: float) -> str:
    """Return when something ended, as `since_in_words`."""
    return f"until {_moment(until, now)}"


def learning_in_words(until: float) -> str:
    """Say why severity is limited until a day (UTC)."""
    day = np.datetime_as_string(np.datetime64(math.floor(until), "s"), unit="D")
    return f"the baseline has no times (--time): how much a day or a week usually varies is known from {day} on"


def _moment(at: float, now: float) -> str:
    moment = np.datetime64(math.floor(at), "s")
    if now - at >= DAY_SECONDS:
        return str(np.datetime_as_string(moment, unit="D"))
    return f"{str(np.datetime_as_string(moment, unit='m')).replace('T', ' ')} UTC"


def ago_in_words(seconds: float) -> str:
    """Return a length of time in its largest unit that gives a round number: 24 h, 90 s."""
    for unit, size in (("d", DAY_SECONDS), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= (2 * size if unit == "d" else size) and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 100.0 else f"{short(seconds)} s"


def notes(baseline: Baseline) -> Iterator[str]:
    """Yield what limits the evidence that a baseline allows."""
    if baseline.time_column is None:
        yield "the reference has no times (--time): rows are assumed to be independent"
        return
    if any(column.tau is None for column in baseline.columns):
        yield "the reference has too few rows to estimate autocorrelation: rows are assumed to be independent"
    few = baseline.hours_with_few_rows
    if few:
        yield f"hours {_ranges(few)} (UTC) have too few reference rows: they are compared with the whole reference"
    correlated = [column for column in baseline.columns if (column.tau or 1.0) > HIGH_TAU]
    if correlated:
        yield (
            f"drift in {_with_tau(correlated)} can only be detected late: consecutive rows in the reference are "
            "strongly correlated (tau in brackets)"
        )
    trending = [column for column in baseline.columns if column.trending]
    if trending:
        advice = "" if baseline.is_by_hour else "; to remove a daily cycle, build the baseline with --by-hour"
        yield f"a trend or season in the reference causes most of tau for {_with_tau(trending)}{advice}"


def _ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers in words, neighbours together: 0-4, 23."""
    firsts = [number for number in numbers if number - 1 not in numbers]
    lasts = [number for number in numbers if number + 1 not in numbers]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(firsts, lasts, strict=True))


def _with_tau(columns: Sequence[ColumnBaseline]) -> str:
    named = [f"{column.name} ({short(column.tau or 1.0)})" for column in columns[:NAMED]]
    return ", ".join(named) + (f" and {len(columns) - NAMED} more" if len(columns) > NAMED else "")


def two_decimals(value: float) -> str:
    """Return a number with two decimals; more if it is tiny, fewer from 10 on."""
    if value >= 10.0:
        return f"{value:.1f}" if value < 100.0 else f"{value:.0f}"
    return f"{value:.2f}" if value >= 0.005 or value == 0.0 else f"{value:.1g}"


def short(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:.3g}"


def percent(share: float) -> str:
    """Return a share as a percentage, with a decimal where it is small."""
    return f"{100.0 * share:.0f} %" if share >= 0.0995 or share == 0 else f"{100.0 * share:.2g} %"


def what_moved(column: ColumnBaseline, counts: FloatArray, expected: FloatArray | None = None) -> str:
    """Say where the share of rows changed most; `counts` are the window's, shape [at least its bins].

    `expected` are the reference's rows that it is compared with, by default all of them.
    Every bin, and for ordered ones every cut between two, splits the rows in two parts: named is the
    split with the largest PSI, of two that are the same split the side that grew. Empty where none moved.
    """
    current = counts[: len(column.bins.names)].astype(np.float64)
    reference = np.asarray(column.counts if expected is None else expected[: len(column.bins.names)])
    n, m = current.sum(), reference.sum()
    if n == 0 or m == 0:
        return ""
    splits = _splits(column, current, reference)
    most = max(splits, key=lambda split: (round(split.psi(n, m), 9), split.current / n - split.reference / m))
    # No more than chance makes of it: by now the shares are the reference's.
    return "" if most.psi(n, m) <= 1.0 / n + 1.0 / m else most.phrase


@dataclass(frozen=True)
class _Split:
    """Shares of rows on one side of a split, and how to describe that side."""

    current: float
    reference: float
    phrase: str

    def psi(self, n: float, m: float) -> float:
        """Return the PSI of the split, with half a row on either side."""
        p, q = (self.current + 0.5) / (n + 1.0), (self.reference + 0.5) / (m + 1.0)
        return float((p - q) * np.log(p * (1.0 - q) / (q * (1.0 - p))))


def _splits(column: ColumnBaseline, current: FloatArray, reference: FloatArray) -> Iterator[_Split]:
    n, m = current.sum(), reference.sum()
    bins = column.bins
    special = {code: name for name, code in bins.special.items()}
    for code, name in enumerate(bins.names):
        if code in special:
            was = f" (reference: {percent(reference[code] / m)})" if special[code] in (MISSING, OTHER) else ""
            phrase = f"{percent(current[code] / n)} of rows {_SPECIAL_PHRASES[special[code]]}{was}"
        elif bins.rule == "interval":
            continue
        else:
            phrase = f"{percent(current[code] / n)} of rows are {name} (reference: {percent(reference[code] / m)})"
        yield _Split(current[code], reference[code], phrase)
    if bins.rule != "category":
        yield from _cuts(column, current, reference)


def _cuts(column: ColumnBaseline, current: FloatArray, reference: FloatArray) -> Iterator[_Split]:
    """Yield the side of each cut between two ordered bins that holds more than it did."""
    bins = column.bins
    ordered = slice(bins.special[BELOW], bins.special[ABOVE] + 1)
    up_to, was_up_to = np.cumsum(current[ordered]), np.cumsum(reference[ordered])
    n, m = current.sum(), reference.sum()
    for index in range(bins.ordinary.start, bins.ordinary.stop - 1):
        below, was_below = up_to[index], was_up_to[index]
        above, was_above = up_to[-1] - below, was_up_to[-1] - was_below
        rose = above / n - was_above / m > below / n - was_below / m
        side, rows, was = ("above", above, was_above) if rose else ("below", below, was_below)
        if bins.rule == "value":
            value = number_name(bins.edges[index - 1])
            where = f"{'above' if rose else 'up to'} {value} (reference: {percent(was / m)})"
        else:
            where = f"{side} the reference's {_percentile(100.0 * was_below / was_up_to[-1])}"
        yield _Split(rows, was, f"{percent(rows / n)} of rows {where}")


def _percentile(level: float) -> str:
    # Near its ends a whole number would be the end itself.
    return f"{_ordinal(round(level)) if 1.0 <= level <= 99.0 else f'{min(max(level, 0.1), 99.9):.1f}th'} percentile"


def _ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else endings.get(number % 10, 'th')}"
