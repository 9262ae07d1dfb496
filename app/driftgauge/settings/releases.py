"""Options of releases: which versions may be loaded while the server runs, and how they are compared."""

from __future__ import annotations

from pydantic import BaseModel, Field

from driftgauge.settings.values import Folders


class ReleaseSettings(BaseModel):
    """Versions that are loaded while the server runs."""

    bundle_folders: Folders = Field(
        (),
        description="Folders whose bundles may be loaded while the server runs. Default: the folder that the served "
        "bundle lies in.",
    )
    version_load_seconds: float = Field(
        120.0,
        gt=0,
        le=3_600,
        description="Time in which every worker must have loaded a new version; otherwise nothing changes.",
    )
    max_versions: int = Field(
        3,
        ge=3,
        le=10,
        description="Versions of a model that have series: the live one, a shadow, and the last to retire.",
    )
    retired_state_seconds: float = Field(
        604_800.0,
        ge=0,
        le=1e9,
        description="Time after which a version that is no longer live is removed, with its state. Until then a "
        "rollback can bring it back.",
    )
    shadow_queue_rows: int = Field(
        10_000,
        ge=1,
        description="Rows that may wait for the shadow version in each worker; further ones are dropped and counted.",
    )
    release_threshold_warning_ratio: float = Field(
        0.5,
        gt=0,
        allow_inf_nan=False,
        description="Increase of the latency or the error ratio over the version before that is a `warning`; 0.5 is "
        "50 %.",
    )
    release_threshold_critical_ratio: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="Increase over the version before that is `critical`."
    )
