"""The profile of a partition: its rows by bin, exact sums, times, and the names of its partitions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.profile.exact_sums import Sums
from driftgauge.drift.profile.partitions import Partitions
from driftgauge.drift.windows.blocks import HOURS
from driftgauge.errors import ProfileError

SCHEMA_VERSION: Final = 1
MOST_PARTITIONS: Final = 10_000
"""Most names of partitions that a profile keeps, so that none is counted twice."""

MOST_ROWS: Final = 1 << 53
"""Most rows of a profile, whose counts are then exact as numbers of JSON and of reports."""


def no_hours() -> IntArray:
    """Return no rows in any hour of the day, shape [24]."""
    return np.zeros(HOURS, dtype=np.int64)


@dataclass(frozen=True, eq=False, repr=False)
class Profile:
    """The counts and sums of rows that a report needs, which add up exactly.

    Profiles of the same columns and of the same baseline add up in any order and grouping.
    """

    baseline_hash: str
    """Hash of the baseline whose bins the rows are counted in."""
    columns: tuple[str, ...]
    """Columns of the baseline that are counted, in its order."""
    rows: int
    """Rows of all partitions."""
    counts: IntArray
    """Rows in each bin, shape [columns, K]; K is the largest number of bins of a column."""
    sums: Sums
    """Of the standardised values, see `ExactSums`."""
    lowest: FloatArray
    """The smallest finite value of each column, shape [columns]; infinite without one, and for categories."""
    highest: FloatArray
    """The largest finite value; minus infinity without one, and for categories."""
    partitions: tuple[str, ...]
    """Names of the partitions that are counted, sorted, each once."""
    hours: IntArray = field(default_factory=no_hours)
    """Rows in each hour of the day (UTC), shape [24]; rows without a time are in none."""
    start: float = math.inf
    """The earliest time, seconds since 1970; infinite without times."""
    end: float = -math.inf
    """The latest time; minus infinity without times."""
    in_hour: Mapping[int, IntArray] = field(default_factory=dict)
    """Rows in each bin by hour of the day, as `counts`; empty unless the baseline is by hour."""
    schema_version: int = SCHEMA_VERSION
    """Version of the form in which profiles are written."""

    def __repr__(self) -> str:
        made = self.partitions[0] if len(self.partitions) == 1 else f"{len(self.partitions):,} partitions"
        return f"<Profile of {made}: {self.rows:,} rows, {len(self.columns):,} columns>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Profile) and _content(self) == _content(other)

    def __hash__(self) -> int:
        return hash((self.baseline_hash, self.rows, self.partitions))

    def to_bytes(self) -> bytes:
        """Return the profile as bytes, the same for equal profiles: the content of its file."""
        from driftgauge.drift.profile.profile_bytes import profile_bytes

        return profile_bytes(self)

    @classmethod
    def from_bytes(cls, content: bytes) -> Profile:
        """Read a profile; ProfileError says what is wrong with it and what to do."""
        from driftgauge.drift.profile.profile_bytes import read_profile_bytes

        return read_profile_bytes(content)

    def named(self, name: str) -> Profile:
        """Return the profile as a partition of this name, whose own partitions are no longer known."""
        return replace(self, partitions=(name,))

    @property
    def has_times(self) -> bool:
        """Whether every row has a time."""
        return self.rows > 0 and int(self.hours.sum()) == self.rows


class ProfileTotals:
    """Profiles that are being merged: they are added one by one, and none of them is kept."""

    def __init__(self, first: Profile) -> None:
        """Start from a first profile."""
        self._sum = replace(
            first,
            counts=first.counts.copy(),
            hours=first.hours.copy(),
            in_hour={hour: counts.copy() for hour, counts in first.in_hour.items()},
        )
        self._partitions: Final = Partitions()
        self._partitions.add(first.partitions)

    def add(self, other: Profile) -> None:
        """Add a profile; ProfileError as `merge_profiles` has it."""
        own = self._sum
        require_same(own, other)
        if twice := self._partitions.add(other.partitions):
            raise ProfileError(twice)
        if own.rows + other.rows > MOST_ROWS:
            raise ProfileError(
                f"the profiles have more than {MOST_ROWS:,} rows: one of them is damaged, or not a profile"
            )
        if len(self._partitions) > MOST_PARTITIONS:
            raise ProfileError(
                f"the profiles are of more than {MOST_PARTITIONS:,} partitions, and no more can be named: merge some "
                "of them first under one name (--name NAME)"
            )
        np.add(own.counts, other.counts, out=own.counts)
        np.add(own.hours, other.hours, out=own.hours)
        self._sum = replace(
            own,
            rows=own.rows + other.rows,
            sums=own.sums + other.sums,
            lowest=np.minimum(own.lowest, other.lowest),
            highest=np.maximum(own.highest, other.highest),
            start=min(own.start, other.start),
            end=max(own.end, other.end),
            in_hour=_added(own.in_hour, other.in_hour),
        )

    def profile(self) -> Profile:
        """Return the profile of all rows so far; nothing can be added after it."""
        return replace(self._sum, partitions=tuple(self._partitions))


def merge_profiles(profiles: Iterable[Profile]) -> Profile:
    """Return the profile of all rows of profiles, which are taken one by one.

    ProfileError if there is none, if they differ in baseline or columns, if a partition is in two of them, or if
    there are too many partitions to name.
    """
    totals: ProfileTotals | None = None
    for profile in profiles:
        if totals is None:
            totals = ProfileTotals(profile)
        else:
            totals.add(profile)
    if totals is None:
        raise ProfileError("there is no profile to merge: give at least one")
    return totals.profile()


def _added(first: Mapping[int, IntArray], other: Mapping[int, IntArray]) -> dict[int, IntArray]:
    """Return the rows by hour of the day of both; the other's are not changed."""
    found = dict(first)
    for hour, counts in other.items():
        found[hour] = found[hour] + counts if hour in found else counts
    return dict(sorted(found.items()))


def require_same(first: Profile, other: Profile) -> None:
    """Raise ProfileError unless two profiles count the same columns in the same bins."""
    if first.baseline_hash != other.baseline_hash:
        raise ProfileError(
            f"{_named(first)} and {_named(other)} are profiles against different baselines ({first.baseline_hash[:12]} "
            f"and {other.baseline_hash[:12]}): profile both tables against the same one"
        )
    if first.columns != other.columns:
        lacking = sorted({*first.columns} ^ {*other.columns})
        raise ProfileError(
            f"{_named(first)} and {_named(other)} count different columns; only one has {', '.join(lacking[:5])}: "
            "leave the same columns out of both (--ignore COLUMN)"
        )


def _named(profile: Profile) -> str:
    names = profile.partitions
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more" if names else "a profile"


def _content(profile: Profile) -> tuple[Any, ...]:
    """Return the profile as plain values, which can be compared."""
    by_hour = {hour: counts.tolist() for hour, counts in profile.in_hour.items()}
    plain = (profile.baseline_hash, profile.columns, profile.rows, profile.sums, profile.partitions)
    times = (profile.hours.tolist(), profile.start, profile.end, by_hour)
    ends = profile.lowest.tolist(), profile.highest.tolist()
    return (*plain, profile.counts.tolist(), *ends, *times, profile.schema_version)
