"""Profiles of tables that their databases count: one for each table, or for each period."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from driftgauge.checks.engine_profile import EngineProfiler
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profiling import NamedProfile, of_periods
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.engines.engine import EngineTable


def profiles_in_engine(
    baseline: Baseline,
    sources: Sequence[tuple[str, EngineTable]],
    options: CheckOptions,
    partition: str | None = None,
    progress: Callable[[str], object] = lambda _: None,
) -> list[NamedProfile]:
    """Count tables in their databases and return the profile of each, or of each period in order of time.

    Tables come with their names. `partition` names the rows of the only one, by default its address. `progress` is
    called with what was counted. Raises CheckError, ProfileError or TableError.
    """
    profilers = [EngineProfiler(own, baseline, options.left_out, options.time, progress) for _, own in sources]
    if options.period is not None:
        seconds = options.period.seconds
        return of_periods(chain.from_iterable(own.by_period(seconds) for own in profilers), seconds)
    return [
        NamedProfile(name, profile.named(partition or source.label))
        for (name, source), profiler in zip(sources, profilers, strict=True)
        for profile in profiler.profiles()
    ]
