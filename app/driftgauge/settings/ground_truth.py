"""Options of ground truth: how long labels may take, and when they count as missing."""

from __future__ import annotations

from pydantic import BaseModel, Field

from driftgauge.drift.performance.outcomes import OutcomeKind
from driftgauge.settings.outcomes import Outcomes


class GroundTruthSettings(BaseModel):
    """Labels that come after their predictions."""

    label_maturity_seconds: float = Field(
        86_400.0,
        ge=0,
        le=1e9,
        description="Minimum age of predictions that are judged by their labels. It should be longer than most labels "
        "take; otherwise labels that come early count more.",
    )
    label_wait_seconds: float = Field(
        3_600.0,
        ge=0,
        le=1e9,
        description="Time for which a label with an unknown prediction id is kept in case the prediction is logged "
        "later. Then it is counted as an orphan and deleted.",
    )
    labels_missing_seconds: float = Field(
        86_400.0,
        gt=0,
        le=1e9,
        description="Time without labels after which `ModelLabelsMissing` is raised, if there were labels before and "
        "predictions go on.",
    )
    outcomes: Outcomes = Field(
        default_factory=dict,
        description="Business outcomes of predictions, each in a table `[outcomes.NAME]` of the file (see below); in "
        'the environment as JSON, e.g. `{"click": {"kind": "event"}}`.',
    )

    @property
    def outcome_kinds(self) -> dict[str, OutcomeKind]:
        """The kind of each business outcome by its name."""
        return {name: own.kind for name, own in self.outcomes.items()}
