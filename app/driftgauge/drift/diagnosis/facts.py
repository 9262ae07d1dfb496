"""What a diagnosis is made of: the reports of a monitor, its newest rows, and how the server does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.diagnosis.importances import Importances
from driftgauge.drift.performance.report import PerformanceReport
from driftgauge.drift.quality.report import QualityReport
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.windows.window import Rows


@dataclass(frozen=True)
class SystemFacts:
    """How the server and the monitor do; NaN or None where it is not known.

    Latencies are of the same requests and the same quantile: the newest ones, and those of the past.
    """

    latency_p95_seconds: float = math.nan
    latency_p99_seconds: float = math.nan
    latency_threshold_seconds: float = math.nan
    """The latency that p99 has to stay below."""
    past_latency_p95_seconds: float = math.nan
    """The usual p95 of the model, from before the newest requests."""
    past_latency_p99_seconds: float = math.nan
    slow_since: float | None = None
    """When latency rose, seconds since 1970."""
    requests: int = 0
    """Requests behind the newest latencies and the ratio of errors."""
    error_ratio: float = math.nan
    """Share of the newest requests that the server failed to answer (5xx)."""
    error_threshold: float = 0.01
    queue_ratio: float = math.nan
    """Share of the queue's places that are taken."""
    rows_lost: int = 0
    """Rows that were answered and not counted, of late."""
    seconds_since_row: float = math.nan
    """Age of the newest row; NaN without one."""
    usual_seconds_between_rows: float = math.nan
    """Usual distance of two rows, where it is known."""
    evaluation_age_seconds: float = math.nan
    evaluation_threshold_seconds: float = math.nan
    """The age at which an evaluation counts as stale."""
    problems: tuple[str, ...] = ()
    """Problems of monitoring that are going on, each in a sentence."""


@dataclass(frozen=True, repr=False)
class Facts:
    """What is known of one model version at one moment."""

    report: DriftReport
    rows: Rows | None = None
    """The newest rows of the main window, in order of arrival, in the columns of the report's baseline."""
    reference_rows: FloatArray | None = None
    """Rows kept of the reference, as `RowSample.values` gives them for the report's baseline."""
    unseen_values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Values that the reference does not have and their number of rows, by feature, where they are known."""
    quality: QualityReport | None = None
    performance: PerformanceReport | None = None
    """On matured cohorts; None without ground truth."""
    score_threshold: float = 0.5
    """The score from which a binary model answers its positive class."""
    is_binary: bool = True
    """Whether scores are the probabilities of a positive class."""
    positive_rate: float | None = None
    """Share of the positive class in the reference, of a binary model; None where it is not known."""
    importances: Importances | None = None
    redacted: frozenset[str] = frozenset()
    """Columns of which no value is shown."""
    system: SystemFacts = field(default_factory=SystemFacts)
    model_name: str = "model"
    model_version: str = "1"
    earlier_version: str | None = None
    """The version that a rollback would bring back; None without one."""
    bundle: str | None = None
    """Folder of the bundle, for the commands."""
    state_folder: str | None = None
    """Folder of the state, which holds the prediction log, for the commands."""
    server_url: str | None = None
    """Address of the server, for the commands; None in a library."""
    needs_token: bool = False
    """Whether the server wants a token."""
    replaces_versions: bool = True
    """Whether versions of the model are loaded and replaced, which is not so where another program serves it."""

    @property
    def baseline(self) -> Baseline:
        """The baseline of the report."""
        return self.report.baseline
