"""What `driftgauge check` prints by default: the columns that changed, and in words what moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.table import Table

from driftgauge.checks.report import WindowVerdict
from driftgauge.checks.report_columns import NOTHING, began, moved
from driftgauge.drift.quality.report import ConstraintVerdict
from driftgauge.drift.verdict.column import ColumnVerdict
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import Status

NAMED: Final = 8
"""Columns that a line names."""
LONGEST_NAME: Final = 24
"""Characters of a column's name before it is folded."""
STYLES: Final = {"critical": "red", "warning": "yellow", "info": "cyan"}
"""Colours of severities."""


def changes(verdict: WindowVerdict, *, is_history: bool) -> Table:
    """Return the table of the columns with a significant change, worst first."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("column", overflow="fold", max_width=LONGEST_NAME)
    table.add_column("verdict", no_wrap=True)
    table.add_column("what moved", overflow="fold")
    if is_history:
        table.add_column("since", no_wrap=True)
    for column in _worst_first(verdict.report):
        if column.severity is not None:
            since = [began(verdict.since, column)] if is_history else []
            table.add_row(column.name, column.severity, moved(column), *since, style=STYLES[column.severity])
    return table


def violations(violated: Sequence[ConstraintVerdict]) -> Table:
    """Return the table of violated constraints, worst first."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("constraint", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("rows that violate it", overflow="fold")
    for own in violated:
        table.add_row(own.constraint, own.severity, own.reason, style=STYLES[own.severity or "info"])
    return table


def others(report: DriftReport) -> Iterator[str]:
    """Yield what is known of the columns without a significant change: only large ones have a line of their own."""
    rest = [column for column in _worst_first(report) if column.severity is None]
    quiet: list[str] = []
    few: list[str] = []
    for column in rest:
        if column.finding is None or (column.status is Status.NORMAL and column.finding.large):
            yield column.reason
        else:
            (quiet if column.status is Status.NORMAL else few).append(column.name)
    if quiet:
        yield f"no significant change in {_counted(quiet)}"
    if few:
        yield f"not enough data for {_counted(few)}"


def history(found: Sequence[WindowVerdict]) -> Table:
    """Return the table of a history: a line per window, with what moved most in it."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("window", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("what moved", overflow="fold")
    for verdict in found:
        report = verdict.report
        cells = (verdict.window, f"{verdict.rows:,}", report.severity or str(report.status), _most(report))
        table.add_row(*cells, style=STYLES.get(report.severity or ""))
    return table


def named(names: Sequence[str], most: int) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _worst_first(report: DriftReport) -> Iterator[ColumnVerdict]:
    return (report.verdicts[i] for i in report.worst_first)


def _counted(names: Sequence[str]) -> str:
    return f"{len(names):,} {'column' if len(names) == 1 else 'columns'}: {named(names, NAMED)}"


def _most(report: DriftReport) -> str:
    """Say what moved in the worst column, and which others have the same verdict."""
    changed = [column for column in _worst_first(report) if column.severity is not None]
    if not changed:
        return NOTHING
    same = [column.name for column in changed[1:] if column.severity == changed[0].severity]
    also = f"; also {named(same, NAMED)}" if same else ""
    return f"{changed[0].name}: {moved(changed[0])}{also}"
