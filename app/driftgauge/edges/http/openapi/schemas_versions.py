"""Schemas of the routes of versions for `/openapi.json`; tests check real answers against them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from driftgauge.edges.http.openapi.schemas import Documented

ChangeKind = Literal["configured", "load", "shadow", "rollback", "unload"]


class VersionChange(Documented):
    """A change of the versions of a model."""

    at: str
    kind: ChangeKind
    who: str
    reason: str
    from_version: str | None = Field(description="The version that answered until then.")
    to_version: str | None


class VersionChanged(VersionChange):
    """A change that was made."""

    model_name: str
    all_workers: bool = Field(description="Whether every worker has made it by now; the others follow on their own.")


class KnownVersion(Documented):
    """A version of a model."""

    version: str
    role: Literal["live", "shadow", "retired", "removed"]
    since: str
    bundle: str
    digest: str = Field(description="Of the content of the bundle's files.")
    is_loaded: bool = Field(description="Whether the worker that answers has loaded it.")


class ReleaseFigures(Documented):
    """Latency and errors of a release."""

    requests: int
    p50_seconds: float | None
    p99_seconds: float | None
    error_ratio: float | None = Field(description="Share of the rows on which the model failed.")


class ReleaseChange(Documented):
    """Increases over the release before: 0.5 is 50 % more. Null until both have 100 requests."""

    p50_ratio: float | None
    p99_ratio: float | None
    error_ratio: float | None


class Release(Documented):
    """The time in which a version answered."""

    version: str | None
    since: str
    figures: ReleaseFigures | None
    before: ReleaseFigures | None = Field(description="The figures of the release before.")
    change: ReleaseChange | None


class ShadowSummary(Documented):
    """A version that predicts the same rows unseen."""

    version: str
    rows: int = Field(description="Rows that it has predicted since its state was created.")
    agreement_ratio: float | None = Field(description="Share of them for which both versions predict the same.")
    mean_score_difference: float | None = Field(description="Its score less that of the live version.")
    rows_dropped: int = Field(description="Rows that it did not predict.")


class ReleaseSummary(Documented):
    """How long the live version has answered, and how it compares with the one before."""

    live_since: str
    began_with: VersionChange | None
    figures: ReleaseFigures
    change: ReleaseChange
    shadow: ShadowSummary | None


class LoadingVersion(Documented):
    """A version that workers are getting ready for."""

    version: str
    kind: ChangeKind


class ReleaseThresholds(Documented):
    """Increases over the release before that raise an alert."""

    warning_ratio: float
    critical_ratio: float


class ModelVersions(Documented):
    """The versions of a model and their history, the newest first."""

    model_name: str
    versions: list[KnownVersion]
    loading: LoadingVersion | None
    thresholds: ReleaseThresholds
    history: list[VersionChange]
    releases: list[Release]
