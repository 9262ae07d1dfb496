"""The facts that `/metrics` shows: of each monitor, each worker and the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.metrics.series import CounterSpec

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Limits:
    """What is too slow and too old; see the settings of similar names."""

    latency_seconds: tuple[float, float]
    """For warning and critical."""
    evaluation_age_seconds: float


@dataclass(frozen=True)
class MonitorFacts:
    """All that the exposition says of one monitor."""

    model_name: str
    model_version: str
    task: str
    series: tuple[CounterSpec, ...]
    arrays: Arrays
    baseline: Baseline
    report: DriftReport | None
    """None where monitoring is switched off: then the exposition has counters and the latency's threshold alone."""
    bin_rows: IntArray | None
    """Shape [columns, K]; None where monitoring is switched off."""
    evaluated_at: float
    """By the server's clock, seconds since 1970."""
    evaluation_seconds: float
    """CPU time of the last evaluation."""
    healthy: bool
    persistent: bool
    """Whether state is kept in files."""
    limits: Limits


@dataclass(frozen=True)
class WorkerFacts:
    """What the exposition says of one worker."""

    slot: str
    """Its number, or `NO_SLOT`."""
    process: FloatArray
    """In the order of `PROCESS`."""
    lives: bool


@dataclass(frozen=True)
class ServerFacts:
    """All that the exposition says of the server itself."""

    series: Sequence[CounterSpec]
    arrays: Arrays
    error_budget_ratio: float
    workers: Sequence[WorkerFacts] = ()
