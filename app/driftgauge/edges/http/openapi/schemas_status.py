"""Schemas of `GET /drift/status` for `/openapi.json`; tests check real answers against them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import ConfigDict, Field, create_model

from driftgauge.drift.verdict.column_statistics import COLUMN_STATISTICS, ColumnStatistic
from driftgauge.drift.verdict.rule import Severity, Status
from driftgauge.edges.http.openapi.queries import query_parameters
from driftgauge.edges.http.openapi.schemas import Documented, ModelAbout, News, WatchedMonitoring
from driftgauge.edges.http.openapi.schemas_attributions import AttributionSummary
from driftgauge.edges.http.openapi.schemas_efficiency import EfficiencySummary
from driftgauge.edges.http.openapi.schemas_gradual import GradualDrift
from driftgauge.edges.http.openapi.schemas_ingest import IngestionSummary
from driftgauge.edges.http.openapi.schemas_multivariate import Multivariate
from driftgauge.edges.http.openapi.schemas_outcomes import LabelsSummary, Outcome
from driftgauge.edges.http.openapi.schemas_outliers import Outliers
from driftgauge.edges.http.openapi.schemas_performance import PerformanceSummary
from driftgauge.edges.http.openapi.schemas_quality import Quality
from driftgauge.edges.http.openapi.schemas_references import References
from driftgauge.edges.http.openapi.schemas_versions import ReleaseSummary


class Thresholds(Documented):
    """A threshold for each severity."""

    warning: float
    critical: float


class JudgedBy(Documented):
    """The statistic that the verdict on a column rests on, where it is another than PSI."""

    statistic: Literal["ks", "wasserstein", "js", "kl", "chi2"] = Field(description="`chi2` is Cramér's V.")
    value: float | None
    noise: float | None = Field(description="What it would be by chance.")
    debiased: float | None = Field(description="The value without its noise. Thresholds apply to it.")
    expected_max: float | None = Field(description="The largest such value of the reference's own windows.")
    threshold: Thresholds | None = Field(description="Thresholds of debiased; null for a time window.")
    threshold_origin: Literal["setting", "expected_range"] | None


class DriftShare(Documented):
    """The share of the features that have drifted, with `drift_share` in the settings."""

    ratio: float | None
    threshold: float


class TwoMinutes(Documented):
    """The rule on the rows of the last two minutes, with `preset = "two-minutes"` in the settings."""

    alarms: bool
    reason: str
    rows: int
    outlier_ratio: float | None = Field(description="Share of outliers; null without rows.")
    outlier_threshold_ratio: float
    mean_threshold_ratio: float
    features: dict[str, float] = Field(description="Distances of means from the training's that are above the limit.")


class _WindowPart(Documented):
    """Fields of a column in every window, in addition to its statistics."""

    rows: int = Field(description="Rows in the window.")
    psi_threshold: Thresholds | None = Field(
        description="Thresholds of psi_debiased; null for a time window, and where another statistic judges the column."
    )
    psi_threshold_origin: Literal["setting", "expected_range"] | None = Field(
        description="What the thresholds are: the settings, or multiples of the expected range where that is above "
        "the setting for warning."
    )
    judged_by: JudgedBy | None = Field(None, description="Absent where PSI judges the column.")


def _fields(statistics: Sequence[ColumnStatistic]) -> dict[str, Any]:
    """Return the fields of a body that has these statistics."""
    return {own.name: (int if own.unit == "rows" else float | None, Field(description=own.help)) for own in statistics}


if TYPE_CHECKING:
    Statistics = _WindowPart
    _Summarised = _WindowPart
else:
    Statistics = create_model(
        "Statistics",
        __base__=_WindowPart,
        __doc__="A column in one window; null is unknown (yet), or has no meaning for such a column.",
        **_fields(COLUMN_STATISTICS),
    )
    _Summarised = create_model(
        "_Summarised", __base__=_WindowPart, **_fields([own for own in COLUMN_STATISTICS if own.in_summary])
    )


class Reference(Documented):
    """A column in the reference."""

    rows: int
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    in_sample: bool


class ColumnSummary(_Summarised):
    """The verdict on a column, and the statistics of the main window that a person reads first."""

    kind: Literal["numeric", "categorical"]
    status: Status
    severity: Severity | None
    reason: str
    since: str | None
    drift_score: float | None = Field(
        description="Largest change of the sliding windows in units of its threshold for warning."
    )
    evidence_log10: float | None


class Column(Statistics):
    """The verdict on a column, with every statistic in the selected windows."""

    kind: Literal["numeric", "categorical"]
    status: Status
    severity: Severity | None
    reason: str
    since: str | None
    drift_score: float | None = Field(
        description="Largest change of the sliding windows in units of its threshold for warning."
    )
    evidence_log10: float | None
    evidence_threshold_log10: float
    tau: float = Field(description="Autocorrelation time in force, in rows: that of the reference or of live rows.")
    tau_reference: float | None = Field(description="As the reference's times show it; null without times.")
    tau_live: float | None = Field(description="As live rows show it; null for a baseline by hour of the day.")
    reference: Reference
    windows: dict[str, Statistics]


class Window(Documented):
    """What a window covers: a number of rows, its `capacity`, or of `seconds`."""

    model_config = ConfigDict(extra="allow")  # `from` is a word of Python
    rows: int
    capacity: int | None = None
    seconds: int | None = None
    to: str | None


class CorrelationChange(Documented):
    """The two features whose correlation changed most, of all `pairs`; z in standard errors."""

    pair: list[str]
    reference: float
    current: float
    z: float
    p_value: float
    pairs: int
    rows: int


class BaselineAbout(Documented):
    """Which baseline is compared with."""

    hash: str
    rows: int
    created: str
    by_hour: bool
    notes: list[str]


class EvidenceAbout(Documented):
    """The evidence threshold, and the budget of false alarms over all `columns` from which it follows."""

    threshold_log10: float
    false_alarm_rows: float
    columns: int
    tolerance: float


class EstimatedMetrics(Documented):
    """Metrics of a classification (`accuracy`, and `roc_auc` of two classes) or of a regression (`mae`)."""

    accuracy: float | None = None
    roc_auc: float | None = None
    mae: float | None = None


class EstimatedPerformance(Documented):
    """The performance on live rows, estimated without ground truth."""

    unavailable: str | None = Field(description="Why there is no estimate; null if there is one.")
    assumption: str | None = Field(description="What the estimate rests on, and cannot see.")
    held_out: EstimatedMetrics = Field(description="The metrics of the held-out rows.")
    windows: dict[str, EstimatedMetrics] = Field(
        description="The estimates for each window whose rows are in memory; empty for fewer than 200 rows."
    )


class DriftStatus(Documented):
    """Whether what the model sees still looks like its baseline."""

    model_name: str
    model_version: str
    about: ModelAbout | None = Field(description="Null if nothing is stated.")
    status: Status
    severity: Severity | None
    reason: str
    learning_until: str | None = Field(
        description="Until when no severity is above warning, because the baseline has no times; else null."
    )
    evaluated_at: str
    report_age_seconds: float
    rows_observed: int
    drift_score: float | None = Field(
        description="The largest drift score of all columns: from 1 a change is large, significant or not."
    )
    recent_mean: float | None
    reference_mean: float | None
    drifted_features: list[str]
    drift_share: DriftShare | None = Field(None, description="Absent unless the settings have `drift_share`.")
    two_minutes: TwoMinutes | None = Field(None, description="Absent unless the settings have this `preset`.")
    baseline: BaselineAbout
    evidence: EvidenceAbout
    thresholds: Thresholds
    windows: dict[str, Window]
    features: dict[str, ColumnSummary | Column]
    correlation: CorrelationChange | None
    prediction: ColumnSummary | Column | None = None
    prediction_class: ColumnSummary | Column | None = None
    prediction_outlier: ColumnSummary | Column | None = None
    estimated_performance: EstimatedPerformance
    quality: Quality | None = Field(description="Violated constraints; null without `constraints.yaml`.")
    outliers: Outliers | None = Field(None, description="Absent unless the settings have `outliers`.")
    performance: PerformanceSummary | None = Field(description="On predictions whose ground truth is known.")
    release: ReleaseSummary | None = Field(description="Null where versions are not replaced while the server runs.")
    ingestion: IngestionSummary | None = Field(
        description="Rows from the logs of other servers; null for a model that this server alone serves."
    )
    labels: LabelsSummary | None = Field(description="The labels that came in; null without a prediction log.")
    outcomes: dict[str, Outcome] = Field(description="Business outcomes by name, each over its own window.")
    references: References | None = Field(
        description="Both references; null unless `reference` is `rolling`, and before the first days are counted."
    )
    gradual_drift: GradualDrift | None = Field(
        None, description="Time windows of a week or more; absent unless `time_windows` has one."
    )
    multivariate: Multivariate | None = Field(description="Whole rows; null with `multivariate=off`.")
    attributions: AttributionSummary | None = Field(
        None, description="What features contribute to scores; absent with `attribution_seconds=0`."
    )
    efficiency: EfficiencySummary | None = Field(
        None, description="The last minutes; absent for a model that this server does not serve."
    )
    more: str | None = Field(description="How to get the statistics that a summary leaves out.")
    news: News | None = Field(description="What changed, if `since` is given and there is a history.")
    monitoring: WatchedMonitoring


PARAMETERS: Final = query_parameters(
    {
        "model": "Which model, where several are watched.",
        "feature": "Columns to show with every statistic, separated by commas; repeat it for a name with a comma.",
        "windows": "Windows to show with every statistic beside the main one, separated by commas, or `all`.",
        "since": "Say what changed since then: how long ago (`24h`, `7d`) or a moment.",
        "format": "`json`, or `html` for the page; by default the page for browsers, which ask for HTML in `Accept`.",
    }
)
REPORT_PARAMETERS: Final = query_parameters(
    {
        "model": "Which model, where several are watched.",
        "feature": "Column to show in full, repeatable; by default those that changed most.",
        "download": "With any value, or none, browsers save the report as a file.",
    }
)
