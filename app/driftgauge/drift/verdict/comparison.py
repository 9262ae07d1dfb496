"""Every statistic of each window against the baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from driftgauge.drift.bins import MISSING, BoolArray, FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.statistics.divergences import cramers_v, kl_divergence
from driftgauge.drift.statistics.psi import Psi, Shares, js_distance, shares
from driftgauge.drift.statistics.significance import Significance
from driftgauge.drift.statistics.two_sample import SampleStatistics
from driftgauge.drift.verdict.policy import OF_VALUES, Policy
from driftgauge.drift.verdict.rule import JUDGED_ROWS, LIMITS, REPORTED_ROWS, Limit
from driftgauge.drift.verdict.sizes import Compared, Sizes, limits, sizes
from driftgauge.drift.windows.blocks import HOURS
from driftgauge.drift.windows.days import Days
from driftgauge.drift.windows.window import Rows, Window


@dataclass(frozen=True, repr=False)
class WindowReport:
    """The statistics of one window; arrays have shape [columns], NaN where unknown."""

    name: str
    rows: int
    start: float | None
    """Start and end, seconds since 1970; None for a sliding window without rows."""
    end: float | None
    capacity: int | None
    """Rows of a full sliding window; None for a time window."""
    seconds: int | None
    """Length of a time window; None for a sliding window."""
    expired: int
    """Rows that a sliding window leaves out because they are too old."""
    slides: bool
    """Whether these are the newest of a stream of rows, rather than all rows of a table."""
    counts: IntArray
    """Rows in each bin, shape [columns, K]."""
    psi: Psi
    """Like everything that compares, NaN below 200 rows."""
    js_distance: FloatArray
    kl_divergence: FloatArray
    cramers_v: FloatArray
    significance: Significance
    """NaN below 100 rows."""
    sample: SampleStatistics
    shares: Shares
    reference: FloatArray
    """Reference rows in each bin to compare with, shape [columns, K]."""
    expected_range: FloatArray
    thresholds: Mapping[Limit, FloatArray]
    """The larger of the policy's thresholds and the expected range; NaN for a time window."""
    by_expected_range: BoolArray
    """Whether the expected range sets the thresholds, and not the policy."""
    sizes: Sizes
    """The statistic that the verdict on each column rests on; PSI unless the policy says another."""
    judged: BoolArray
    """Whether a verdict on the column may use the window: a sliding window with enough rows."""
    days: Days | None = None
    """The whole days of a time window that is judged beside the verdict."""

    def __repr__(self) -> str:
        return f"<WindowReport {self.name}: {self.rows:,} rows, {len(self.judged)} columns>"

    def effect(self, limit: Limit) -> FloatArray:
        """Return the size of each column's change in units of its threshold; NaN where it is not judged."""
        return np.where(self.judged, self.sizes.debiased / self.sizes.thresholds[limit], np.nan)


def effects_of(baseline: Baseline, windows: Sequence[Window], policy: Policy) -> FloatArray:
    """Return the effects of sliding windows, as `compare` would, shape [limits, windows, columns]."""
    counts, hours = np.stack([window.counts for window in windows]), _hours(windows)
    reference = np.broadcast_to(baseline.expected(hours), counts.shape)
    psi = baseline.psi(counts, hours)
    of_ks, of_wasserstein = (
        np.array([own == name for own in policy.statistics(baseline)], np.bool_) for name in OF_VALUES
    )
    needed = partial(baseline.sample_comparison.distances, ks=of_ks, wasserstein=of_wasserstein)
    samples = _samples(baseline, windows, needed) if (of_ks | of_wasserstein).any() else None
    unknown = SampleStatistics.unknown(len(baseline.columns))
    effects = np.full((len(LIMITS), len(windows), len(baseline.columns)), np.nan)
    for i, window in enumerate(windows):
        own = Psi(psi.psi[i], psi.noise[i], psi.debiased[i], psi.bins[i])
        judged = _judged(baseline, window.rows, own, policy)
        if not judged.any():
            continue
        sample = unknown if samples is None else samples[i]
        compared = Compared(window.rows, own, window.counts.astype(np.float64), reference[i], sample)
        found = sizes(baseline, compared, policy)
        for index, limit in enumerate(LIMITS):
            effects[index, i] = np.where(judged & found.enough, found.debiased / found.thresholds[limit], np.nan)
    return effects


def _hours(windows: Sequence[Window]) -> IntArray:
    """Return the rows of each window by hour of the day, shape [windows, 24]; 0 where unknown."""
    return np.stack([np.zeros(HOURS, dtype=np.int64) if w.hours is None else w.hours for w in windows])


def main_window(windows: Sequence[WindowReport]) -> WindowReport:
    """Return the largest sliding window."""
    return [window for window in windows if window.capacity is not None][-1]


def compare(baseline: Baseline, windows: Sequence[Window], policy: Policy) -> list[WindowReport]:
    """Compute all statistics: from the counts of all windows at once, and from the rows of each."""
    counts = np.stack([window.counts for window in windows])
    hours = _hours(windows)
    reference = np.broadcast_to(baseline.expected(hours), counts.shape)
    psi = baseline.psi(counts, hours)
    of_bins = [measure(counts.astype(np.float64), reference) for measure in (js_distance, kl_divergence, cramers_v)]
    significance = _significance(baseline, counts)
    samples = _samples(baseline, windows, baseline.sample_comparison)
    return [
        _window_report(
            baseline,
            window,
            policy,
            Psi(psi.psi[i], psi.noise[i], psi.debiased[i], psi.bins[i]),
            [measured[i] for measured in of_bins],
            Significance(significance.p_value[i], significance.chi_squared[i], significance.degrees[i]),
            samples[i],
            reference[i],
        )
        for i, window in enumerate(windows)
    ]


def _significance(baseline: Baseline, counts: IntArray) -> Significance:
    """Test that counts come from the reference; there is no such test for a mixture of hours."""
    if baseline.is_by_hour:
        unknown = np.full(counts.shape[:-1], np.nan)
        return Significance(unknown, unknown, unknown)
    return baseline.significance(counts.astype(np.float64))


def _samples(
    baseline: Baseline, windows: Sequence[Window], compare_rows: Callable[[FloatArray], SampleStatistics]
) -> list[SampleStatistics]:
    """Compare the rows of each window; rows that windows share are compared once."""
    found: list[SampleStatistics] = []
    seen: list[tuple[Rows, SampleStatistics]] = []
    for window in windows:
        known = [earlier for rows, earlier in seen if window.sample is not None and rows.same_as(window.sample)]
        if known:
            found.append(known[0])
        elif window.sample is not None:
            found.append(compare_rows(window.sample.by_column))
            seen.append((window.sample, found[-1]))
        else:
            missing = window.counts[np.arange(len(baseline.columns)), baseline.special_codes[MISSING]]
            sums = np.zeros((2, len(baseline.columns))) if window.sums is None else window.sums
            own = baseline.sample_comparison.of_sums(window.rows - missing, sums)
            found.append(own if window.ends is None else replace(own, min=window.ends[0], max=window.ends[1]))
    return found


def _window_report(
    baseline: Baseline,
    window: Window,
    policy: Policy,
    psi: Psi,
    of_bins: Sequence[FloatArray],
    significance: Significance,
    sample: SampleStatistics,
    reference: FloatArray,
) -> WindowReport:
    n = window.rows
    counted = window.capacity is not None
    hidden = np.full(len(baseline.columns), np.nan)
    variation = baseline.expected_range(n) if counted else hidden
    thresholds, by_expected_range = _thresholds(baseline, n, policy)
    if n < REPORTED_ROWS:
        psi = replace(psi, psi=hidden, noise=hidden, debiased=hidden)
        of_bins = [hidden] * len(of_bins)
        sample = replace(sample, ks_statistic=hidden, wasserstein_ratio=hidden, mean_shift=hidden)
    found = sizes(baseline, Compared(n, psi, window.counts.astype(np.float64), reference, sample), policy)
    judged = counted & _judged(baseline, n, psi, policy)
    return WindowReport(
        name=window.name,
        rows=n,
        start=window.start,
        end=window.end,
        capacity=window.capacity,
        seconds=window.seconds,
        expired=window.expired,
        slides=window.slides,
        counts=window.counts,
        psi=psi,
        js_distance=of_bins[0],
        kl_divergence=of_bins[1],
        cramers_v=of_bins[2],
        significance=significance,
        sample=sample,
        shares=shares(window.counts, baseline.special_codes),
        reference=reference,
        expected_range=variation,
        thresholds=thresholds if counted else dict.fromkeys(LIMITS, hidden),
        by_expected_range=counted & by_expected_range,
        sizes=found if counted else replace(found, expected_range=hidden, thresholds=dict.fromkeys(LIMITS, hidden)),
        judged=judged & found.enough & ~np.isnan(found.debiased),
        days=window.days,
    )


def _thresholds(baseline: Baseline, rows: int, policy: Policy) -> tuple[dict[Limit, FloatArray], BoolArray]:
    """Return the thresholds of PSI in sliding windows of `rows` rows, and whether the expected range sets them."""
    return limits(baseline.expected_range(rows), policy.thresholds("psi", baseline.names))


def _judged(baseline: Baseline, rows: int, psi: Psi, policy: Policy) -> BoolArray:
    """Return the columns whose change a window of `rows` rows can size, shape [columns]."""
    enough = (rows >= np.maximum(JUDGED_ROWS, 10 * psi.bins)) & ~np.isnan(psi.psi)
    judged: BoolArray = enough & ~baseline.in_sample & policy.monitored(baseline.names)
    return judged
