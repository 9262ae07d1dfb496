"""Profiles of tables against a baseline: one for each table, or for each period."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np

from driftgauge.checks.check import Check
from driftgauge.checks.engine_profile import EngineProfiler
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.reference import reference_of
from driftgauge.checks.scoring import Scorer
from driftgauge.checks.window_reader import partition_of, period_name, unique
from driftgauge.common.option import Option
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.profile.build import ProfileBuilder
from driftgauge.drift.profile.profile import Profile, merge_profiles
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.engines.options import IN_MEMORY
from driftgauge.engines.source import is_expression, opened, uses_engine
from driftgauge.errors import ProfileError
from driftgauge.models.bundle import Bundle
from driftgauge.tables.stream import TableSource

MOST_PERIODS: Final = 20_000
"""Most profiles that are counted at once."""


@dataclass(frozen=True)
class NamedProfile:
    """A profile and the name of its table or period."""

    name: str
    profile: Profile


@dataclass(frozen=True)
class ProfileOptions:
    """Which rows and columns are profiled."""

    time: Annotated[
        str | None, Option("Column of times. A profile then has its span, and can be checked by period.", "COLUMN")
    ] = None
    every: Annotated[
        str | None, Option("One profile per period, such as 1h or 1d, of the rows of all tables.", "PERIOD")
    ] = None
    ignore: Annotated[
        tuple[str, ...],
        Option("A column of the baseline to leave out; repeat it, or separate with commas.", "COLUMN", commas=False),
    ] = ()

    @property
    def of_check(self) -> CheckOptions:
        """The options of a check that reads the same rows."""
        return CheckOptions(time=self.time, every=self.every, ignore=self.ignore)


class Profiling:
    """Tables that are to be profiled: prepared but not yet read."""

    def __init__(
        self,
        baseline: Baseline,
        tables: Sequence[Any],
        options: CheckOptions | None = None,
        scorer: Scorer | None = None,
        partitions: Sequence[str | None] = (),
    ) -> None:
        """Open the tables as `Check` does, with its errors.

        `partitions` are the names of the tables' partitions. By default that of a file is its path, and that of a table
        in memory is drawn by chance.
        """
        self._baseline: Final = baseline
        self._check: Final = Check(baseline, tables, options, scorer)
        given = [*partitions, *[None] * (len(tables) - len(partitions))]
        streams = self._check.streams
        self._names: Final = unique([stream.name for stream in streams])
        self._partitions: Final = [own or _partition_of(stream) for own, stream in zip(given, streams, strict=True)]
        self._builders: Final[dict[tuple[int, int], ProfileBuilder]] = {}

    @property
    def bytes(self) -> int:
        """Size of all tables' files."""
        return self._check.bytes

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the reader of the profiles should know about their columns."""
        return self._check.remarks

    def profiles(self, progress: Callable[[int], object] | None = None) -> list[NamedProfile]:
        """Read the tables and return the profile of each, or of each period in order of time.

        The rows of a period may come in any order, and from several tables. Raises TableError and ProfileError.
        """
        period = self._check.options.period
        if period is None:
            for index in range(len(self._names)):
                self._builder(index, 0, self._partitions[index])
        indices = {id(stream): index for index, stream in enumerate(self._check.streams)}
        for stream, rows in self._check.rows(progress):
            index = indices[id(stream)]
            if period is None or rows.at is None:
                self._builder(index, 0, "").add(rows.values, rows.at)
            else:
                self._add_periods(rows.values, rows.at, index, period.seconds)
        if period is not None:
            return self._of_periods(period.seconds)
        return [NamedProfile(self._names[index], own.profile()) for (index, _), own in self._builders.items()]

    def _builder(self, index: int, key: int, partition: str) -> ProfileBuilder:
        found = self._builders.get((index, key))
        if found is None:
            if len(self._builders) == MOST_PERIODS:
                raise _too_many()
            found = ProfileBuilder(self._baseline, partition, self._check.baseline.names)
            self._builders[index, key] = found
        return found

    def _add_periods(self, values: FloatArray, at: FloatArray, index: int, seconds: int) -> None:
        """Add rows of a table to the profiles of their periods."""
        periods = np.floor(at / seconds).astype(np.int64)
        for key in np.unique(periods).tolist():
            own = periods == key
            builder = self._builder(index, key, partition_of(self._partitions[index], key, seconds))
            builder.add(values[own], at[own])

    def _of_periods(self, seconds: int) -> list[NamedProfile]:
        return of_periods(((key, own.profile()) for (_, key), own in self._builders.items()), seconds)


def of_periods(found: Iterable[tuple[int, Profile]], seconds: float) -> list[NamedProfile]:
    """Return one profile for each period in order of time, from those of several tables with their periods."""
    by_key: dict[int, list[Profile]] = {}
    for key, own in found:
        by_key.setdefault(key, []).append(own)
        if len(by_key) > MOST_PERIODS:
            raise _too_many()
    return [NamedProfile(period_name(key, seconds), merge_profiles(by_key[key])) for key in sorted(by_key)]


def _too_many() -> ProfileError:
    return ProfileError(f"the tables have more than {MOST_PERIODS:,} periods: give a longer one (--every)")


def _partition_of(stream: TableSource) -> str:
    """Return the name of a table's partition: its path, or one that no other table has."""
    return uuid.uuid4().hex if stream.path is None else stream.label


def profile(
    baseline: Baseline | Bundle | Path | str,
    table: Any,
    options: CheckOptions | None = None,
    *,
    partition: str | None = None,
) -> Profile:
    """Count a table's rows in the bins of a baseline, as `driftgauge profile build` does.

    `baseline` and `table` are what `check` takes; of the options, `time` and `ignore` matter. `partition` names the
    rows, so that none are counted twice; by default the path of a file, the URL of a table in a database, or a name
    drawn by chance. Profiles of parts of a table add up to that of the table (`merge_profiles`), and `check` takes
    profiles in place of tables. Raises CheckError, BundleError, TableError or ProfileError, all of them
    DriftgaugeError.

    >>> import numpy as np
    >>> from driftgauge import check, create_baseline, merge_profiles, profile
    >>> random = np.random.default_rng(0)
    >>> baseline = create_baseline({"age": random.normal(40, 10, 10_000)})
    >>> hours = [profile(baseline, {"age": random.normal(45, 10, 100)}, partition=f"hour {i}") for i in range(24)]
    >>> merge_profiles(hours)
    <Profile of 24 partitions: 2,400 rows, 1 columns>
    >>> print(check(baseline, hours).reason)
    age: mean 44.8 (reference: 40.1). Significant; large (PSI 0.24, limit 0.20).
    """
    reference = reference_of(baseline)
    if options is not None and options.every is not None:
        raise ProfileError("a profile is of one period: leave out every, and profile the rows of each period")
    if uses_engine(table, IN_MEMORY):
        return _in_engine(reference.baseline, table, options or CheckOptions(), partition)
    names = [] if partition is None else [partition]
    (only,) = Profiling(reference.baseline, [table], options, reference.scorer, names).profiles()
    return only.profile


def _in_engine(baseline: Baseline, table: Any, options: CheckOptions, partition: str | None) -> Profile:
    """Return the profile of a table that its database counts."""
    with opened(table) as source:
        (found,) = EngineProfiler(source, baseline, options.left_out, options.time).profiles()
        label = uuid.uuid4().hex if is_expression(table) else source.label
    return found.named(partition or label)
