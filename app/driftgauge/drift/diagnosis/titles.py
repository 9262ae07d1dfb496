"""What kinds of causes and the steps of a diagnosis are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from driftgauge.drift.diagnosis.causes import CauseKind
from driftgauge.drift.diagnosis.steps import StepName

CAUSE_TITLES: Final[Mapping[CauseKind, str]] = {
    "unit_change": "Change of unit",
    "scaled_feature": "Scaled feature",
    "stuck_sensor": "Stuck sensor",
    "swapped_columns": "Swapped columns",
    "new_category": "New category",
    "missing_upstream": "Missing values from upstream",
    "time_zone_shift": "Shift of the time zone",
    "label_shift": "Label shift",
    "concept_drift": "Concept drift",
    "slow_model": "Slow model",
    "constant_answers": "Constant answers",
    "traffic_mix": "Change of the traffic mix",
    "column_drift": "Drift of a column",
    "score_drift": "Drift of the predictions",
    "constraint_violation": "Violated constraint",
    "performance_drop": "Worse performance",
    "server_errors": "Failed requests",
    "rows_lost": "Lost rows",
    "no_rows": "No rows",
    "monitoring_problem": "Problem of monitoring",
}
"""The title of a cause, by its kind."""
STEP_TITLES: Final[Mapping[StepName, str]] = {
    "data_quality": "Data quality",
    "drift": "Drift",
    "prediction": "Prediction",
    "ground_truth": "Ground truth",
    "system": "System",
}
"""The title of a step, by its name."""
