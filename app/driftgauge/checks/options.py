"""Options of a check, which are also the options of its command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from driftgauge.common.option import Option
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.errors import CheckError

HELD_ROWS: Final = 200_000
HELD_CELLS: Final = 20_000_000
BYTES_AT_ONCE: Final = 2_097_152
FALSE_ALARM_ROWS: Final = (1_000.0, 1e15)
"""Smallest and largest budget for false alarms."""
ROWS, THRESHOLDS = "Rows and columns", "Thresholds"


@dataclass(frozen=True)
class CheckOptions:
    """How tables are compared with a baseline."""

    time: Annotated[
        str | None, Option("Column of times. Evidence then follows the rows in their order.", "COLUMN", ROWS)
    ] = None
    """Without it, windows have no times."""
    every: Annotated[
        str | None,
        Option("One verdict per period, such as 1h or 1d; rows must come in order of --time.", "PERIOD", ROWS),
    ] = None
    """Periods are counted from 1970 in UTC; without it, each table is one window."""
    ignore: Annotated[
        tuple[str, ...],
        Option(
            "A column of the baseline to leave out; repeat it, or separate with commas.", "COLUMN", ROWS, commas=False
        ),
    ] = ()
    psi_threshold_warning: Annotated[
        float,
        Option("Noise-corrected PSI at which a significant change is drift, with severity warning.", "PSI", THRESHOLDS),
    ] = Policy.psi_thresholds[0]
    psi_threshold_critical: Annotated[
        float, Option("Noise-corrected PSI at which the severity is critical.", "PSI", THRESHOLDS)
    ] = Policy.psi_thresholds[1]
    false_alarm_rows: Annotated[
        float,
        Option(
            "Rows per false alarm of the evidence, on average at least, over all columns.",
            "ROWS",
            THRESHOLDS,
            shown_default=f"{Budget.false_alarm_rows:.0f}",
        ),
    ] = Budget.false_alarm_rows
    tolerance: Annotated[
        float,
        Option(
            "Shifts smaller than this are no evidence: in standard deviations, or relative to a bin's share.",
            "RATIO",
            THRESHOLDS,
        ),
    ] = Budget.tolerance
    feature_psi_thresholds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """PSI thresholds of single columns, by name: warning and critical."""
    held_rows: int = HELD_ROWS
    """Most rows of a window that are held in memory; of a larger window, a uniform sample."""
    held_cells: int = HELD_CELLS
    """Most cells that are held: tables of more than 100 columns hold fewer rows."""
    bytes_at_once: int = BYTES_AT_ONCE
    """How much of a file is processed at once."""

    def __post_init__(self) -> None:
        """Raise CheckError for values that contradict each other or are out of range."""
        if self.every is not None and self.time is None:
            raise CheckError(f"--every {self.every} needs times: name the column that holds them (--time COLUMN)")
        _ = self.period
        if not 0.0 < self.psi_threshold_warning <= self.psi_threshold_critical:
            raise CheckError("--psi-threshold-warning must be above 0, and at most --psi-threshold-critical")
        least, most = FALSE_ALARM_ROWS
        if not least <= self.false_alarm_rows <= most:
            raise CheckError(f"--false-alarm-rows {self.false_alarm_rows:g}: give a number from {least:g} to {most:g}")
        if not 0.0 <= self.tolerance <= 1.0:
            raise CheckError(f"--tolerance {self.tolerance:g}: give a number from 0 to 1")

    @property
    def period(self) -> TimeSpan | None:
        """Length of a period; None if each table is one window."""
        try:
            return None if self.every is None else TimeSpan.named(self.every)
        except ValueError as error:
            raise CheckError(f"--every: {error}") from error

    @property
    def policy(self) -> Policy:
        """The thresholds, as a monitor takes them; the windows are the tables' own."""
        return Policy(
            psi_thresholds=(self.psi_threshold_warning, self.psi_threshold_critical),
            columns={name: ColumnPolicy(psi_thresholds=pair) for name, pair in self.feature_psi_thresholds.items()},
            budget=Budget(self.false_alarm_rows, tolerance=self.tolerance),
        )
