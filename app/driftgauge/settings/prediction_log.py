"""Options of the prediction log: where it is, what it keeps, and for how long."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from driftgauge.settings.values import LOWER_CASE, Names


class PredictionLogSettings(BaseModel):
    """The prediction log."""

    prediction_log: bool = Field(
        True,
        description="Keep every prediction with its inputs, for ground truth and exports. It needs a state folder or "
        "`prediction_log_url`.",
    )
    prediction_log_url: str | None = Field(
        None,
        min_length=1,
        description="PostgreSQL database of the log, e.g. `postgresql://user@host/database`; replicas may share it. "
        "Set it in the environment if it holds a password. Default: SQLite in the state folder.",
    )
    prediction_log_sample_ratio: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the predictions that are logged, chosen by a hash of their id, the same in all replicas.",
    )
    prediction_log_durability: Annotated[Literal["written_behind", "acknowledged"], LOWER_CASE] = Field(
        "written_behind",
        description="When predictions are written: within a second of their answer (`written_behind`), or to the disk "
        "before they are answered (`acknowledged`).",
    )
    prediction_log_max_age_seconds: float = Field(
        604_800.0, gt=0, allow_inf_nan=False, description="Predictions older than this are deleted. Default: 7 days."
    )
    prediction_log_max_bytes: int = Field(
        2_147_483_648,
        ge=1_048_576,
        description="Size of the log from which the oldest predictions are deleted. Default: 2 GiB.",
    )
    prediction_log_queue_rows: int = Field(
        50_000,
        ge=1,
        description="Maximum number of rows per worker that wait to be written; further ones are not logged, and "
        "counted.",
    )
    prediction_log_min_free_bytes: int = Field(
        536_870_912,
        ge=0,
        description="Free disk space below which the log is not written; predictions are still answered. Default: "
        "512 MiB.",
    )
    prediction_log_drop: Names = Field((), description="Features that are not logged.")
    prediction_log_hash: Names = Field(
        (), description="Features that are logged as a keyed hash: equal values stay equal, and cannot be read."
    )
    prediction_log_hash_key: str | None = Field(
        None,
        min_length=16,
        description="Secret key of `prediction_log_hash`, at least 16 characters. Set it in the environment.",
    )

    @property
    def redacted_columns(self) -> tuple[str, ...]:
        """The features of which no value is shown anywhere."""
        return (*self.prediction_log_drop, *self.prediction_log_hash)

    @model_validator(mode="after")
    def _hashes_have_a_key(self) -> Self:
        if self.prediction_log_hash and self.prediction_log_hash_key is None:
            raise ValueError("prediction_log_hash needs prediction_log_hash_key: set it to a secret text")
        both = set(self.prediction_log_hash) & set(self.prediction_log_drop)
        if both:
            raise ValueError(f"prediction_log_hash and prediction_log_drop both name {min(both)}: leave one out")
        return self
