"""The size of a change, by the statistic that the verdict on each column rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.statistics.measures import OF_BINS
from driftgauge.drift.statistics.noise import ks_noise, wasserstein_noise, without_noise
from driftgauge.drift.statistics.psi import Psi
from driftgauge.drift.statistics.two_sample import SampleStatistics
from driftgauge.drift.verdict.policy import BOUNDED, OF_VALUES, Policy, Statistic
from driftgauge.drift.verdict.rule import JUDGED_ROWS, LIMITS, Limit
from driftgauge.drift.verdict.wording import NAMED

IN_WORDS: Final[Mapping[Statistic, str]] = {
    "psi": "PSI",
    "ks": "KS",
    "wasserstein": "Wasserstein",
    "js": "JS",
    "kl": "KL",
    "chi2": "Cramér's V",
}
"""The names of statistics in reasons."""


@dataclass(frozen=True, eq=False)
class Sizes:
    """Of each column the statistic that its verdict rests on; arrays have shape [columns], NaN where unknown."""

    statistics: tuple[Statistic, ...]
    value: FloatArray
    noise: FloatArray
    """What it would be by chance."""
    debiased: FloatArray
    """The value without its noise, to which thresholds apply."""
    expected_range: FloatArray
    """The largest `debiased` of the reference's own windows of this size; 0 where unknown."""
    thresholds: Mapping[Limit, FloatArray]
    """The larger of the policy's thresholds and the expected range."""
    by_expected_range: BoolArray
    """Whether the expected range sets the thresholds, and not the policy."""
    enough: BoolArray
    """Whether there are enough rows with a value."""


@dataclass(frozen=True, eq=False)
class Compared:
    """What a window and the reference have in each column."""

    rows: int
    psi: Psi
    counts: FloatArray
    """Rows in each bin, shape [columns, K]."""
    reference: FloatArray
    """Reference rows in each bin to compare with, shape [columns, K]."""
    sample: SampleStatistics


def sizes(baseline: Baseline, compared: Compared, policy: Policy) -> Sizes:
    """Return the size of each column's change by the statistic of its verdict."""
    statistics, psi = policy.statistics(baseline), compared.psi
    columns = len(statistics)
    usual, enough = baseline.expected_range(compared.rows), np.ones(columns, dtype=np.bool_)
    if policy.judges_by_psi:
        found = limits(usual, policy.thresholds("psi", baseline.names))
        return Sizes(statistics, psi.psi, psi.noise, psi.debiased, usual, *found, enough)
    value, noise, debiased, usual = psi.psi.copy(), psi.noise.copy(), psi.debiased.copy(), usual.copy()
    for statistic in sorted(set(statistics) - {"psi"}):
        own = np.array([name == statistic for name in statistics], dtype=np.bool_)
        measured = _measured(baseline, compared, statistic)
        value[own], noise[own], debiased[own] = (numbers[own] for numbers in measured)
        usual[own] = baseline.sizing.expected_range(statistic, compared.rows)[own]
        if statistic in OF_VALUES:
            enough[own] = compared.sample.rows[own] >= JUDGED_ROWS
    pairs = [policy.size_pair(*named) for named in zip(baseline.names, statistics, strict=True)]
    bounded = np.array([name in BOUNDED for name in statistics], dtype=np.bool_)
    thresholds, by_expected_range = limits(usual, np.array(pairs, dtype=np.float64).reshape(columns, 2), bounded)
    return Sizes(statistics, value, noise, debiased, usual, thresholds, by_expected_range, enough)


def unusable(policy: Policy, baseline: Baseline) -> str:
    """Return why columns cannot be judged as the policy says, and what to do; empty if they can."""
    asked = {own.statistic for own in policy.columns.values()} | {policy.statistic}
    of_values = [name for name in OF_VALUES if name in asked]
    if of_values and baseline.is_by_hour:
        return f"{of_values[0]} compares with all hours, and the baseline is by hour: use psi, js, kl or chi2"
    for name, own in policy.columns.items():
        if own.statistic is None or name not in baseline.names:
            continue
        if not baseline.sizing.can_have(own.statistic)[baseline.names.index(name)]:
            needs = "numbers" if own.statistic == "ks" else "numbers that differ"
            return f"{own.statistic} needs a column of {needs}, and {name} is none: use psi, js, kl or chi2"
    return ""


def range_notes(policy: Policy, baseline: Baseline) -> Iterator[str]:
    """Yield for which statistics the baseline does not know how much they usually vary."""
    if policy.judges_by_psi:
        return
    statistics = policy.statistics(baseline)
    for statistic in dict.fromkeys(statistics):
        lacks = baseline.sizing.lacks_range(statistic)
        names = [baseline.names[i] for i, own in enumerate(statistics) if own == statistic and lacks[i]]
        if statistic != "psi" and names:
            columns = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
            yield (
                f"the baseline does not know how much {IN_WORDS[statistic]} usually varies in {columns}: build it with "
                f"--statistics {statistic}"
            )


def limits(
    usual: FloatArray, pairs: FloatArray, bounded: BoolArray | None = None
) -> tuple[dict[Limit, FloatArray], BoolArray]:
    """Return thresholds, shapes [columns], and whether the expected range `usual` sets them.

    `pairs` are those of the policy for warning and critical, shape [columns, 2]. Where the expected range is above the
    policy's threshold for warning, it takes its place, and that for critical stays the same multiple of it. Of
    statistics that are at most 1 (`bounded`, shape [columns]) it stays at the same part of the way from there to 1, so
    that it can be reached.
    """
    # A hair above, so that the reference's own most extreme window does not reach it.
    least = usual * (1.0 + 1e-9)
    warning, critical = pairs.T
    is_usual = least > warning
    beyond = least * (critical / warning)
    if bounded is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            part = (critical - warning) / (1.0 - warning)
        beyond = np.where(bounded & (critical < 1.0), least + np.maximum(0.0, 1.0 - least) * part, beyond)
    thresholds = np.where(is_usual, least, warning), np.where(is_usual, beyond, critical)
    return dict(zip(LIMITS, thresholds, strict=True)), is_usual


def _measured(
    baseline: Baseline, compared: Compared, statistic: Statistic
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return a statistic of all columns, its noise, and the statistic without it, shapes [columns]."""
    if statistic in OF_BINS:
        return OF_BINS[statistic].measured(compared.counts, compared.reference, compared.psi.noise)
    rows = compared.sample.rows.astype(np.float64), baseline.sizing.value_rows
    if statistic == "ks":
        value, noise = compared.sample.ks_statistic, ks_noise(*rows)
    else:
        value = compared.sample.wasserstein_ratio
        noise = wasserstein_noise(baseline.sizing.wasserstein_unit, *rows)
    return value, noise, without_noise(value, noise, is_distance=True)
