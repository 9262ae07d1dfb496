"""A reference and tables whose columns differ from it in known ways."""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.reference import Reference
from driftgauge.checks.sagemaker.constraints import Constraints
from driftgauge.checks.sagemaker.execution import Execution, Job, Limits, execute
from driftgauge.checks.sagemaker.profile import TableProfile, profile_of
from driftgauge.checks.sagemaker.suggest import suggested
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.models.creation.baseline import create_baseline
from driftgauge.tables.memory import open_table

ROWS: Final = 4_000
NOW: Final = 1_796_000_000.0
Table = dict[str, Any]


def table(seed: int, rows: int = ROWS) -> Table:
    """Return rows of the reference's distribution."""
    random = np.random.default_rng(seed)
    return {
        "income": random.gamma(2.0, size=rows),
        "age": random.integers(20, 70, rows),
        "plan": random.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2]).astype(object),
    }


@functools.cache
def baseline() -> Baseline:
    return create_baseline(table(0))


def profiled(
    *tables: Any, constraints: Constraints | None = None, reference: Baseline | None = None, bytes_at_once: int = 65_536
) -> TableProfile:
    own = reference or baseline()
    streams = [open_table(one, bytes_at_once) for one in tables]
    return profile_of(own, constraints or suggested(own), streams, (), (), lambda: None)


def executed(
    *tables: Any,
    limits: Limits | None = None,
    reference: Baseline | None = None,
    options: CheckOptions | None = None,
    constraints: Constraints | None = None,
) -> Execution:
    job = Job(Reference(reference or baseline()), tables, options or CheckOptions(), constraints)
    return execute(job, limits or Limits(lambda: NOW))
