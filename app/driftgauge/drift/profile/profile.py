"""The profile of a partition: its rows by bin, exact sums, times, and the names of its partitions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import pairwise
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.profile.exact_sums import Sums
from driftgauge.drift.windows.blocks import HOURS
from driftgauge.errors import ProfileError

SCHEMA_VERSION: Final = 1
MOST_PARTITIONS: Final = 10_000
"""Most names of partitions that a profile keeps, so that none is counted twice."""


def no_hours() -> IntArray:
    """Return no rows in any hour of the day, shape [24]."""
    return np.zeros(HOURS, dtype=np.int64)


@dataclass(frozen=True, eq=False, repr=False)
class Profile:
    """What a report needs of rows, as numbers that add up to those of all rows exactly.

    Profiles of the same columns and of the same baseline add up in any order and grouping.
    """

    baseline_hash: str
    """Hash of the baseline whose bins the rows are counted in."""
    columns: tuple[str, ...]
    """Columns of the baseline that are counted, in its order."""
    rows: int
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


def merge(profiles: Iterable[Profile]) -> Profile:
    """Return the profile of all rows of profiles.

    ProfileError if there is none, if they differ in baseline or columns, if a partition is in two of them, or if
    there are too many partitions to name.
    """
    found = list(profiles)
    if not found:
        raise ProfileError("there is no profile to merge: give at least one")
    for other in found[1:]:
        _require_same(found[0], other)
    names = _all_partitions(found)
    return Profile(
        baseline_hash=found[0].baseline_hash,
        columns=found[0].columns,
        rows=sum(own.rows for own in found),
        counts=_total([own.counts for own in found]),
        sums=reduce(Sums.__add__, (own.sums for own in found)),
        lowest=reduce(np.minimum, (own.lowest for own in found)),
        highest=reduce(np.maximum, (own.highest for own in found)),
        partitions=names,
        hours=_total([own.hours for own in found]),
        start=min(own.start for own in found),
        end=max(own.end for own in found),
        in_hour={
            hour: _total([own.in_hour[hour] for own in found if hour in own.in_hour])
            for hour in sorted({hour for own in found for hour in own.in_hour})
        },
    )


def _total(arrays: Sequence[IntArray]) -> IntArray:
    return reduce(np.add, arrays[1:], arrays[0])


def _require_same(first: Profile, other: Profile) -> None:
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


def _all_partitions(profiles: Sequence[Profile]) -> tuple[str, ...]:
    names = sorted(name for own in profiles for name in own.partitions)
    twice = [name for name, other in pairwise(names) if name == other]
    if twice:
        raise ProfileError(f"the partition {twice[0]} is in two of the profiles: give each once")
    if len(names) > MOST_PARTITIONS:
        raise ProfileError(
            f"the profiles are of {len(names):,} partitions, and at most {MOST_PARTITIONS:,} can be named: merge some "
            "of them first under one name (--name NAME)"
        )
    return tuple(names)


def _content(profile: Profile) -> tuple[Any, ...]:
    """Return the profile as plain values, which can be compared."""
    by_hour = {hour: counts.tolist() for hour, counts in profile.in_hour.items()}
    plain = (profile.baseline_hash, profile.columns, profile.rows, profile.sums, profile.partitions)
    times = (profile.hours.tolist(), profile.start, profile.end, by_hour)
    ends = profile.lowest.tolist(), profile.highest.tolist()
    return (*plain, profile.counts.tolist(), *ends, *times, profile.schema_version)
