"""Schemas of `GET /diagnosis` for `/openapi.json`; tests check real answers against them."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from driftgauge.drift.diagnosis.causes import CauseKind
from driftgauge.drift.diagnosis.diagnosis import State
from driftgauge.drift.diagnosis.steps import StepName, StepStatus
from driftgauge.edges.http.openapi.queries import query_parameters
from driftgauge.edges.http.openapi.schemas import Documented


class RecommendedAction(Documented):
    """What can be done."""

    sentence: str
    command: str | None = Field(description="For a shell; null where there is none.")


class LikelyCause(Documented):
    """A likely cause; their order is a ranking by how much they explain, not a proof."""

    kind: CauseKind
    title: str
    columns: list[str] = Field(description="The columns that show it, the clearest first.")
    explains: list[str] = Field(description="Other columns whose change it explains.")
    score: float = Field(description="What it is ranked by: importance times drift of the columns that it explains.")
    importance: float = Field(description="Share of the model's importance that its columns have, from 0 to 1.")
    evidence: dict[str, float | str | None] = Field(description="The numbers behind it, by name.")
    why: str
    looks_like: str = Field(description="What this cause looks like, so that a person can tell whether it is it.")
    since: str | None = Field(description="When it began, as far as the rows tell.")
    actions: list[RecommendedAction] = Field(description="In order.")


class DependencePoint(Documented):
    """The score with one value of the feature."""

    value: float | str | None = Field(description="A number, or the name of a category; null for a missing value.")
    is_new: bool = Field(description="Whether the reference has hardly any of it.")
    mean_score: float
    score_standard_deviation: float


class Dependence(Documented):
    """How the score depends on one feature: the mean score of rows if all had the value (partial dependence)."""

    feature: str
    summary: str
    rows: int = Field(description="Newest rows that were predicted with each value.")
    points: list[DependencePoint]


class DiagnosisStep(Documented):
    """One step: what was looked at, and what was found."""

    name: StepName
    title: str
    status: StepStatus
    finding: str
    looked_at: list[str]


class ModelDiagnosis(Documented):
    """What is wrong with a model, and what it could come from."""

    model_name: str
    model_version: str
    state: State
    summary: str
    evaluated_at: str = Field(description="Time of the drift report behind it.")
    since: str | None = Field(description="When the first cause began; null if nothing is wrong or it is not known.")
    causes: list[LikelyCause] = Field(description="The likeliest first; empty if nothing is wrong.")
    dependence: Dependence | None = Field(
        description="Of the first cause's feature; null without one, or if the model is not at hand."
    )
    steps: list[DiagnosisStep] = Field(
        description="In the order of an engineer: data quality, drift, prediction, ground truth, system."
    )
    notes: list[str] = Field(description="What limits the diagnosis.")


class DiagnosisAnswer(Documented):
    """The diagnoses of the models that the query names, of all live ones by default."""

    state: State = Field(description="The worst of the models; a model that could not be loaded is wrong.")
    models: list[ModelDiagnosis]
    unusable_models: dict[str, str] = Field(description="Models that could not be loaded, and why.")


PARAMETERS: Final = query_parameters(
    {
        "model": "The model, by its name; by default all live ones.",
        "format": "`json` or `html`, which leads to the page; by default what `Accept` prefers.",
    }
)
"""The parameters of its query."""
