"""Reasons in words: what moved, whether the change is significant and large, and since when."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.evidence.live_dependence import LiveDependence
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.reference.dependence import HIGH_TAU
from driftgauge.drift.verdict.moved import Share
from driftgauge.drift.verdict.numbers import short, two_decimals
from driftgauge.drift.verdict.rule import Status
from driftgauge.drift.windows.time_spans import DAY_SECONDS

MAJORITY: Final = 0.5
"""Share of rows above which a reason names the caller that sent them."""
NAMED: Final = 8
"""Columns that a note names."""


@dataclass(frozen=True)
class Effect:
    """The size of a change beside its threshold."""

    value: float
    """The statistic without its noise."""
    threshold: float
    held_until: float | None
    """Where detected drift ends, if the change is below its threshold by now."""
    usual_up_to: float | None
    """The expected range, if that sets the threshold; None if the setting does."""
    statistic: str = "PSI"
    """The statistic that the verdict rests on, in words."""

    def in_words(self) -> str:
        """Return `large`, `still large`, `small` or `within the expected range`."""
        if self.value >= self.threshold:
            return "large"
        if self.held_until is not None:
            return "still large"
        return "small" if self.usual_up_to is None else "within the expected range"

    @property
    def limit(self) -> float:
        """The limit that a reader compares with: the threshold, or the expected range where that sets it."""
        return self.threshold if self.usual_up_to is None else self.usual_up_to

    def numbers(self) -> str:
        """Return the statistic beside its limit: `PSI 0.41, limit 0.10`, or `KS 0.41, usual up to 0.27`."""
        value, said = two_decimals(self.value), two_decimals(self.limit)
        if value == said and not math.isclose(self.value, self.limit, rel_tol=1e-6):
            value = f"{self.value:.4g}"
        held = "" if self.held_until is None else f", ends below {two_decimals(self.held_until)}"
        return f"{self.statistic} {value}, {'limit' if self.usual_up_to is None else 'usual up to'} {said}{held}"


@dataclass(frozen=True)
class Finding:
    """The facts about a column that its reason puts in words."""

    significant: bool
    large: bool
    effect: Effect | None
    """None where there are too few rows to tell."""
    too_few: str
    """Which, in words, where that is so."""
    until: str | None
    """Until when a drift was significant that ended while the window's rows came; None if none did."""
    moved: str = ""
    share: Share | None = None
    """The share of rows that `moved` states; None if it states the mean, or nothing."""
    since: str = ""
    limited: str = ""
    """Why the severity is limited, as `learning_in_words` or `NO_ALERTS` says it; empty if it is not."""

    def in_words(self, status: Status) -> str:
        """Return the reason of a verdict."""
        if status is Status.INSUFFICIENT_DATA:
            return f"not enough data: {self.too_few}{'. Earlier rows had drifted' if self.significant else ''}"
        return self._changed(status) if self.significant else self._quiet()

    def weight(self, status: Status) -> str:
        """Return how large a significant change is."""
        effect = self.effect
        size = f"{effect.in_words()} ({effect.numbers()})" if effect else f"size not known yet ({self.too_few})"
        only = ": for information, no alert" if status is Status.NORMAL else ""
        return f"Significant; {size}{only}."

    def _changed(self, status: Status) -> str:
        moved = [f"{self.moved}."] if self.moved else []
        return " ".join([*moved, self.weight(status), *map(sentence, filter(None, (self.since, self.limited)))])

    def _quiet(self) -> str:
        if self.effect is None:
            return f"no significant change (size not known yet: {self.too_few})"
        if not self.large:
            return f"no significant change ({self.effect.numbers()})"
        if self.until is not None:
            return f"was significant {self.until}; the window still holds rows from then ({self.effect.numbers()})"
        return f"large but not significant ({self.effect.numbers()})"


def sentence(words: str) -> str:
    """Return words as a sentence."""
    return f"{words[0].upper()}{words[1:]}."


def too_few_in_words(rows: int, needed: int, stale_seconds: float | None) -> str:
    """Return how many of the needed rows there are; `stale_seconds` is their age limit if older rows were left out."""
    if stale_seconds is None:
        return f"{rows} of {needed} rows"
    age = ago_in_words(stale_seconds)
    if rows == 0:
        return f"no rows in the last {age} (max_age_seconds), {needed} are needed"
    return f"{rows} of {needed} rows; rows older than {age} do not count (max_age_seconds)"


def with_sender(reason: str, clients: Mapping[str, float], *, is_quiet: bool) -> str:
    """Return a model's reason, and who sent over half of the rows, if anyone did.

    `clients` are shares of rows, the largest first. Without drift a single client is no news.
    """
    client, ratio = next(iter(clients.items()), ("", 0.0))
    if ratio <= MAJORITY or (is_quiet and len(clients) == 1):
        return reason
    end = "" if reason.endswith(".") else "."
    return f"{reason}{end} One caller sent {ratio:.0%} of these rows: {client}."


NO_ALERTS: Final = "severity is limited: the settings turn alerts off for this column"


def learning_in_words(until: float) -> str:
    """Return why severity has an upper limit until a time, seconds since 1970: its day, or the next one (UTC)."""
    day = np.datetime64(math.ceil(until / DAY_SECONDS), "D")
    unknown = "the baseline has no times (--time), so how much a day or a week usually varies is not known before"
    return f"severity is limited until {day}: {unknown}"


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


def notes(baseline: Baseline, live: LiveDependence | None = None) -> Iterator[str]:
    """Yield what limits the evidence that a baseline allows; `live` is the dependence of live rows, if measured."""
    is_measured = live is not None and live.is_measured
    measured = "how strongly rows depend on each other is measured from live rows alone"
    instead = measured if is_measured else "rows are assumed to be independent"
    if baseline.time_column is None:
        yield f"the reference has no times (--time): {instead}"
        return
    if any(column.tau is None for column in baseline.columns):
        yield f"the reference has too few rows to estimate autocorrelation: {instead}"
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
