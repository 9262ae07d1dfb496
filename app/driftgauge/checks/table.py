"""The check of one table, or of profiles, from Python."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from driftgauge.checks.check import Check
from driftgauge.checks.engine_check import check_in_engine
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profile_check import ProfileCheck
from driftgauge.checks.profile_files import profiles_of
from driftgauge.checks.quality import constraints_of
from driftgauge.checks.reference import reference_of
from driftgauge.checks.report import CheckReport
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.engines.options import IN_MEMORY
from driftgauge.engines.source import opened, uses_engine
from driftgauge.models.bundle import Bundle


def check(
    baseline: Baseline | Bundle | Path | str,
    table: Any,
    options: CheckOptions | None = None,
    *,
    now: float | None = None,
) -> CheckReport:
    """Compare a table with a baseline, as `driftgauge check` does.

    `baseline` is a Baseline, a Bundle, or the path of a `baseline.json` or of a bundle's folder. `table` is a pandas or
    polars DataFrame, an Arrow table, a dict of columns, or the path of a file or folder; or a `Profile`, the path of
    one, or a list of these, which are compared as one window, or by `CheckOptions(every=…)`. A table expression
    of Ibis, or the URL of a table in a database, is counted there and compared as its profile. A bundle's model
    predicts scores that the table lacks. Constraints that are kept with the baseline are checked too. `now`, in seconds
    since 1970, is the time of rows without times, by default the current time. Raises CheckError, BundleError,
    TableError or ConstraintsError, all of them DriftgaugeError.

    >>> import numpy as np
    >>> from driftgauge import check, create_baseline
    >>> random = np.random.default_rng(0)
    >>> baseline = create_baseline({"age": random.normal(40, 10, 10_000)})
    >>> report = check(baseline, {"age": random.normal(45, 10, 2_000)})
    >>> report.has_drift
    True
    >>> print(report.status, report.severity)
    drift_detected critical
    >>> print(report.reason)
    age: mean 45.0 (reference: 40.1). Significant; large (PSI 0.24, limit 0.20).
    >>> report.to_frame()["psi_threshold"].to_dict()
    {'age': 0.1}
    """
    reference = reference_of(baseline)
    moment = time.time() if now is None else now
    constraints = constraints_of(options or CheckOptions(), reference)
    if uses_engine(table, IN_MEMORY):
        with opened(table) as source:
            return check_in_engine(reference.baseline, [source], options, constraints=constraints).report(moment)
    profiles = profiles_of(table)
    if profiles is not None:
        return ProfileCheck(reference.baseline, profiles, options, constraints).report(moment)
    comparison = Check(reference.baseline, [table], options, reference.scorer, reference.kept, constraints)
    return comparison.report(moment)
