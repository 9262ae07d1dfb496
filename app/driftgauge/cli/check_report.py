"""The report of `driftgauge check`, as JSON and as tables for a terminal."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from driftgauge.check.check import WindowVerdict
from driftgauge.cli.console import widest_that_fits
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.column_statistics import BY_NAME
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import Severity, Status
from driftgauge.drift.verdict.wording import notes, short
from driftgauge.edges.formats.drift_status import report_json
from driftgauge.models.bundle import Performance

NAMED: Final = 4
"""Drifted columns that a line of a history names."""
NOTHING: Final = "-"
LONGEST_NAME: Final = 24
"""Characters of a column's name before it is folded."""
NARROW: Final = "A wider terminal shows more statistics, --json all of them."


# ---------------------------------------------------------------- JSON


def as_bytes(
    found: Sequence[WindowVerdict], baseline: Baseline, *, is_history: bool, held_out: Performance | None = None
) -> bytes:
    """Return JSON: the report of a single window, or `{"periods": [...]}`; NaN is null.

    `baseline` is the whole one, so that its hash is the one that a server reports; `held_out` is the
    performance measured when the bundle was created.
    """
    periods = [verdict_json(verdict, baseline, held_out) for verdict in found]
    return orjson.dumps({"periods": periods} if is_history else periods[0], option=orjson.OPT_NON_STR_KEYS)


def verdict_json(verdict: WindowVerdict, baseline: Baseline, held_out: Performance | None = None) -> dict[str, Any]:
    """Return a report as `GET /drift/status` has it, preceded by the window's own keys."""
    report = report_json(verdict.report)
    return {
        "window": verdict.window,
        "tables": [os.fsencode(path).decode("utf-8", "replace") for path in verdict.tables],
        "drifting_since": dict(verdict.since),
        "unanswered_rows": verdict.unanswered_rows,
        "performance": _performance_json(verdict.performance, held_out),
        **report,
        "baseline": {**report["baseline"], "hash": baseline.hash},
    }


def _performance_json(found: Performance | None, held_out: Performance | None) -> dict[str, Any] | None:
    if found is None:
        return None
    before = None if held_out is None else held_out.model_dump()
    return {"rows": found.rows, "metrics": found.metrics, "when_made": before}


# ---------------------------------------------------------------- terminal


def show(
    found: Sequence[WindowVerdict],
    console: Console,
    *,
    is_history: bool,
    show_all: bool = False,
    held_out: Performance | None = None,
) -> None:
    """Print a table, or a history with the columns of its worst window."""
    if not is_history:
        show_window(found[0], console, is_history=False, held_out=held_out)
        return
    console.print(_history(found))
    worst = max(found, key=_badness)
    for verdict in found if show_all else [worst if worst.drifted else found[-1]]:
        console.print()
        show_window(verdict, console, is_history=True, held_out=held_out)


def show_window(
    verdict: WindowVerdict, console: Console, *, is_history: bool, held_out: Performance | None = None
) -> None:
    """Print one window: its verdict, a line per column, and the largest change of a correlation."""
    facts = Table(box=None, show_header=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in _facts(verdict, is_history=is_history, held_out=held_out):
        facts.add_row(name, text)
    console.print(facts)
    console.print()
    layouts = [_statistics(verdict, columns, is_history=is_history) for columns in LAYOUTS]
    table = widest_that_fits(layouts, console)
    console.print(table)
    console.print()
    console.print(_legend(verdict.report))
    if table is not layouts[0]:
        console.print(NARROW)
    if verdict.report.correlation is not None:
        console.print(_correlation(verdict.report), soft_wrap=True)


def _facts(verdict: WindowVerdict, *, is_history: bool, held_out: Performance | None) -> Iterator[tuple[str, str]]:
    report = verdict.report
    if is_history:
        yield "window", verdict.window
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
    yield "verdict", _status(report.status, report.severity)
    yield "reason", report.reason
    for note in notes(report.baseline):
        yield "note", note


def _measured(performance: Performance) -> str:
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in performance.metrics.items())
    return f"{metrics} on {performance.rows:,}"


def _sampled(verdict: WindowVerdict) -> str:
    if verdict.held_rows == verdict.rows:
        return ""
    return f"; KS, W, shift and correlation are of a random sample of {verdict.held_rows:,}, the rest of all rows"


def _legend(report: DriftReport) -> str:
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


def _number(value: float, form: str) -> str:
    return NOTHING if math.isnan(value) else format(float(value), form)


def _statistic(heading: str, name: str, form: str) -> _Column:
    """Return the column of a statistic of the window, as metrics and JSON have it."""
    statistic = BY_NAME[name]
    return _Column(heading, lambda report, i: _number(statistic.values(report.main)[i], form))


def _unseen(report: DriftReport, i: int) -> str:
    shares = (report.main.shares.unseen[i], report.main.shares.out_of_range[i])
    known = [float(share) for share in shares if not math.isnan(share)]
    return _number(sum(known), ".1%") if known else NOTHING


STATUS: Final = (
    _Column("status", lambda report, i: str(report.verdicts[i].status), is_number=False),
    _Column("severity", lambda report, i: report.verdicts[i].severity or NOTHING, is_number=False),
)
SCORES: Final = (
    _Column("evidence", lambda report, i: _number(report.evidence.log10[i], ".1f")),
    _statistic("PSI", "psi_debiased", ".3f"),
    _Column("limit", lambda report, i: _number(report.main.thresholds["warning"][i], ".3f")),
)
DETAILS: Final = (
    _statistic("p-value", "p_value", ".2g"),
    _statistic("KS", "ks_statistic", ".3f"),
    _statistic("W", "wasserstein_ratio", ".3f"),
    _statistic("JS", "js_distance", ".3f"),
    _statistic("shift", "mean_shift", "+.2f"),
)
SHARES: Final = (
    _statistic("missing", "missing_ratio", ".1%"),
    _Column("unseen", _unseen),
)
LAYOUTS: Final = (
    (*STATUS, *SCORES, *DETAILS, *SHARES),
    (*STATUS, *SCORES, *SHARES),
    (*STATUS, *SCORES),
    STATUS,
)
"""Columns of the table, from a wide terminal to a narrow one: the first layout that fits is printed."""
_STYLES: Final = {"critical": "red", "warning": "yellow"}


def _statistics(verdict: WindowVerdict, columns: Sequence[_Column], *, is_history: bool) -> Table:
    """Return the table of a window's columns, worst first."""
    report = verdict.report
    table = _table("column", columns)
    if is_history:
        table.add_column("since", no_wrap=True)
    for i in report.worst_first:
        name = report.verdicts[i].name
        cells = [column.text(report, i) for column in columns]
        since = [verdict.since.get(name, NOTHING)] if is_history else []
        table.add_row(name, *cells, *since, style=_STYLES.get(report.verdicts[i].severity or ""))
    return table


def _table(first: str, columns: Sequence[_Column]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold", max_width=LONGEST_NAME)
    for column in columns:
        # Numbers and statuses are never cut.
        table.add_column(column.heading, justify="right" if column.is_number else "left", no_wrap=True)
    return table


def _history(found: Sequence[WindowVerdict]) -> Table:
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
        table.add_row(*row, style=_STYLES.get(report.severity or ""))
    return table


def _drifted(report: DriftReport) -> str:
    verdicts = [report.verdicts[i] for i in report.worst_first]
    names = [verdict.name for verdict in verdicts if verdict.status is Status.DRIFT_DETECTED]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more or NOTHING


def _status(status: Status, severity: Severity | None) -> str:
    return f"{status} ({severity})" if severity else str(status)


def _badness(verdict: WindowVerdict) -> tuple[int, float]:
    report = verdict.report
    effects = np.nan_to_num(report.main.effect("warning"))
    return report.rank, float(effects[report.worst_first[0]])


def _correlation(report: DriftReport) -> str:
    change = report.correlation
    if change is None:
        return ""
    first, second = (report.baseline.names[i] for i in change.pair)
    return (
        f"correlation, largest change of {change.pairs:,} pairs: {first} and {second} {change.reference:.2f} → "
        f"{change.current:.2f} (p-value {short(change.p_value)} if rows are independent)"
    )
