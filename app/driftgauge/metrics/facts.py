"""The facts that `/metrics` shows: of each monitor, each worker and the server."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy.typing as npt

from driftgauge.drift.attribution.known import KnownAttributions
from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.gradual.report import GradualReport
from driftgauge.drift.multivariate.compared import ComparedRows
from driftgauge.drift.performance.estimated import Estimates
from driftgauge.drift.performance.outcomes import OutcomeReport
from driftgauge.drift.performance.report import PerformanceReport
from driftgauge.drift.quality.report import QualityReport
from driftgauge.drift.quality.requests import RequestReport
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.rolling.report import RollingReport
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.metrics.gpu import GpuReading
from driftgauge.metrics.series import CounterSpec

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Limits:
    """Limits of latency, of the age of an evaluation and of outliers; see the settings of similar names."""

    latency_seconds: tuple[float, float]
    """For warning and critical."""
    evaluation_age_seconds: float
    outlier_ratio: float = math.nan
    """Share of outliers; NaN where they are not watched."""
    latency_rise: tuple[float, float] = (math.nan, math.nan)
    """Rise of latency over its own past, for warning and critical."""


@dataclass(frozen=True)
class Exposed:
    """The part of the drift metrics that is listed; see the settings `metrics_…` of these names."""

    bin_rows: bool = True
    """Whether the rows of every bin are listed, and the reference's share of each bin."""
    top_features: int | None = None
    """Number of features that gauges list, worst first; None is all. Predictions are always listed."""
    windows: frozenset[str] | None = None
    """Windows that gauges list beside the main one; None is all."""


@dataclass(frozen=True)
class LabelFacts:
    """The facts of a model's labels."""

    waiting: int
    """Labels whose predictions are not logged yet."""
    last_received: float | None
    """When the newest arrived, seconds since 1970; None before the first."""
    missing_seconds: float
    """Time without labels after which they count as missing."""
    outcomes: Mapping[str, OutcomeReport] = field(default_factory=dict)
    """The business outcomes that the settings name."""


@dataclass(frozen=True)
class IngestFacts:
    """The facts of records that come from the logs of other servers."""

    last_received: float | None
    """When the newest arrived, seconds since 1970; None before the first."""
    stale_seconds: float
    """Time without records after which the source counts as stopped."""
    refused_ratio: float
    """Share of records that cannot be read above which an alert is raised."""
    seen_records: int
    """Number of the latest records that are remembered."""
    open_events: int | None = None
    """Requests and responses that wait for each other; None if it is not known."""


@dataclass(frozen=True)
class StreamFacts:
    """The facts of a consumer of messages, of this process since it started."""

    messages: int = 0
    """Messages that were read."""
    rebalances: int = 0
    """How often it was given partitions."""
    errors: int = 0
    """Errors of the client and the broker."""
    pauses: int = 0
    """How often it waited for room in the log."""
    recovered: int = 0
    """Rows that an earlier process of the state had claimed and not counted."""
    lost: int = 0
    """Messages that Kafka deleted before they were counted."""
    lost_at: float | None = None
    """When it came last to such messages, seconds since 1970; None if it has not."""
    partitions: int = 0
    """Partitions that it reads."""
    lag: float = 0.0
    """Messages of these that are not rows yet."""
    limits: tuple[float, float] = (math.nan, math.nan)
    """Lags that are a warning and critical."""
    last_received: float | None = None
    """When the newest rows were counted, seconds since 1970; None before the first."""


@dataclass(frozen=True)
class AliasFacts:
    """The facts of the alias of a registered model that the server follows."""

    alias: str
    version: str | None
    """The version that it named last; None before the first answer."""
    refused: str | None
    """A version that could not be loaded."""
    polls: float
    """Questions to the registry."""
    failures: tuple[float, ...]
    """In the order of `ALIAS_FAILURES`."""
    answered_at: float | None
    """When the registry answered last, or was asked first if it never has, seconds since 1970."""
    stale_seconds: float
    """Time without an answer after which an alert is raised."""


@dataclass(frozen=True)
class ReleaseFacts:
    """What a version does, and how its release compares with the one before; NaN where unknown."""

    role: str = "live"
    """`live`, `shadow` or `retired`."""
    live_since: float = math.nan
    """Seconds since 1970."""
    latency_changes: tuple[float, float] = (math.nan, math.nan)
    """Increase of the 50th and the 99th percentile: 0.5 is 50 % more."""
    error_change: float = math.nan
    """Increase of the share of rows on which the model fails."""
    thresholds: tuple[float, float] = (math.nan, math.nan)
    """Increases that are a warning and critical."""
    alias: AliasFacts | None = None
    """Of the live version of a model that follows one."""

    @property
    def is_live(self) -> bool:
        """Whether the version answers requests."""
        return self.role == "live"

    @property
    def is_shadow(self) -> bool:
        """Whether it predicts the same rows and never answers."""
        return self.role == "shadow"


@dataclass(frozen=True)
class MonitorFacts:
    """The facts of one monitor."""

    model_name: str
    model_version: str
    task: str
    series: tuple[CounterSpec, ...]
    arrays: Arrays
    baseline: Baseline
    report: DriftReport | None
    """None with monitoring disabled: then only counters and the latency threshold are exposed."""
    bin_rows: IntArray | None
    """Shape [columns, K]; None with monitoring disabled."""
    evaluated_at: float
    """By the server's clock, seconds since 1970."""
    evaluation_seconds: float
    """CPU time of the last evaluation."""
    healthy: bool
    persistent: bool
    """Whether state is kept in files."""
    limits: Limits
    labels: LabelFacts | None = None
    """None without a prediction log."""
    estimated: Mapping[str, Estimates] = field(default_factory=dict)
    """The estimated performance by window; empty for a model without held-out rows."""
    quality: QualityReport | None = None
    """What the windows say of the constraints; None without constraints."""
    requests: RequestReport | None = None
    """What recent rows of requests say of the constraints; None without constraints."""
    performance: PerformanceReport | None = None
    """None without a prediction log, and before the first evaluation of ground truth."""
    rolling: RollingReport | None = None
    """The main window against the rolling reference; None without one."""
    gradual: GradualReport | None = None
    """The time windows of a week or more; None without any."""
    whole_rows: ComparedRows | None = None
    """What is known of the comparisons of whole rows; None where they are not made by interval."""
    attributions: KnownAttributions | None = None
    """What is known of live attributions; None where they are not compared."""
    ingest: IngestFacts | None = None
    """None for a model that this server serves itself, until records of it come in."""
    stream: StreamFacts | None = None
    """None without a consumer of messages."""
    queue: tuple[float, float] | None = None
    """Shares of the requests and of the rows that may wait for the model which do, in all workers; None for a model
    that this server does not serve."""
    release: ReleaseFacts = ReleaseFacts()
    clients: Mapping[str, float] = field(default_factory=dict)
    """Share of the window's rows by the name of the token that sent them, of those with the most."""
    exposed: Exposed | None = None
    """The part of its drift metrics that is listed; None for that of the server."""

    def with_stream(self, stream: StreamFacts) -> MonitorFacts:
        """Return the same with a consumer of messages, whose rows are records from the logs of other servers too."""
        times = [] if self.ingest is None else [self.ingest.last_received, stream.last_received]
        last = max((at for at in times if at is not None), default=None)
        ingest = None if self.ingest is None else replace(self.ingest, last_received=last)
        return replace(self, stream=stream, ingest=ingest)

    def lists(self, spec: CounterSpec) -> bool:
        """Say whether `/metrics` lists a counter of the model."""
        return (
            (self.release.is_shadow or not spec.of_shadows)
            and (self.ingest is not None or not spec.of_ingestion)
            and (self.requests is not None or not spec.of_constraints)
        )


@dataclass(frozen=True)
class WorkerFacts:
    """The facts of one worker."""

    slot: str
    """Its number, or `NO_SLOT`."""
    process: FloatArray
    """In the order of `PROCESS`."""
    is_running: bool


@dataclass(frozen=True)
class ActionFacts:
    """How often an action on alerts has ended how."""

    name: str
    totals: Mapping[str, int]
    """Decisions by result."""
    last: Mapping[str, float]
    """When the last of them ended, seconds since 1970; results that have not been are absent."""


@dataclass(frozen=True)
class Exemplar:
    """A request that was counted in a bucket of a histogram, and the trace that shows it."""

    trace_id: str
    span_id: str
    value: float
    at: float
    """When it was answered, seconds since 1970."""


@dataclass(frozen=True)
class TelemetryFacts:
    """How what is sent to a collector of OpenTelemetry arrives."""

    items: Mapping[tuple[str, str], float]
    """Data points and spans by signal and result."""
    lost_threshold_ratio: float
    """Share of them that may be lost before an alert is raised."""
    exemplars: Mapping[tuple[str, ...], Mapping[int, Exemplar]] = field(default_factory=dict)
    """Of the histogram of requests, by method and handler and by bucket."""
    sent_at: Mapping[str, float] = field(default_factory=dict)
    """When each signal last arrived, seconds since 1970."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Why a signal does not arrive; empty if all do."""


@dataclass(frozen=True)
class ServerFacts:
    """The facts of the server itself."""

    series: Sequence[CounterSpec]
    arrays: Arrays
    error_budget_ratio: float
    workers: Sequence[WorkerFacts] = ()
    caller_limits: Sequence[float | None] = (None, None, None)
    """What one caller may ask of a worker, in the order of `CALLER_LIMITS`; None without a limit."""
    prediction_log: Sequence[float | None] = (None,) * 7
    """Size and limits of the prediction log, in the order of `LOG_GAUGES`; None where they are not known."""
    available: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    """Whether each model, by name and version, could be loaded; empty where there is only one."""
    price: tuple[str, float] | None = None
    """Currency and price of a second of the server; None if it is not known."""
    gpus: Sequence[GpuReading] = ()
    """The GPUs of the machine, as far as they are known."""
    actions: Sequence[ActionFacts] = ()
    """Empty where the settings have no actions."""
    notifications: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """How many there were, by receiver and result; empty without receivers."""
    telemetry: TelemetryFacts | None = None
    """None if nothing is sent to a collector."""
