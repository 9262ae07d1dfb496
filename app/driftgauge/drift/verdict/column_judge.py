"""The verdict on one column, from its evidence and the effects in all windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.evidence.detector import Evidence
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.verdict.column import ColumnVerdict
from driftgauge.drift.verdict.comparison import WindowReport, main_window
from driftgauge.drift.verdict.latches import CLEARED
from driftgauge.drift.verdict.moved import Change, largest_change
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.verdict.rule import (
    JUDGED_ROWS,
    LIMITS,
    REPORTED_ROWS,
    Limit,
    Size,
    Status,
    Verdict,
    as_information,
    judge,
)
from driftgauge.drift.verdict.sizes import IN_WORDS
from driftgauge.drift.verdict.wording import (
    NO_ALERTS,
    Effect,
    Finding,
    learning_in_words,
    since_in_words,
    too_few_in_words,
    until_in_words,
)

IN_SAMPLE: Final = (
    "not evaluated, because its reference is the scores of the model's own training rows (use --evaluation)"
)
NOT_MONITORED: Final = "not monitored (monitor = false in the settings)"


@dataclass(frozen=True)
class ColumnJudge:
    """Judges one column after the other, from what is common to all of them."""

    windows: Sequence[WindowReport]
    evidence: Evidence
    latched: BoolArray
    """Shape [limits, columns]."""
    effects: FloatArray
    """Shape [limits, windows, columns]."""
    policy: Policy
    now: float
    learning_until: FloatArray
    """Shape [columns]; NaN where a column has learnt."""
    is_by_hour: bool

    def verdict(self, i: int, column: ColumnBaseline) -> ColumnVerdict:
        """Return the verdict on the column at position `i`."""
        own = self.policy.column(column.name)
        if column.in_sample or not own.monitor:
            why = IN_SAMPLE if own.monitor else NOT_MONITORED
            return ColumnVerdict(column.name, Status.INSUFFICIENT_DATA, None, f"{column.name}: {why}", None)
        significant, large = bool(self.evidence.raised[i]), _large(self.latched[:, i])
        is_sized = not np.isnan(self.effects[0, :, i]).all()
        size: Size = large or ("small" if is_sized else "unknown")
        verdict, learning = self._judged(i, size, significant=significant)
        status, severity = verdict if own.alert else as_information(verdict)
        since = float(self.evidence.since[i]) if severity else None
        window = self._largest(i)
        change = None if since is None else _change(i, column, window, is_by_hour=self.is_by_hour)
        finding = Finding(
            significant=significant,
            large=large is not None,
            effect=_effect(i, window, large or "warning", held=large is not None) if is_sized else None,
            too_few="" if is_sized else _too_few(i, self.windows, self.policy, significant=significant),
            until=_until(float(self.evidence.cleared[i]), window, self.now),
            moved=change.clause if change else "",
            share=change.share if change else None,
            since="" if since is None or since >= self.now else since_in_words(since, self.now),
            limited=learning if own.alert else NO_ALERTS * (severity != verdict[1]),
        )
        reason = f"{column.name}: {finding.in_words(status)}"
        return ColumnVerdict(column.name, status, severity, reason, since, finding)

    def _judged(self, i: int, size: Size, *, significant: bool) -> tuple[Verdict, str]:
        """Return the verdict, and in words what learning changes of it."""
        rows, learns = main_window(self.windows).rows, not np.isnan(self.learning_until[i])
        later, found = (
            judge(
                rows,
                significant=significant,
                size=size,
                is_learning=is_learning,
                alert_on_small=self.policy.alert_on_small,
            )
            for is_learning in (False, learns)
        )
        return found, learning_in_words(float(self.learning_until[i])) if found != later else ""

    def _largest(self, i: int) -> WindowReport:
        """Return the window with the column's largest effect, which is so for both thresholds."""
        return self.windows[int(np.argmax(np.nan_to_num(self.effects[0, :, i], nan=-1.0)))]


def _change(i: int, column: ColumnBaseline, window: WindowReport, *, is_by_hour: bool) -> Change | None:
    # By hour of the day, the mean to expect is not the whole reference's.
    mean = math.nan if is_by_hour else float(window.sample.mean[i])
    return largest_change(column, window.counts[i].astype(np.float64), window.reference[i], mean)


def _large(latched: BoolArray) -> Limit | None:
    """Return which of the two thresholds of a column is latched, the higher one if both are."""
    if not latched.any():
        return None
    return "critical" if latched[LIMITS.index("critical")] else "warning"


def _until(cleared: float, window: WindowReport, now: float) -> str | None:
    """Say until when a drift was significant that ended while the window's rows came; None if none did."""
    is_over = not math.isnan(cleared) and window.start is not None and cleared >= window.start
    return until_in_words(cleared, now) if is_over else None


def _too_few(i: int, windows: Sequence[WindowReport], policy: Policy, *, significant: bool) -> str:
    """Say how many of the needed rows there are, for a verdict or the size of a drift."""
    counted = [window for window in windows if window.capacity is not None]
    window = max(counted, key=lambda w: w.rows)
    unjudged = window.rows == 0 or (window.rows < REPORTED_ROWS and not significant)
    needed = REPORTED_ROWS if unjudged else max(JUDGED_ROWS, 10 * int(window.psi.bins[i]))
    largest = max(w.capacity or 0 for w in counted)
    if largest < needed and window.slides:
        return f"the largest window holds {largest} rows, and {needed} are needed; make it larger"
    if window.rows >= needed:
        known = int(window.sample.rows[i])
        if known and not window.sizes.enough[i]:
            return f"{known} of {JUDGED_ROWS} rows with a value"
        return "all values of the window or of the reference are missing"
    return too_few_in_words(window.rows, needed, policy.max_age_seconds if window.expired else None)


def _effect(i: int, window: WindowReport, limit: Limit, *, held: bool) -> Effect:
    sizes = window.sizes
    debiased, threshold = float(sizes.debiased[i]), float(sizes.thresholds[limit][i])
    return Effect(
        statistic=IN_WORDS[sizes.statistics[i]],
        value=debiased,
        threshold=threshold,
        held_until=CLEARED * threshold if held and debiased < threshold else None,
        usual_up_to=float(sizes.expected_range[i]) if sizes.by_expected_range[i] else None,
    )
