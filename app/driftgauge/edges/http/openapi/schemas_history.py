"""Schemas of `GET /drift/history` for `/openapi.json`; tests check real answers against them."""

from __future__ import annotations

from typing import Final

from pydantic import ConfigDict, Field

from driftgauge.drift.verdict.rule import Severity, Status
from driftgauge.edges.http.openapi.queries import query_parameters
from driftgauge.edges.http.openapi.schemas import Documented, News


class ColumnHistory(Documented):
    """The verdicts on a column and its statistics in the main window, a value for each moment; null is unknown."""

    status: list[Status]
    severity: list[Severity | None]
    psi_debiased: list[float | None]
    missing_ratio: list[float | None]
    unseen_ratio: list[float | None]
    out_of_range_ratio: list[float | None]
    evidence_log10: list[float | None]


class PastVerdict(Documented):
    """A verdict before or after a change."""

    status: Status
    severity: Severity | None


class VerdictChange(Documented):
    """A changed severity of a column, or a changed verdict on the model; also has `from`, the verdict before."""

    model_config = ConfigDict(extra="allow")  # `from` is a word of Python
    at: str
    feature: str | None = Field(description="Null for the verdict on the model.")
    to: PastVerdict


class DriftHistory(Documented):
    """The verdicts of the past, oldest first; lists have a value for each moment in `at`."""

    model_name: str
    model_version: str
    at: list[str] = Field(description="When each time span begins.")
    seconds: list[float] = Field(
        description="How long it lasts: 60 is the first report of a minute; 900 and 86400 are a quarter of an hour "
        "and a day, with the means of all numbers and the worst status and severity."
    )
    status: list[Status]
    severity: list[Severity | None]
    rows_observed: list[int]
    recent_mean: list[float | None]
    features: dict[str, ColumnHistory] = Field(description="The columns that the query names.")
    changes: list[VerdictChange]
    changes_dropped: int = Field(description="Older changes that made room for newer ones.")
    news: News | None = Field(description="What changed, if `since` is given and there is a history.")


PARAMETERS: Final = query_parameters(
    {
        "model": "Which model, where several are watched.",
        "feature": "Columns, separated by commas, at most 50; repeat it for a name with a comma. By default none.",
        "since": "How long ago (`24h`, `7d`) or a moment (RFC 3339, or seconds since 1970); by default everything.",
    }
)
