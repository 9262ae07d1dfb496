"""Schemas of labels and business outcomes in answers, for `/openapi.json`; tests check real answers against them."""

from __future__ import annotations

from pydantic import Field

from driftgauge.drift.performance.outcomes import OutcomeKind, OutcomeStatus
from driftgauge.edges.http.openapi.schemas import Documented


class Interval(Documented):
    """A number with its 95 % interval; null where the rows are too few for one."""

    value: float
    lower: float | None
    upper: float | None


class SeverityThresholds(Documented):
    """A threshold for each severity."""

    warning: float
    critical: float


class _OutcomeRows(Documented):
    rows: int = Field(description="Predictions that count.")
    coverage_ratio: float | None = Field(description="Share of predictions whose outcome is known.")
    mean: Interval | None = Field(description="The mean of a number, or the rate of an event.")


class OutcomeSummary(_OutcomeRows):
    """An outcome of some predictions."""

    status: OutcomeStatus
    interval_tau: float = Field(
        description="Predictions that count as one in the interval, because outcomes that follow one another are "
        "alike; 1 where that is not known."
    )


class OutcomeSegmentSummary(OutcomeSummary):
    """An outcome of the predictions with one value of a feature."""

    feature: str
    value: str


class OutcomeThresholds(Documented):
    """The limits of an outcome; null without."""

    below: SeverityThresholds | None
    above: SeverityThresholds | None


class Outcome(OutcomeSummary):
    """A business outcome of the newest matured predictions."""

    kind: OutcomeKind
    window_seconds: float
    absent: float | None = Field(description="The value of predictions without the outcome; null if they do not count.")
    interval_level: float
    limits: OutcomeThresholds
    versions: dict[str, OutcomeSummary] = Field(description="The same by the version that predicted.")
    segments: list[OutcomeSegmentSummary] = Field(
        description="By the features of `performance_segments`, of whole hours of this version's predictions."
    )


class CohortOutcomeMean(_OutcomeRows):
    """An outcome of the predictions of one span of time."""

    predictions: int


class CohortOutcomeSegment(CohortOutcomeMean):
    """The same of the predictions with one value of a feature."""

    feature: str
    value: str


class CohortOutcome(CohortOutcomeMean):
    """An outcome of a cohort, and of its segments if the query names a feature."""

    segments: list[CohortOutcomeSegment]


class LabelsSummary(Documented):
    """The labels that came in since the state was created."""

    results: dict[str, int] = Field(description="Labels by what became of them.")
    waiting: int = Field(description="Labels whose predictions are not logged yet.")
    mean_lag_seconds: float | None = Field(description="Mean time from a prediction until its label became known.")
    last_received_at: str | None = Field(description="When the newest label or outcome arrived.")
