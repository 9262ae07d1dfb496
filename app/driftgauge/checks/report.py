"""The result of a check: the verdict on each window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from driftgauge.checks.report_frame import frame_of
from driftgauge.checks.report_html import html_of
from driftgauge.checks.report_json import dict_of
from driftgauge.drift.multivariate.report import MultivariateReport
from driftgauge.drift.quality.report import ConstraintVerdict, QualityReport
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import LIMITS, Severity, Status
from driftgauge.models.bundle import Performance

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class WindowVerdict:
    """One window and its verdict."""

    window: str
    """`table` for a single one, else the file's name without its ending, or the start of the period."""
    tables: tuple[Path | str, ...]
    """Files with rows of the window; none for a table in memory."""
    report: DriftReport
    since: Mapping[str, str]
    """For each column that drifts, the window in which the drift began."""
    held_rows: int
    """Rows behind the statistics of values: a sample, if the window is large."""
    performance: Performance | None = None
    """The model's performance on rows with a known target; None without the model or such rows."""
    unanswered_rows: int = 0
    """Rows that the model cannot answer; their scores are missing."""
    multivariate: MultivariateReport | None = None
    """The comparison of whole rows; None unless it was asked for."""
    quality: QualityReport | None = None
    """What the rows say of the constraints; None without constraints."""
    partitions: tuple[str, ...] = ()
    """Names of the partitions whose profiles the window is made of; none for tables."""

    @property
    def rows(self) -> int:
        """Rows of the window."""
        return self.report.main.rows

    @property
    def drifted(self) -> bool:
        """Whether any column drifts."""
        return self.report.status is Status.DRIFT_DETECTED


@dataclass(frozen=True, eq=False, repr=False)
class CheckReport:
    """The result of comparing tables with a baseline.

    A notebook shows it as a table. With several windows (`CheckOptions(every=…)`), `status`, `severity`, `reason` and
    `drifted_features` are those of the worst window.
    """

    windows: tuple[WindowVerdict, ...]
    """The verdict on each window, in order; a single one unless the check is a history."""
    baseline: Baseline
    """The whole baseline, including columns that were not compared."""
    is_history: bool = False
    """Whether there may be several windows, one after the other."""
    held_out: Performance | None = None
    """The model's performance when its bundle was created; None without a bundle."""
    remarks: tuple[str, ...] = ()
    """Sentences about columns that were predicted or not compared."""

    def __repr__(self) -> str:
        severity = f" ({self.severity})" if self.severity else ""
        periods = f" in {len(self.windows):,} windows" if self.is_history else ""
        said = " ".join(self.reason.split())
        return f"<CheckReport: {self.status}{severity}, {self.rows:,} rows{periods}. {said}>"

    def __bool__(self) -> NoReturn:
        raise TypeError("a report is neither true nor false: use report.has_drift")

    def _repr_html_(self) -> str:
        return html_of(self)

    @property
    def worst(self) -> WindowVerdict:
        """The window with the worst verdict; the last one if no column drifts in any."""
        worst = max(self.windows, key=_badness)
        return worst if worst.drifted else self.windows[-1]

    @property
    def status(self) -> Status:
        """`insufficient_data`, `normal`, `warning` or `drift_detected`."""
        return self.worst.report.status

    @property
    def severity(self) -> Severity | None:
        """`info`, `warning` or `critical`; None without a significant change."""
        return self.worst.report.severity

    @property
    def reason(self) -> str:
        """What moved, in words."""
        return self.worst.report.reason

    @property
    def drifted_features(self) -> tuple[str, ...]:
        """Names of the features that drift, worst first."""
        return self.worst.report.drifted

    @property
    def rows(self) -> int:
        """Rows of all windows."""
        return sum(verdict.rows for verdict in self.windows)

    @property
    def has_drift(self) -> bool:
        """Whether any column drifts in any window."""
        return any(verdict.drifted for verdict in self.windows)

    @property
    def has_violations(self) -> bool:
        """Whether constraints are violated with severity warning or critical in any window."""
        return bool(self.violated_constraints)

    @property
    def violated_constraints(self) -> tuple[ConstraintVerdict, ...]:
        """The constraints that are violated with severity warning or critical, worst first in each window."""
        found = (own for verdict in self.windows if verdict.quality for own in verdict.quality.worst_first)
        return tuple(own for own in found if own.severity in LIMITS)

    def to_dict(self) -> dict[str, Any]:
        """Return what `driftgauge check --json` prints; an unknown number is None."""
        return dict_of(self)

    def to_frame(self) -> pd.DataFrame:
        """Return the statistics of each column as a pandas DataFrame, worst first.

        The index is the column's name; with several windows it is the window and the name. Raises CheckError without
        pandas.
        """
        return frame_of(self)


def _badness(verdict: WindowVerdict) -> tuple[int, float]:
    report = verdict.report
    effects = np.nan_to_num(report.main.effect("warning"))
    return report.rank, float(effects[report.worst_first[0]])
