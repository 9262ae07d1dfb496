"""What a page shows besides the drift report: traffic, the state, owners, and where its links lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from driftgauge.drift.attribution.known import KnownAttributions
from driftgauge.drift.attribution.partial_dependence import PartialDependence
from driftgauge.drift.diagnosis.diagnosis import Diagnosis
from driftgauge.drift.gradual.report import GradualReport
from driftgauge.drift.multivariate.compared import ComparedRows
from driftgauge.drift.novelty.share import OutlierShare
from driftgauge.drift.performance.cohort import Cohort
from driftgauge.drift.performance.held_out import Estimated
from driftgauge.drift.performance.outcomes import OutcomeParts, OutcomeReport
from driftgauge.drift.performance.report import PerformanceReport
from driftgauge.drift.quality.report import QualityReport
from driftgauge.drift.quality.requests import RequestReport
from driftgauge.drift.rolling.report import RollingReport
from driftgauge.drift.verdict.history import History
from driftgauge.drift.verdict.news import News
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.edges.web.actions import ActionsFacts
from driftgauge.edges.web.releases import ReleasesFacts


@dataclass(frozen=True)
class Traffic:
    """What a service answered since its state was created; NaN where nothing was counted."""

    predictions: float
    """Rows predicted."""
    failures: float
    """Rows on which the model failed."""
    rejected: float
    """Requests that were rejected."""
    rejected_most: str
    """The most frequent reason of a rejection; empty without one."""
    latency_p50: float
    latency_p99: float
    """Seconds."""
    latency_limit: float
    """Seconds; the threshold for warning."""
    dropped: float
    """Rows that monitoring lost."""


@dataclass(frozen=True)
class Efficiency:
    """What a service answered in the last minutes, and how full the queue of its model is; NaN where unknown."""

    seconds: float
    """The time over which it was counted."""
    rows_per_second: float
    requests_per_second: float
    failed_ratio: float
    """Share of the accepted rows on which the model failed."""
    overloaded_ratio: float
    """Share of the requests that were rejected because the queue was full."""
    latency_p50: float
    latency_p95: float
    latency_p99: float
    """Seconds."""
    queued_requests_ratio: float
    queued_rows_ratio: float
    """Shares of the requests and of the rows that may wait which do."""


@dataclass(frozen=True)
class LoggedPredictions:
    """The prediction log, as its last look found it; None where nothing is known yet."""

    rows: int | None
    size_bytes: int | None
    oldest: float | None
    """When the oldest prediction arrived, seconds since 1970."""
    max_bytes: int
    queued_rows: int
    """Rows that wait to be written, in all workers."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Rows of the model that were not logged, by reason."""


@dataclass(frozen=True)
class Health:
    """How monitoring itself does."""

    problems: Sequence[str] = ()
    kept: str = ""
    """Where state is kept: `files` or `memory`."""
    workers: int = 1
    notes: Sequence[str] = ()
    """What was lost or repaired of the state."""
    evaluation_seconds: float | None = None
    """CPU time of the last evaluation."""
    evaluation_age: float | None = None
    """Seconds since the last evaluation."""
    age_limit: float | None = None
    """Seconds from which an evaluation is stale."""
    logged: LoggedPredictions | None = None
    """None without a prediction log."""


@dataclass(frozen=True)
class Labels:
    """The labels that came in since the state was created."""

    results: Mapping[str, int]
    """Labels by what became of them."""
    waiting: int
    """Labels whose predictions are not logged yet."""
    mean_lag_seconds: float
    """Mean time from a prediction until its label became known, NaN without labels."""
    last_received: float | None
    """When the newest arrived, seconds since 1970; None before the first."""


@dataclass(frozen=True)
class Reading:
    """What this process reads from Kafka, since it started."""

    partitions: int
    messages: int
    lag: int
    """Messages that are not rows yet."""
    pauses: int
    """How often it waited for room."""
    errors: int


@dataclass(frozen=True)
class Ingestion:
    """What came from the logs of other servers since the state was created."""

    rows: Mapping[str, int]
    """Rows by what became of them."""
    refused: Mapping[str, int]
    """Records that cannot be read, by reason; reasons without any are left out."""
    events: Mapping[str, int | None]
    """Requests and responses by what became of them, with those that wait now; None if that is not known."""
    deferred: int
    """Requests that were asked to come again."""
    last_received: float | None
    """When the newest record arrived, seconds since 1970; None before the first."""
    stale_seconds: float
    """Time without records after which their source counts as stopped."""
    reading: Reading | None = None
    """None without a consumer of Kafka."""


@dataclass(frozen=True)
class Links:
    """Addresses that the page links to, relative to itself; None for what a service does not have."""

    status: str | None = "drift/status"
    report: str | None = "drift/report"
    runbooks: str | None = "runbooks"
    metrics: str | None = "metrics"
    api: str | None = "docs"
    actions: str | None = "actions"


NO_LINKS = Links(None, None, None, None, None, None)


@dataclass(frozen=True)
class Period:
    """One window of several that were checked."""

    name: str
    report: DriftReport
    is_shown: bool
    """Whether the page is about this one."""


@dataclass(frozen=True)
class PageFacts:
    """The model, its report, and what is known of its service."""

    model_name: str
    model_version: str
    report: DriftReport
    health: Health = field(default_factory=Health)
    diagnosis: Diagnosis | None = None
    """What is wrong, and its likely causes; None where it is not known, as in the check of a table."""
    dependence: PartialDependence | None = None
    """How the score depends on the feature of the first cause."""
    performance: PerformanceReport | None = None
    """The performance on predictions with ground truth; None without a prediction log."""
    cohorts: Sequence[Cohort] = ()
    """The newest cohorts of matured predictions, by hour."""
    labels: Labels | None = None
    """None without a prediction log."""
    ingestion: Ingestion | None = None
    """None for a model that this server alone serves."""
    outcomes: Mapping[str, OutcomeReport] = field(default_factory=dict)
    """The business outcomes that the settings name."""
    outcome_parts: OutcomeParts = field(default_factory=dict)
    """The sums of business outcomes by segment."""
    rolling: RollingReport | None = None
    """The main window against the rolling reference; None without one."""
    gradual: GradualReport | None = None
    """The time windows of a week or more; None without any."""
    whole_rows: ComparedRows | None = None
    """The comparisons of whole rows; None where they are not made by interval."""
    attributions: KnownAttributions | None = None
    """The comparisons of attributions; None where they are not made."""
    quality: QualityReport | None = None
    """What the windows say of constraints; None without them."""
    requests: RequestReport | None = None
    """What recent rows of requests say of constraints; None without them, and for a table."""
    outliers: OutlierShare | None = None
    """The share of outliers; None if they are not watched."""
    estimated: Estimated | None = None
    """The performance on live rows as it is estimated; None where it is not, as in the check of a table."""
    releases: ReleasesFacts | None = None
    """The versions of the model; None where they are not replaced."""
    actions: ActionsFacts | None = None
    """The actions on alerts; None where none are configured."""
    traffic: Traffic | None = None
    """None where predictions are not counted, as in the check of a table."""
    efficiency: Efficiency | None = None
    """None for a model that this server does not serve."""
    history: History | None = None
    """The verdicts of the past, where they are kept."""
    news: News | None = None
    """What changed in the last day; None without a history."""
    periods: Sequence[Period] = ()
    """Windows of the check of a table, of which the report is one; empty for a service."""
    links: Links = field(default_factory=Links)
    refresh_seconds: float = 15.0
    """How often the page refreshes itself."""
    theme: str = "system"
    """The theme that the visitor chose before."""
