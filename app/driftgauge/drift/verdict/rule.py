"""The rule that turns significant and large into a verdict."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

Severity = Literal["info", "warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
Limit = Literal["warning", "critical"]
LIMITS: Final[tuple[Limit, ...]] = ("warning", "critical")
"""The severities that have a threshold; alerts fire from the first."""
Size = Literal["unknown", "small"] | Limit
"""The size of a change: not known yet, below both thresholds, or which of them it has reached."""

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


Verdict = tuple[Status, Severity | None]
RANK: Final[dict[Verdict, int]] = {
    (Status.INSUFFICIENT_DATA, None): 0,
    (Status.NORMAL, None): 1,
    (Status.NORMAL, "info"): 2,
    (Status.WARNING, "info"): 3,
    (Status.DRIFT_DETECTED, "info"): 4,
    (Status.WARNING, "warning"): 5,
    (Status.DRIFT_DETECTED, "warning"): 6,
    (Status.DRIFT_DETECTED, "critical"): 7,
}
"""Every verdict, by severity, then by status."""
VERDICTS: Final[tuple[Verdict, ...]] = tuple(sorted(RANK, key=RANK.__getitem__))
"""Every verdict, at the place of its rank."""


def judge(
    rows: int, *, significant: bool, size: Size, is_learning: bool = False, alert_on_small: bool = False
) -> Verdict:
    """Return the verdict on a column.

    `rows` are those of the main window; `significant` says whether evidence is raised, from any number of rows;
    `is_learning` whether it is unknown how live data varies. `alert_on_small` is as in `Policy`.
    """
    if rows == 0:
        return Status.INSUFFICIENT_DATA, None
    if significant:
        return _significant(size, is_learning=is_learning, alert_on_small=alert_on_small)
    if rows < REPORTED_ROWS:
        return Status.INSUFFICIENT_DATA, None
    return Status.NORMAL, None


def as_information(verdict: Verdict) -> Verdict:
    """Return the verdict on a column that raises no alert: no severity above info."""
    status, severity = verdict
    return status, None if severity is None else "info"


def _significant(size: Size, *, is_learning: bool, alert_on_small: bool) -> Verdict:
    """Return the verdict on a significant change."""
    if size == "small" and not alert_on_small:
        return Status.NORMAL, "info"
    if size in ("small", "unknown"):
        return Status.WARNING, "info" if is_learning else "warning"
    return Status.DRIFT_DETECTED, "warning" if is_learning or size == "warning" else "critical"
