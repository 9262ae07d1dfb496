"""The rule that turns significant and large into a verdict."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

Severity = Literal["warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("warning", "critical")

REPORTED_ROWS: Final = 200
"""Rows from which PSI is reported, and a column without evidence is `normal`."""
JUDGED_ROWS: Final = 500
"""Rows from which the size of a change is judged, or 10 a bin if that is more."""


class Status(StrEnum):
    """The status of a verdict, from the least to the most severe."""

    INSUFFICIENT_DATA = "insufficient_data"
    NORMAL = "normal"
    WARNING = "warning"
    DRIFT_DETECTED = "drift_detected"


RANK: Final[dict[tuple[Status, Severity | None], int]] = {
    (Status.INSUFFICIENT_DATA, None): 0,
    (Status.NORMAL, None): 1,
    (Status.WARNING, "warning"): 2,
    (Status.DRIFT_DETECTED, "warning"): 3,
    (Status.DRIFT_DETECTED, "critical"): 4,
}


def judge(rows: int, *, significant: bool, large: Severity | None) -> tuple[Status, Severity | None]:
    """Return the verdict on a column.

    `rows` are those of the main window; `significant` says whether evidence is raised, from any number of rows;
    `large` which of the two thresholds the effect has reached, None for neither or too few rows.
    """
    if rows == 0:
        return Status.INSUFFICIENT_DATA, None
    if significant and large:
        return Status.DRIFT_DETECTED, large
    if significant:
        return Status.WARNING, "warning"
    if rows < REPORTED_ROWS:
        return Status.INSUFFICIENT_DATA, None
    return Status.NORMAL, None
