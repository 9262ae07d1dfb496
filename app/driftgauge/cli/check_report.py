"""The report of `driftgauge check` as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from driftgauge.checks.report import CheckReport, WindowVerdict
from driftgauge.checks.report_columns import verdict_in_words
from driftgauge.cli import check_changes, check_statistics
from driftgauge.cli.console import widest_that_fits
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.verdict.report import all_notes
from driftgauge.models.bundle import Performance

MOST_NAMED: Final = 5
"""Partitions that are named, of many."""
MORE: Final = "--stats prints the statistics of each column, --json everything."


def show(report: CheckReport, console: Console, *, show_all: bool = False, statistics: bool = False) -> None:
    """Print what moved, or the `statistics`; for a history a line per window, then its worst window."""
    is_history = report.is_history
    chosen: Sequence[WindowVerdict] = report.windows
    if is_history:
        console.print((check_statistics if statistics else check_changes).history(report.windows))
        chosen = report.windows if show_all else [report.worst]
    for verdict in chosen:
        if is_history:
            console.print()
        _print_facts(verdict, console, is_history=is_history, held_out=report.held_out)
        console.print()
        (_show_statistics if statistics else _show_changes)(verdict, console, is_history=is_history)
        _print_violations(verdict, console)
        for note in [*all_notes(verdict.report), *(() if verdict.quality is None else verdict.quality.notes)]:
            console.print(f"note: {note}")
    if not statistics:
        console.print(f"\n{MORE}")


def _print_facts(verdict: WindowVerdict, console: Console, *, is_history: bool, held_out: Performance | None) -> None:
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in _facts(verdict, is_history=is_history, held_out=held_out):
        facts.add_row(name, text)
    console.print(facts)


def _show_changes(verdict: WindowVerdict, console: Console, *, is_history: bool) -> None:
    """Print the columns that changed, worst first, and a summary of the others."""
    table = check_changes.changes(verdict, is_history=is_history)
    if table.row_count:
        console.print(table)
        console.print()
    for line in check_changes.others(verdict.report):
        console.print(line)


def _print_violations(verdict: WindowVerdict, console: Console) -> None:
    """Print the constraints that are violated, worst first."""
    violated = [] if verdict.quality is None else verdict.quality.worst_first
    if violated:
        console.print()
        console.print(check_changes.violations(violated))


def _show_statistics(verdict: WindowVerdict, console: Console, *, is_history: bool) -> None:
    """Print a line of numbers per column, and the largest change of a correlation."""
    layouts = [
        check_statistics.statistics(verdict, columns, is_history=is_history) for columns in check_statistics.LAYOUTS
    ]
    table = widest_that_fits(layouts, console)
    console.print(table)
    console.print()
    console.print(check_statistics.legend(verdict.report))
    if table is not layouts[0]:
        console.print(check_statistics.NARROW)
    if verdict.report.correlation is not None:
        console.print(check_statistics.correlation(verdict.report), soft_wrap=True)


def _facts(verdict: WindowVerdict, *, is_history: bool, held_out: Performance | None) -> Iterator[tuple[str, str]]:
    report = verdict.report
    if is_history:
        yield "window", verdict.window
    if verdict.partitions:
        yield "partitions" if len(verdict.partitions) > 1 else "partition", named_partitions(verdict.partitions)
    else:
        yield "tables" if len(verdict.tables) > 1 else "table", ", ".join(str(path) for path in verdict.tables)
    if report.main.start is not None and report.main.end is not None:
        yield "times", f"{rfc3339(report.main.start)} to {rfc3339(report.main.end)}"
    yield "rows", f"{verdict.rows:,}{_sampled(verdict)}"
    if verdict.unanswered_rows:
        yield "no score", f"{verdict.unanswered_rows:,} rows that the model cannot answer"
    if verdict.performance is not None:
        yield "performance", f"{_measured(verdict.performance)} rows with a known target"
        if held_out is not None:
            yield "when made", f"{_measured(held_out)} {'training' if held_out.in_sample else 'held-out'} rows"
    if verdict.multivariate is not None:
        yield "whole rows", verdict.multivariate.reason
    if verdict.quality is not None:
        yield "constraints", verdict.quality.summary
    yield "verdict", verdict_in_words(report)
    yield "reason", report.reason


def named_partitions(partitions: Sequence[str]) -> str:
    """Return the first partitions by name, and how many more there are."""
    more = f" and {len(partitions) - MOST_NAMED:,} more" if len(partitions) > MOST_NAMED else ""
    return f"{', '.join(partitions[:MOST_NAMED])}{more}"


def _measured(performance: Performance) -> str:
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in performance.metrics.items())
    return f"{metrics} on {performance.rows:,}"


def _sampled(verdict: WindowVerdict) -> str:
    if verdict.held_rows == verdict.rows or verdict.partitions:
        return ""
    return f"; KS, W, shift and correlation are of a random sample of {verdict.held_rows:,}, the rest of all rows"
