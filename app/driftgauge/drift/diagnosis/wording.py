"""What each kind of cause looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from driftgauge.drift.diagnosis.causes import CauseKind

LOOKS_LIKE: Final[Mapping[CauseKind, str]] = {
    "unit_change": "All values are the usual ones times one factor, such as metres sent as feet; missing values and "
    "other columns stay as they were.",
    "scaled_feature": "The values were transformed before they were sent: standardised, brought to 0 to 1, or their "
    "logarithm; their order stays, their range does not.",
    "stuck_sensor": "One value, often the last good one or a default, fills the rows while other columns go on "
    "varying.",
    "swapped_columns": "Each of two columns has the values that the other one has in the reference, from the same "
    "moment on.",
    "new_category": "A value appears that the reference does not have: a new product, a renamed code, another "
    "spelling or language.",
    "missing_upstream": "Values are missing from one moment on, often in all columns of one source; those that still "
    "come are as usual.",
    "time_zone_shift": "Hours are the usual ones moved by whole hours, around the clock; all else stays.",
    "label_shift": "One class has become more frequent: scores and features that go with it move together, and "
    "within each class the features are as they were.",
    "concept_drift": "Inputs and scores are as they were, but the truth that belongs to them is not: performance or "
    "calibration falls.",
    "slow_model": "Answers take longer than they did, with the same inputs and the same scores.",
    "constant_answers": "The model answers the same for different inputs, which themselves are as usual.",
    "traffic_mix": "Other customers, places or devices than before: several columns move together, and within each "
    "group rows are as they were.",
    "column_drift": "The distribution of one column has changed in a way that no known fault explains.",
    "score_drift": "Scores have moved while no input has: another version of the model or of a step before it, or "
    "inputs that changed together in ways that single columns do not show.",
    "constraint_violation": "Rows break the rules of the data, such as a range, a type, allowed values, or a share of "
    "repeated rows.",
    "performance_drop": "The model performs worse than on its held-out rows.",
    "server_errors": "Requests fail in the server.",
    "rows_lost": "Predictions are answered but not counted, so drift is judged on a part of them.",
    "no_rows": "No predictions are asked for: the caller, the network or a schedule has stopped.",
    "monitoring_problem": "The monitor cannot do its work, so what it says may be old.",
}
"""What each kind of cause looks like, so that a person can tell whether it is the one."""
