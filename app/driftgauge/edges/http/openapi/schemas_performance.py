"""Schemas of `GET /performance` for `/openapi.json`; tests check real answers against them."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from driftgauge.drift.performance.verdict import PerformanceStatus
from driftgauge.drift.verdict.rule import Limit, Severity
from driftgauge.edges.http.openapi.queries import query_parameters
from driftgauge.edges.http.openapi.schemas import Documented
from driftgauge.edges.http.openapi.schemas_outcomes import CohortOutcome, Interval, Outcome, SeverityThresholds


class JudgedMetric(Interval):
    """A metric beside its held-out value."""

    held_out: float | None
    drop_ratio: float | None = Field(description="How much worse than held out, relative to it; negative if better.")
    floor: float | None = Field(description="The setting `performance_floors`; null without.")
    severity: Limit | None


class _LabelledRows(Documented):
    rows: int = Field(description="Matured predictions with ground truth.")
    predictions: int = Field(description="Matured predictions.")
    coverage_ratio: float | None
    mean_lag_seconds: float | None = Field(description="Mean time from a prediction until its label became known.")


class PerformanceWindow(_LabelledRows):
    """The performance on the rows of a window."""

    status: PerformanceStatus
    severity: Limit | None
    reason: str
    metrics: dict[str, JudgedMetric]
    class_recall: dict[str, Interval] = Field(description="By class, of models of several classes.")


class SegmentMetrics(Documented):
    """The performance on the rows with one value of a feature."""

    feature: str
    value: str
    rows: int
    metrics: dict[str, Interval]


class HeldOutMetrics(Documented):
    """The performance on the bundle's held-out rows."""

    rows: int
    in_sample: bool = Field(description="Whether they are the training rows; then nothing is compared with them.")
    metrics: dict[str, Interval]


class PerformanceEvidence(Documented):
    """The evidence of a change, as decimal logarithms."""

    log10: float
    threshold_log10: float
    since: str | None = Field(description="Since when it is significant; null while it is not.")
    tau: float = Field(description="Autocorrelation time: rows that carry the information of one independent row.")


class LabelBin(Documented):
    """The share of labels in a bin."""

    name: str
    ratio: float
    reference_ratio: float


class LabelDrift(Documented):
    """The labels of the main window against the target of the reference."""

    severity: Severity | None
    rows: int
    psi: float
    psi_debiased: float
    thresholds: SeverityThresholds
    evidence: PerformanceEvidence | None
    bins: list[LabelBin]


class PerformanceSummary(Documented):
    """How good matured predictions were."""

    status: PerformanceStatus
    severity: Limit | None
    reason: str
    evaluated_at: str
    matured_until: str = Field(description="Predictions before this time are counted.")
    required_rows: int
    interval_level: float
    interval_tau: float = Field(
        description="Autocorrelation time of the errors: intervals of metrics are those of this many times fewer rows; "
        "1 where it is not known."
    )
    drop_thresholds: SeverityThresholds
    held_out: HeldOutMetrics | None
    windows: dict[str, PerformanceWindow]
    segments: list[SegmentMetrics]
    error_evidence: PerformanceEvidence | None = Field(description="Of concept drift; null without held-out rows.")
    label_drift: LabelDrift | None


class PerformanceCohort(_LabelledRows):
    """The predictions of one span of time."""

    start: str
    end: str
    metrics: dict[str, Interval]
    segments: list[SegmentMetrics]
    outcomes: dict[str, CohortOutcome] = Field(description="Business outcomes by name.")


class PerformanceHistory(Documented):
    """How good predictions were, now and by the time at which they were made."""

    model_name: str
    model_version: str
    performance: PerformanceSummary | None = Field(description="Null without a prediction log.")
    outcomes: dict[str, Outcome] = Field(description="Business outcomes by name, each over its own window.")
    by: str
    cohorts: list[PerformanceCohort]


PARAMETERS: Final = query_parameters(
    {
        "model": "Which model, where several are watched.",
        "by": "Length of the cohorts: `hour`, `day` (the default), `week` or `month`, in UTC.",
        "segment": "A feature of the setting `performance_segments`: cohorts then have its values too.",
        "since": "How long ago (`24h`, `7d`) or a moment (RFC 3339, or seconds since 1970); by default everything.",
    }
)
"""The parameters of its query."""
