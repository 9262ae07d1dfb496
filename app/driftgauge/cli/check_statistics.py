"""The numbers of `driftgauge check --stats`: every statistic of a window, and the worst ones of a history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.table import Table

from driftgauge.checks.report import WindowVerdict
from driftgauge.checks.report_columns import DETAILS, NOTHING, SCORES, SHARES, Shown, began
from driftgauge.cli.check_changes import LONGEST_NAME, STYLES, named
from driftgauge.drift.verdict.numbers import short
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import Status

NAMED: Final = 4
"""Drifted columns that a line of a history names."""
NARROW: Final = "A wider terminal shows more statistics, --json all of them."


def legend(report: DriftReport) -> str:
    """Return the meaning of the columns of statistics."""
    return (
        f"evidence: log10; significant at {report.evidence.threshold_log10:.1f} and above. "
        "PSI: noise-corrected; large at its limit and above.\n"
        "W (Wasserstein), shift (of the mean): in standard deviations of the reference.\n"
        "unseen: values that the reference does not have, or outside its range."
    )


@dataclass(frozen=True)
class _Column:
    """A column of the table: its heading, and its text for one column of the data."""

    heading: str
    text: Callable[[DriftReport, int], str]
    is_number: bool = True


def _numbers(shown: Sequence[Shown]) -> tuple[_Column, ...]:
    return tuple(_Column(one.heading, one.text) for one in shown)


STATUS: Final = (
    _Column("status", lambda report, i: str(report.verdicts[i].status), is_number=False),
    _Column("severity", lambda report, i: report.verdicts[i].severity or NOTHING, is_number=False),
)
LAYOUTS: Final = (
    (*STATUS, *_numbers((*SCORES, *DETAILS, *SHARES))),
    (*STATUS, *_numbers((*SCORES, *SHARES))),
    (*STATUS, *_numbers(SCORES)),
    STATUS,
)
"""Columns of the table, from a wide terminal to a narrow one: the first layout that fits is printed."""


def statistics(verdict: WindowVerdict, columns: Sequence[_Column], *, is_history: bool) -> Table:
    """Return the table of a window's columns, worst first."""
    report = verdict.report
    table = _table("column", columns)
    if is_history:
        table.add_column("since", no_wrap=True)
    for i in report.worst_first:
        name = report.verdicts[i].name
        cells = [column.text(report, i) for column in columns]
        since = [began(verdict.since, report.verdicts[i])] if is_history else []
        table.add_row(name, *cells, *since, style=STYLES.get(report.verdicts[i].severity or ""))
    return table


def _table(first: str, columns: Sequence[_Column]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold", max_width=LONGEST_NAME)
    for column in columns:
        # Numbers and statuses are never cut.
        table.add_column(column.heading, justify="right" if column.is_number else "left", no_wrap=True)
    return table


def history(found: Sequence[WindowVerdict]) -> Table:
    """Return the table of a history: a line per window, with its worst column."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    for name, justify in (("window", "left"), ("rows", "right"), ("status", "left"), ("severity", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("worst column", overflow="fold")
    for column in SCORES:
        table.add_column(column.heading, justify="right", no_wrap=True)
    table.add_column("drifted", overflow="fold")
    for verdict in found:
        report, worst = verdict.report, verdict.report.worst_first[0]
        cells = [column.text(report, worst) for column in STATUS]
        scores = [column.text(report, worst) for column in SCORES]
        name = report.verdicts[worst].name
        row = (verdict.window, f"{verdict.rows:,}", *cells, name, *scores, _drifted(report))
        table.add_row(*row, style=STYLES.get(report.severity or ""))
    return table


def _drifted(report: DriftReport) -> str:
    verdicts = [report.verdicts[i] for i in report.worst_first]
    return named([verdict.name for verdict in verdicts if verdict.status is Status.DRIFT_DETECTED], NAMED) or NOTHING


def correlation(report: DriftReport) -> str:
    """Return the largest change of a correlation in words; empty if there is none."""
    change = report.correlation
    if change is None:
        return ""
    first, second = (report.baseline.names[i] for i in change.pair)
    return (
        f"correlation, largest change of {change.pairs:,} pairs: {first} and {second} {change.reference:.2f} → "
        f"{change.current:.2f} (p-value {short(change.p_value)} if rows are independent)"
    )
