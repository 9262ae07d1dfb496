"""Options of monitoring: the windows, when they are evaluated, and which metrics are exposed."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.settings.values import LOWER_CASE, Names, RowCounts

MAX_WINDOW_ROWS: Final = 1_000_000
MAIN_WINDOW: Final = "main"
ALL_WINDOWS: Final = "all"


class MonitoringSettings(BaseModel):
    """Windows, evaluations and metrics."""

    monitoring_enabled: bool = Field(
        True, description="Monitor drift. If false, predictions are only answered and counted."
    )
    clock: Annotated[Literal["arrival", "event"], LOWER_CASE] = Field(
        "arrival",
        description="Clock of the windows: the `arrival` of a row, or its own `timestamp` (`event`, for replays).",
    )
    max_event_ahead_seconds: float = Field(
        300.0, ge=0, description="Largest lead of a `timestamp` over its arrival; later ones are rejected and counted."
    )
    windows: RowCounts = Field(
        Policy.windows, description="Sizes of the sliding windows in rows; the largest is the main window."
    )
    time_windows: Names = Field(
        tuple(span.name for span in Policy.time_windows),
        description="Lengths of the time windows (s, m, h, d). Those of whole weeks (such as `7d`), and from `28d` on, "
        "are judged for gradual drift; the others are for inspection only.",
    )
    max_age_seconds: float = Field(
        Policy.max_age_seconds,
        gt=0,
        allow_inf_nan=False,
        description="Rows older than this are dropped from the sliding windows.",
    )
    reference: Annotated[Literal["training", "rolling"], LOWER_CASE] = Field(
        "training",
        description="What rows are compared with: the baseline of the `training`, or beside it also the rows of the "
        "last days (`rolling`), which needs the prediction log. The verdict on the model rests on the training.",
    )
    rolling_reference_days: int = Field(
        14,
        ge=2,
        le=60,
        description="Days of the rolling reference, without the last day and those on which a column had drifted.",
    )
    rolling_reference_refresh_seconds: float = Field(
        86_400.0, gt=0, le=1e9, description="Time after which the rolling reference is built again. Default: 1 day."
    )
    evaluation_interval_seconds: float = Field(
        5.0, gt=0, description="Time between evaluations while the status and the metrics are not read."
    )
    evaluation_rest_factor: float = Field(
        50.0,
        ge=0,
        description="Minimum pause between evaluations, as a multiple of the last one's CPU time; between those of "
        "ground truth of its duration, and then 10 at most.",
    )
    evaluation_wait_seconds: float = Field(
        1.0,
        gt=0,
        le=60,
        description="Time limit for `/metrics` and `/drift/status`; if an evaluation takes longer, they return the "
        "last report.",
    )
    metrics_windows: Names = Field(
        (MAIN_WINDOW,),
        description="Windows whose gauges are exposed in addition to the main window: `main` for none, `all`, or a "
        "list, e.g. `1000,1h`.",
    )
    metrics_bin_rows: bool = Field(
        True,
        description="Expose the rows of each bin, from which the PSI across replicas is computed; about half "
        "of a column's series.",
    )
    metrics_top_features: int | None = Field(
        None,
        ge=0,
        description="Expose drift metrics only for the predictions and this many features, those with the most drift. "
        "Default: all features.",
    )

    @field_validator("windows")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or min(value) < 1:
            raise ValueError("give at least one window of at least 1 row, e.g. 1000,10000")
        if max(value) > MAX_WINDOW_ROWS:
            raise ValueError(f"a window of {max(value)} rows is too large: give at most {MAX_WINDOW_ROWS}")
        return tuple(sorted(set(value)))

    @field_validator("time_windows")
    @classmethod
    def _by_length(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        spans = sorted({TimeSpan.named(text).seconds: text for text in value}.items())
        return tuple(text for _, text in spans)

    @model_validator(mode="after")
    def _known_windows(self) -> Self:
        known = [MAIN_WINDOW, ALL_WINDOWS, *map(str, self.windows), *self.time_windows]
        unknown = [name for name in self.metrics_windows if name not in known]
        if unknown:
            raise ValueError(f"metrics_windows: there is no window {unknown[0]!r}: give {', '.join(known)}")
        return self

    @property
    def exposed_windows(self) -> frozenset[str] | None:
        """The windows whose gauges are exposed beside those of the main window; None for all of them."""
        return None if ALL_WINDOWS in self.metrics_windows else frozenset(self.metrics_windows) - {MAIN_WINDOW}
