"""Verdicts in words: how large a change is, since when, and where the rows went."""

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
from driftgauge.drift.reference.dependence import BLIND_TAU
from driftgauge.drift.windows.time_spans import DAY_SECONDS

NAMED: Final = 8
"""Columns that a note names."""
SHOWN_TAU: Final = 2.0
"""Dependence that is worth a word."""
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
    noise: float
    threshold: float
    held_until: float | None
    """Where a drift that was detected ends, if the change is below its threshold by now."""
    expected_range: float
    rows: str
    """Which rows, in words."""

    def in_words(self) -> str:
        """Return it as in `large (PSI 0.41 ≥ 0.1, noise 0.001, last 10000 rows)`; PSI is less its noise."""
        large = self.psi_debiased >= self.threshold
        parts = [f"PSI {short(self.psi_debiased)} {'≥' if large else '<'} {short(self.threshold)}"]
        if self.held_until is not None:
            parts.append(f"held until below {short(self.held_until)}")
        parts.append(f"noise {short(self.noise)}")
        parts.append(self.rows)
        if self.expected_range > 0:
            parts.append(f"the reference's own windows reach {short(self.expected_range)}")
        return f"{'large' if large else 'still large' if self.held_until is not None else 'small'} ({', '.join(parts)})"


@dataclass(frozen=True)
class Weight:
    """The evidence on a column beside its threshold."""

    evidence_log10: float
    threshold_log10: float
    raised: bool
    tau: float

    def in_words(self) -> str:
        """Return it as in `significant (evidence 10^9.4 against 10^7.5)`."""
        return f"{'significant' if self.raised else 'not told from chance'} ({self.numbers()})"

    def numbers(self) -> str:
        """Return the numbers alone, with how dependent rows are where that matters."""
        parts = [f"evidence 10^{self.evidence_log10:.1f} against 10^{self.threshold_log10:.1f}"]
        if self.raised and self.evidence_log10 < self.threshold_log10:
            parts.append(f"held until below 10^{self.threshold_log10 - 1.0:.1f}")
        if self.tau >= SHOWN_TAU:
            parts.append(f"τ = {self.tau:.3g}")
        return ", ".join(parts)


def since_in_words(since: float, now: float) -> str:
    """Return when something began: the day, and within a day the minute (UTC)."""
    return f"since {_moment(since, now)}"


def until_in_words(until: float, now: float) -> str:
    """Return when something ended, as `since_in_words`."""
    return f"until {_moment(until, now)}"


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
    """Yield what somebody who relies on a baseline's evidence has to know of it."""
    if baseline.time_column is None:
        yield "the reference has no times: rows are taken for independent of one another"
        return
    if any(column.tau is None for column in baseline.columns):
        yield "too few rows with times to tell how far rows depend on one another: they are taken for independent"
    few = baseline.hours_with_few_rows
    if few:
        yield (
            f"too few rows in the reference in hours {_ranges(few)} (UTC): rows of these hours "
            "are compared with all of it"
        )
    blind = [column for column in baseline.columns if (column.tau or 1.0) > BLIND_TAU]
    if blind:
        yield (
            f"evidence is nearly blind for {_with_tau(blind)}: in the reference, rows that follow one another "
            "are so alike that a drift takes tau times as many rows to show"
        )
    trending = [column for column in baseline.columns if column.trending]
    if trending:
        advice = "" if baseline.is_by_hour else "; of a daily cycle a baseline by hour of the day is rid (--by-hour)"
        yield f"a trend or season in the reference makes most of tau for {_with_tau(trending)}{advice}"


def _ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers in words, neighbours together: 0-4, 23."""
    firsts = [number for number in numbers if number - 1 not in numbers]
    lasts = [number for number in numbers if number + 1 not in numbers]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(firsts, lasts, strict=True))


def _with_tau(columns: Sequence[ColumnBaseline]) -> str:
    named = [f"{column.name} ({short(column.tau or 1.0)})" for column in columns[:NAMED]]
    return ", ".join(named) + (f" and {len(columns) - NAMED} more" if len(columns) > NAMED else "")


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
    """Rows on one side of a split, in the window and in the reference, and how to say it."""

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
    for place in range(bins.ordinary.start, bins.ordinary.stop - 1):
        below, was_below = up_to[place], was_up_to[place]
        above, was_above = up_to[-1] - below, was_up_to[-1] - was_below
        rose = above / n - was_above / m > below / n - was_below / m
        side, rows, was = ("above", above, was_above) if rose else ("below", below, was_below)
        if bins.rule == "value":
            value = number_name(bins.edges[place - 1])
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
