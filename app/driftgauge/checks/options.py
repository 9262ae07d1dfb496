"""Options of a check, which are also the options of its command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final

from driftgauge.common.option import Option
from driftgauge.drift.evidence.budget import Budget
from driftgauge.drift.verdict.policy import STATISTICS, Policy
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.errors import CheckError

HELD_ROWS: Final = 200_000
HELD_CELLS: Final = 20_000_000
BYTES_AT_ONCE: Final = 2_097_152
FALSE_ALARM_ROWS: Final = (1_000.0, 1e15)
"""Smallest and largest budget for false alarms."""
ROWS, THRESHOLDS = "Rows and columns", "Thresholds"


def with_statistics(policy: Policy, given: Sequence[str]) -> Policy:
    """Return a policy with the statistics that values such as `ks` and `income=js` name. Raises CheckError."""
    columns = dict(policy.columns)
    for text in given:
        column, _, name = text.rpartition("=")
        statistic = next((own for own in STATISTICS if own == name), None)
        if statistic is None:
            raise CheckError(f"--statistic {text}: there is no statistic {name}; give {', '.join(STATISTICS)}")
        if column:
            columns[column] = replace(policy.column(column), statistic=statistic)
        else:
            policy = replace(policy, statistic=statistic)
    return replace(policy, columns=columns)


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
        float | None,
        Option(
            "Noise-corrected PSI at which a significant change is drift, with severity warning.",
            "PSI",
            THRESHOLDS,
            shown_default=f"{Policy.psi_thresholds[0]:g}",
        ),
    ] = None
    """The options that are None are those of `base`."""
    psi_threshold_critical: Annotated[
        float | None,
        Option(
            "Noise-corrected PSI at which the severity is critical.",
            "PSI",
            THRESHOLDS,
            shown_default=f"{Policy.psi_thresholds[1]:g}",
        ),
    ] = None
    statistic: Annotated[
        tuple[str, ...],
        Option(
            "The statistic that says how large a change is: psi, ks, wasserstein, js, kl or chi2; of one column as "
            "COLUMN=NAME. Repeatable.",
            "NAME",
            THRESHOLDS,
            commas=False,
        ),
    ] = ()
    drift_share: Annotated[
        float | None,
        Option("Share of the features that must have drifted for the table to have drifted.", "RATIO", THRESHOLDS),
    ] = None
    false_alarm_rows: Annotated[
        float | None,
        Option(
            "Rows per false alarm of the evidence, on average at least, over all columns.",
            "ROWS",
            THRESHOLDS,
            shown_default=f"{Budget.false_alarm_rows:.0f}",
        ),
    ] = None
    tolerance: Annotated[
        float | None,
        Option(
            "Shifts smaller than this are no evidence: in standard deviations, or relative to a bin's share.",
            "RATIO",
            THRESHOLDS,
            shown_default=f"{Budget.tolerance:g}",
        ),
    ] = None
    multivariate: Annotated[
        Path | None,
        Option(
            "Compare whole rows too, with this table of the reference: can a classifier tell them apart?", "TABLE", ROWS
        ),
    ] = None
    """No part of the verdict."""
    whole_rows: Annotated[
        bool,
        Option("The same, with the rows that the bundle or baseline keeps (--keep-rows when it is built).", group=ROWS),
    ] = False
    constraints: Annotated[
        Path | None, Option("A constraints.yaml to check, by default that of the baseline.", "FILE", ROWS)
    ] = None
    no_constraints: Annotated[bool, Option("Check no constraints.", group=ROWS)] = False
    redacted: tuple[str, ...] = ()
    """Columns of which no value is shown."""
    has_examples: bool = True
    """Whether values that violate a constraint are shown."""
    base: Policy = field(default_factory=Policy)
    """How a monitor judges the same columns; the windows are the tables' own."""
    held_rows: int = HELD_ROWS
    """Most rows of a window that are held in memory; of a larger window, a uniform sample."""
    held_cells: int = HELD_CELLS
    """Most cells that are held: tables of more than 100 columns hold fewer rows."""
    bytes_at_once: int = BYTES_AT_ONCE
    """How much of a file is processed at once."""

    def __post_init__(self) -> None:
        """Raise CheckError for values that contradict each other or are out of range."""
        if self.no_constraints and self.constraints is not None:
            raise CheckError("--constraints and --no-constraints: give one of them")
        _ = self.period
        policy = self.policy
        if not 0.0 < policy.psi_thresholds[0] <= policy.psi_thresholds[1]:
            raise CheckError("--psi-threshold-warning must be above 0, and at most --psi-threshold-critical")
        (least, most), rows = FALSE_ALARM_ROWS, policy.budget.false_alarm_rows
        if not least <= rows <= most:
            raise CheckError(f"--false-alarm-rows {rows:g}: give a number from {least:g} to {most:g}")
        if self.whole_rows and self.multivariate is not None:
            raise CheckError("--whole-rows compares with the rows that are kept: leave out --multivariate")
        if policy.drift_share is not None and not 0.0 < policy.drift_share <= 1.0:
            raise CheckError(f"--drift-share {policy.drift_share:g}: give a number above 0, and at most 1")
        if not 0.0 <= policy.budget.tolerance <= 1.0:
            raise CheckError(f"--tolerance {policy.budget.tolerance:g}: give a number from 0 to 1")

    def require_times(self) -> None:
        """Raise CheckError for periods of tables whose column of times is not named."""
        if self.every is not None and self.time is None:
            raise CheckError(f"--every {self.every} needs times: name the column that holds them (--time COLUMN)")

    @property
    def period(self) -> TimeSpan | None:
        """Length of a period; None if each table is one window."""
        try:
            return None if self.every is None else TimeSpan.named(self.every)
        except ValueError as error:
            raise CheckError(f"--every: {error}") from error

    @property
    def policy(self) -> Policy:
        """The policy of `base` with the thresholds that are given."""
        base = self.base
        given = (self.psi_threshold_warning, self.psi_threshold_critical)
        warning, critical = (
            usual if own is None else own for own, usual in zip(given, base.psi_thresholds, strict=True)
        )
        rows, tolerance = self.false_alarm_rows, self.tolerance
        budget = replace(
            base.budget,
            false_alarm_rows=base.budget.false_alarm_rows if rows is None else rows,
            false_alarm_interval_seconds=None,  # a table has no current rate of rows
            tolerance=base.budget.tolerance if tolerance is None else tolerance,
        )
        share = base.drift_share if self.drift_share is None else self.drift_share
        judged = with_statistics(base, self.statistic)
        return replace(judged, psi_thresholds=(warning, critical), budget=budget, drift_share=share)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The columns that are not compared: the ignored ones, and those that the monitor does not monitor."""
        return tuple(dict.fromkeys((*self.ignore, *self.base.ignored)))
