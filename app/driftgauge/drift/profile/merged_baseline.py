"""The baseline of a table in parts: a baseline of the first part, and baselines or profiles of the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from driftgauge.drift.binner import Binner
from driftgauge.drift.bins import ABOVE, BELOW, MISSING, FloatArray
from driftgauge.drift.profile.exact_sums import ExactSums
from driftgauge.drift.profile.partitions import Partitions
from driftgauge.drift.profile.profile import Profile
from driftgauge.drift.reference.baseline import Baseline, varying_as
from driftgauge.drift.reference.build import QUANTILES
from driftgauge.drift.reference.columns import NO_CORRELATIONS, ColumnBaseline
from driftgauge.errors import BaselineError

NOTES: Final = (
    "rows and counts, also by hour of the day, are those of all parts; means and standard deviations to rounding",
    "expected ranges and tau are the largest of the baselines that have them: they were not measured over all parts",
    "correlations and the scores of outliers are left out: they need the rows themselves",
)
"""What a merged baseline is, and what it is not."""
OF_PROFILES: Final = (
    "quantiles (for Kolmogorov-Smirnov and Wasserstein) are exact to the bin: within a bin, a profile is taken to be "
    "spread as the first baseline"
)
_ENDS: Final = 16
"""Points that stand for the rows of a profile beyond the first baseline's range, evenly from its end."""


@dataclass(frozen=True)
class _Numbers:
    """The numbers of a column in one part."""

    rows: float
    """Rows with a number."""
    mean: float
    std: float
    lowest: float
    highest: float
    points: FloatArray
    """Points that stand for the numbers, with their weights, shape [2, points]."""


def merged_baseline(first: Baseline, others: Sequence[Baseline | Profile], *, created: str) -> Baseline:
    """Return the baseline of all rows, in the bins of the first part.

    Other baselines must have the same columns and bins, and profiles must be of the first baseline: then counts add up
    exactly. `NOTES` explain the other numbers. Raises BaselineError, also for a part that is given twice.
    """
    _require_each_once(first, others)
    for other in others:
        if isinstance(other, Baseline):
            _require_same_columns(first, other)
        else:
            _require_profile(first, other)
    baselines = [first, *(other for other in others if isinstance(other, Baseline))]
    varying = first
    for baseline in baselines[1:]:
        varying = varying_as(varying, baseline)
    profiles = [other for other in others if isinstance(other, Profile) and other.rows]
    scaled = [ExactSums(first.scales).floats(own.sums) for own in profiles]
    columns = tuple(
        _merged(column, [own.columns[i] for own in baselines], profiles, [sums[:, i] for sums in scaled], i)
        for i, column in enumerate(varying.columns)
    )
    return replace(
        first,
        columns=columns,
        rows=sum(own.rows for own in baselines) + sum(own.rows for own in profiles),
        created=created,
        time_column=next((own.time_column for own in baselines if own.time_column is not None), None),
        correlations=NO_CORRELATIONS,
        novelty=None,
    )


def _require_each_once(first: Baseline, others: Sequence[Baseline | Profile]) -> None:
    """Raise BaselineError if the rows of a part would be counted twice."""
    hashes = [first.hash, *(other.hash for other in others if isinstance(other, Baseline))]
    if len(set(hashes)) < len(hashes):
        raise BaselineError("two of the baselines are the same, and their rows would count twice: give each once")
    partitions = Partitions()
    for other in others:
        if isinstance(other, Profile) and (twice := partitions.add(other.partitions)):
            raise BaselineError(twice)


def _require_profile(first: Baseline, profile: Profile) -> None:
    """Raise BaselineError unless a profile counts all columns of a baseline in its bins."""
    name = profile.partitions[0]
    if profile.baseline_hash != first.hash:
        raise BaselineError(
            f"the profile of {name} was made against another baseline than the first one: profile the table again"
        )
    if profile.columns != first.names:
        lacking = ", ".join(column for column in first.names if column not in profile.columns)
        raise BaselineError(f"the profile of {name} does not count {lacking}: profile the table again with all columns")
    if first.is_by_hour and profile.rows and not profile.in_hour:
        raise BaselineError(f"the profile of {name} has no rows by hour of the day: make it again with --time COLUMN")


def _require_same_columns(first: Baseline, other: Baseline) -> None:
    """Raise BaselineError unless two baselines have the same columns and bins."""
    if first.names != other.names:
        lacking = ", ".join(sorted({*first.names} ^ {*other.names})) or "their order"
        raise BaselineError(f"the baselines differ in their columns ({lacking}): build them of the same columns")
    if first.zero_bin != other.zero_bin or first.is_by_hour != other.is_by_hour:
        raise BaselineError("the baselines differ in the formula of PSI, or only some are by hour of the day")
    for own, its in zip(first.columns, other.columns, strict=True):
        if (own.kind, own.of_text, own.in_sample) != (its.kind, its.of_text, its.in_sample):
            raise BaselineError(f"{own.name} is not of the same kind in the baselines: build them with the same kinds")
        if own.bins != its.bins:
            raise BaselineError(
                f"the bins of {own.name} differ, and counts in different bins do not add up: profile the other table "
                "against the first baseline (driftgauge profile build), and merge the profile instead"
            )


def _merged(
    varying: ColumnBaseline,
    baselines: Sequence[ColumnBaseline],
    profiles: Sequence[Profile],
    sums: Sequence[FloatArray],
    index: int,
) -> ColumnBaseline:
    """Return a column of all parts; `sums` are those of each profile, shape [2]."""
    bins = len(varying.counts)
    counts = np.sum([own.counts for own in baselines] + [own.counts[index, :bins] for own in profiles], axis=0)
    hours = set.intersection(*(set(own.by_hour) for own in baselines))
    by_hour = {
        hour: np.sum(
            [own.by_hour[hour] for own in baselines]
            + [own.in_hour[hour][index, :bins] for own in profiles if hour in own.in_hour],
            axis=0,
        )
        for hour in sorted(hours)
    }
    rows = sum(own.rows for own in baselines) + sum(own.rows for own in profiles)
    column = replace(
        varying,
        rows=rows,
        quantile_error=max(own.quantile_error for own in baselines),
        counts=tuple(counts.astype(np.float64).tolist()),
        by_hour={hour: tuple(own.astype(np.float64).tolist()) for hour, own in by_hour.items()},
    )
    parts = [_of_baseline(own) for own in baselines if own.quantiles]
    if not parts or varying.kind != "numeric":
        return column
    known = zip(profiles, sums, strict=True)
    parts += [_of_profile(baselines[0], own, index, of) for own, of in known if own.lowest[index] <= own.highest[index]]
    return _with_numbers(column, [own for own in parts if own.rows > 0])


def _of_baseline(column: ColumnBaseline) -> _Numbers:
    rows = column.rows - column.counts[column.bins.special[MISSING]]
    points = np.array(column.quantiles)
    weights = np.full(len(points), rows / len(points))
    return _Numbers(rows, column.mean, column.std, column.min, column.max, np.stack([points, weights]))


def _of_profile(first: ColumnBaseline, profile: Profile, index: int, sums: FloatArray) -> _Numbers:
    """Return the numbers of a profile; its sums are in standard deviations of the first baseline."""
    counts = profile.counts[index, : len(first.counts)]
    rows = float(profile.rows - counts[first.bins.special[MISSING]])
    unit = first.std if first.std > 0.0 else 1.0
    shift = sums[0] / rows
    spread = math.sqrt(max(0.0, sums[1] / rows - shift**2))
    lowest, highest = float(profile.lowest[index]), float(profile.highest[index])
    points = np.array(first.quantiles)
    codes = Binner([first.bins]).codes(points[:, None])[:, 0]
    inside = counts[codes] / np.bincount(codes, minlength=len(counts))[codes]
    parts = [np.stack([points, inside])]
    for end, (low, high) in ((BELOW, (lowest, first.min)), (ABOVE, (first.max, highest))):
        if low < high and counts[first.bins.special[end]]:
            beyond = np.linspace(low, high, _ENDS)
            parts.append(np.stack([beyond, np.full(_ENDS, counts[first.bins.special[end]] / _ENDS)]))
    return _Numbers(rows, first.mean + unit * shift, unit * spread, lowest, highest, np.concatenate(parts, axis=1))


def _with_numbers(column: ColumnBaseline, parts: Sequence[_Numbers]) -> ColumnBaseline:
    """Return a column with the moments and quantiles of its parts."""
    rows = np.array([own.rows for own in parts])
    weights = rows / rows.sum()
    means, stds = np.array([own.mean for own in parts]), np.array([own.std for own in parts])
    lowest, highest = min(own.lowest for own in parts), max(own.highest for own in parts)
    mean = float(np.clip(weights @ means, lowest, highest))
    points = np.concatenate([own.points for own in parts], axis=1)
    return replace(
        column,
        mean=mean,
        std=math.sqrt(float(weights @ (stds**2 + (means - mean) ** 2))),
        min=lowest,
        max=highest,
        quantiles=tuple(_quantiles(points, min(QUANTILES, int(rows.sum()))).tolist()),
    )


def _quantiles(points: FloatArray, count: int) -> FloatArray:
    """Return quantiles of weighted points (shape [2, points]) at the middles of equal shares."""
    values, weights = points[:, np.argsort(points[0], kind="stable")]
    reached = np.cumsum(weights)
    levels = (np.arange(count) + 0.5) / count * reached[-1]
    found: FloatArray = values[np.minimum(np.searchsorted(reached, levels), len(values) - 1)]
    return found


def notes_on(others: Iterable[Baseline | Profile]) -> tuple[str, ...]:
    """Return what the reader of a merged baseline should know about it."""
    return (*NOTES, OF_PROFILES) if any(isinstance(own, Profile) for own in others) else NOTES
