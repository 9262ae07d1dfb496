"""Verdicts on tables that their databases count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from driftgauge.checks.engine_profile import EngineProfiler
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profile_check import ProfileCheck
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.engines.engine import EngineTable


def check_in_engine(
    baseline: Baseline,
    sources: Sequence[EngineTable],
    options: CheckOptions | None = None,
    progress: Callable[[str], object] = lambda _: None,
    constraints: Constraints | None = None,
) -> ProfileCheck:
    """Count tables in their databases and return their comparison with a baseline, which is that of their profiles.

    `progress` is called with what was counted; of the constraints, those are checked that bins tell. Raises CheckError
    or TableError.
    """
    options = options or CheckOptions()
    seconds = None if options.period is None else float(options.period.seconds)
    profilers = [EngineProfiler(source, baseline, options.left_out, options.time, progress) for source in sources]
    profiles = chain.from_iterable(own.profiles(seconds) for own in profilers)
    return ProfileCheck(baseline, profiles, options, constraints)
