"""Profiles as windows and blocks, to be compared with their baseline."""

from __future__ import annotations

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.profile.exact_sums import ExactSums, Sums
from driftgauge.drift.profile.profile import Profile
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.windows.blocks import Blocks
from driftgauge.drift.windows.window import Window


def window_of(profile: Profile, compared: Baseline, name: str) -> Window:
    """Return the window of all rows of a profile.

    `compared` is the profile's baseline with the columns to compare, all of which the profile counts.
    """
    places = [profile.columns.index(column) for column in compared.names]
    sums = Sums(tuple(profile.sums.values[i] for i in places), tuple(profile.sums.squares[i] for i in places))
    return Window(
        name=name,
        rows=profile.rows,
        start=profile.start if profile.has_times else None,
        end=profile.end if profile.has_times else None,
        counts=_taken(profile.counts, places, compared.binner.width),
        sums=ExactSums(compared.scales).floats(sums),
        ends=_known(np.stack([profile.lowest[places], profile.highest[places]])),
        capacity=profile.rows,
        hours=profile.hours if profile.has_times else None,
    )


def blocks_of(profile: Profile, compared: Baseline, at: float) -> Blocks:
    """Return the rows of a profile as one block, or against a baseline by hour as one for each hour of the day.

    `at` is when they end, seconds since 1970.
    """
    places = [profile.columns.index(column) for column in compared.names]
    by_hour = profile.in_hour if compared.is_by_hour else {0: profile.counts}
    counts = [_taken(by_hour[hour], places, compared.binner.width) for hour in sorted(by_hour)]
    shape = 0, len(places), compared.binner.width
    stacked = np.stack(counts) if counts else np.empty(shape, dtype=np.int64)
    return Blocks(stacked, np.array(sorted(by_hour), dtype=np.int64), np.full(len(counts), at))


def _known(ends: FloatArray) -> FloatArray:
    """Return the smallest and the largest values, NaN instead of the infinities of columns without a value."""
    return np.where(np.isfinite(ends), ends, np.nan)


def _taken(counts: IntArray, places: list[int], width: int) -> IntArray:
    """Return the counts of some columns, which have at most `width` bins."""
    return np.ascontiguousarray(counts[places, :width])
