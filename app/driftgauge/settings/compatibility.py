"""Options for clients and rules that were written for other servers."""

from __future__ import annotations

from pydantic import BaseModel, Field


class CompatibilitySettings(BaseModel):
    """Clients and rules of other servers."""

    job_ids: bool = Field(
        False,
        description="Add `job_id`, the id of the prediction, to the answers of `/predict`; a list of one row is also "
        "answered at the top of the answer. `/predict/label` always does.",
    )
