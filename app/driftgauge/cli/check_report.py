"""What `driftgauge check` found, for a machine and for a person."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from driftgauge.check.check import Judged, moment
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.report import ColumnVerdict, DriftReport
from driftgauge.drift.verdict.rule import Severity, Status
from driftgauge.drift.verdict.wording import notes, short
from driftgauge.edges.formats.drift_status import report_json
from driftgauge.models.bundle import Performance

NAMED: Final = 4
"""Drifted columns that a line of a history names."""
NOTHING: Final = "-"
LEGEND: Final = """\
evidence: its logarithm, real from its threshold on. PSI is less its noise; limit: big from it on.
W: Wasserstein, and shift of the mean: both in the reference's sd. unseen: values that the reference
does not have, or outside its range."""


# ---------------------------------------------------------------- what a machine sees


def as_bytes(
    found: Sequence[Judged], baseline: Baseline, *, is_history: bool, held_out: Performance | None = None
) -> bytes:
    """Return JSON: the report of a single window, or `{"periods": [...]}`; NaN is null.

    `baseline` is the whole one, whose hash a server that uses it reports too; `held_out` is how good
    the model was when the bundle was made.
    """
    periods = [judged_json(judged, baseline, held_out) for judged in found]
    return orjson.dumps({"periods": periods} if is_history else periods[0], option=orjson.OPT_NON_STR_KEYS)


def judged_json(judged: Judged, baseline: Baseline, held_out: Performance | None = None) -> dict[str, Any]:
    """Return a report as `GET /drift/status` answers it, with the window, its files and when drift began in front."""
    report = report_json(judged.report)
    return {
        "window": judged.window,
        "tables": [os.fsencode(path).decode("utf-8", "replace") for path in judged.tables],
        "drifting_since": dict(judged.since),
        "unanswered_rows": judged.unanswered_rows,
        "performance": _performance_json(judged.performance, held_out),
        **report,
        "baseline": {**report["baseline"], "hash": baseline.hash},
    }


def _performance_json(found: Performance | None, held_out: Performance | None) -> dict[str, Any] | None:
    if found is None:
        return None
    before = None if held_out is None else held_out.model_dump()
    return {"rows": found.rows, "metrics": found.metrics, "when_made": before}


# ---------------------------------------------------------------- what a person sees


def show(
    found: Sequence[Judged],
    console: Console,
    *,
    is_history: bool,
    show_all: bool = False,
    held_out: Performance | None = None,
) -> None:
    """Print the verdict: of a history a line for each window, then the columns of the worst, or of all."""
    if not is_history:
        show_window(found[0], console, is_history=False, held_out=held_out)
        return
    console.print(_history(found))
    worst = max(found, key=_badness)
    for judged in found if show_all else [worst if worst.drifted else found[-1]]:
        console.print()
        show_window(judged, console, is_history=True, held_out=held_out)


def show_window(judged: Judged, console: Console, *, is_history: bool, held_out: Performance | None = None) -> None:
    """Print one window: its verdict, a line for each column, and how two of them go together."""
    report = judged.report
    facts = Table(box=None, show_header=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    if is_history:
        facts.add_row("window", judged.window)
    facts.add_row("tables" if len(judged.tables) > 1 else "table", ", ".join(str(path) for path in judged.tables))
    if report.main.start is not None and report.main.end is not None:
        facts.add_row("times", f"{moment(report.main.start)} to {moment(report.main.end)}")
    facts.add_row("rows", f"{judged.rows:,}{_sampled(judged)}")
    if judged.unanswered_rows:
        facts.add_row("no score", f"{judged.unanswered_rows:,} rows that the model cannot answer")
    if judged.performance is not None:
        facts.add_row("performance", f"{_measured(judged.performance)} rows with a known target")
        if held_out is not None:
            where = "of its own training rows" if held_out.in_sample else "held-out rows"
            facts.add_row("when made", f"{_measured(held_out)} {where}")
    facts.add_row("verdict", _status(report.status, report.severity))
    facts.add_row("reason", report.reason)
    for note in notes(report.baseline):
        facts.add_row("note", note)
    console.print(facts)
    console.print()
    console.print(_columns(judged, is_history=is_history))
    console.print()
    console.print(LEGEND)
    if report.correlation is not None:
        console.print(_correlation(report), soft_wrap=True)


def _measured(performance: Performance) -> str:
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in performance.metrics.items())
    return f"{metrics} on {performance.rows:,}"


def _sampled(judged: Judged) -> str:
    if judged.held_rows == judged.rows:
        return ""
    drawn = f"{judged.held_rows:,} drawn at random"
    return f"; KS, W, shift and correlation come from {drawn}, all the rest from every row"


def _columns(judged: Judged, *, is_history: bool) -> Table:
    report, main = judged.report, judged.report.main
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("column", overflow="fold", max_width=24)
    table.add_column("status", no_wrap=True)
    for name in ("evidence", "PSI", "limit", "p-value", "KS", "W", "JS", "shift", "missing", "unseen"):
        table.add_column(name, justify="right", no_wrap=True)
    if is_history:
        table.add_column("since", no_wrap=True)
    for place in report.worst_first:
        verdict = report.verdicts[place]
        shares = (main.shares.unseen[place], main.shares.out_of_range[place])
        known = [float(share) for share in shares if not math.isnan(share)]
        table.add_row(
            verdict.name,
            _word(verdict),
            _number(report.evidence.log10[place], ".1f"),
            _number(main.psi.debiased[place], ".3f"),
            _number(main.thresholds["warning"][place], ".3f"),
            _number(main.significance.p_value[place], ".2g"),
            _number(main.sample.ks_statistic[place], ".3f"),
            _number(main.sample.wasserstein_ratio[place], ".3f"),
            _number(main.js_distance[place], ".3f"),
            _number(main.sample.mean_shift[place], "+.2f"),
            _number(main.shares.missing[place], ".1%"),
            _number(sum(known), ".1%") if known else NOTHING,
            *([judged.since.get(verdict.name, NOTHING)] if is_history else []),
            style=_STYLES.get(verdict.severity or ""),
        )
    return table


def _history(found: Sequence[Judged]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("window", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("worst column", overflow="fold")
    for name in ("evidence", "PSI", "limit"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("drifted", overflow="fold")
    for judged in found:
        report, main = judged.report, judged.report.main
        worst = report.worst_first[0]
        verdicts = [report.verdicts[place] for place in report.worst_first]
        drifted = [verdict.name for verdict in verdicts if verdict.status is Status.DRIFT_DETECTED]
        more = f" and {len(drifted) - NAMED} more" if len(drifted) > NAMED else ""
        table.add_row(
            judged.window,
            f"{judged.rows:,}",
            _word(report.verdicts[worst]),
            report.verdicts[worst].name,
            _number(report.evidence.log10[worst], ".1f"),
            _number(main.psi.debiased[worst], ".3f"),
            _number(main.thresholds["warning"][worst], ".3f"),
            ", ".join(drifted[:NAMED]) + more or NOTHING,
            style=_STYLES.get(report.severity or ""),
        )
    return table


_STYLES: Final = {"critical": "red", "warning": "yellow"}


def _status(status: Status, severity: Severity | None) -> str:
    return f"{status} ({severity})" if severity else str(status)


def _word(verdict: ColumnVerdict) -> str:
    if verdict.status is Status.INSUFFICIENT_DATA:
        return "not judged"
    if verdict.status is Status.DRIFT_DETECTED:
        return "critical" if verdict.severity == "critical" else "drift"
    return str(verdict.status)


def _badness(judged: Judged) -> tuple[int, float]:
    report = judged.report
    effects = np.nan_to_num(report.main.effect("warning"))
    return report.rank, float(effects[report.worst_first[0]])


def _number(value: float, form: str) -> str:
    return NOTHING if math.isnan(value) else format(float(value), form)


def _correlation(report: DriftReport) -> str:
    change = report.correlation
    if change is None:
        return ""
    first, second = (report.baseline.names[place] for place in change.pair)
    return (
        f"correlation, largest change of {change.pairs:,} pairs: {first} and {second} {change.reference:.2f} → "
        f"{change.current:.2f} (p-value {short(change.p_value)} if rows are independent)"
    )
