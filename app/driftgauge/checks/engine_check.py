"""Verdicts on a table that its database counts."""

from __future__ import annotations

from collections.abc import Callable

from driftgauge.checks.engine_profile import EngineProfiler
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profile_check import ProfileCheck
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.engines.engine import EngineTable


def check_in_engine(
    baseline: Baseline,
    source: EngineTable,
    options: CheckOptions | None = None,
    progress: Callable[[str], object] = lambda _: None,
) -> ProfileCheck:
    """Count a table in its database and return its comparison with a baseline, which is that of its profile.

    `progress` is called with what was counted. Raises CheckError or TableError.
    """
    options = options or CheckOptions()
    profiler = EngineProfiler(source, baseline, options.left_out, options.time, progress)
    period = options.period
    return ProfileCheck(baseline, profiler.profiles(None if period is None else float(period.seconds)), options)
