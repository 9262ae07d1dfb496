"""`driftgauge check …`: its command line, and what a person or a machine is shown."""

from __future__ import annotations

import math
import os
import sys
import time as clock
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.bundles import BASELINE_FILE, read_baseline
from app.check import Check, CheckError, CheckOptions, Judged, moment
from app.column_options import chosen
from app.drift.baseline import Baseline
from app.drift.buckets import TimeSpan
from app.drift.evidence import Budget
from app.drift.policy import Policy
from app.drift.reasons import notes, short
from app.drift.report import ColumnVerdict, DriftReport
from app.drift.verdict import Severity, Status
from app.edges.formats.drift_status import report_json

WIDTH: Final = 100
"""Characters in a line, at least, where the output is no terminal."""
NAMED: Final = 4
"""Drifted columns that a line of a history names."""
NOTHING: Final = "-"
LEGEND: Final = """\
evidence: its logarithm, real from its threshold on. PSI is less its noise; limit: big from it on.
W: Wasserstein, and shift of the mean: both in the reference's sd. unseen: values that the reference
does not have, or outside its range."""


def check(
    tables: Annotated[
        list[Path],
        typer.Argument(help="Tables of any size: csv, parquet, JSON lines, or folders.", metavar="TABLE"),
    ],
    baseline: Annotated[Path, typer.Option(help="A baseline.json, or the folder of a bundle.")],
    time: Annotated[str | None, typer.Option(help="Column of times.")] = None,
    every: Annotated[
        str | None,
        typer.Option(help="Judge one period after the other, e.g. 1h or 1d; the rows are in order of --time."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            help="A column of the baseline to leave out; once for each, or several with commas.", metavar="COL"
        ),
    ] = None,
    psi_threshold_warning: Annotated[
        float, typer.Option(help="PSI, less its noise, from which drift that is real is big: a warning.")
    ] = 0.1,
    psi_threshold_critical: Annotated[
        float, typer.Option(help="PSI, less its noise, from which drift that is real is critical.")
    ] = 0.2,
    false_alarm_rows: Annotated[
        float,
        typer.Option(help="Rows until evidence is wrong in any column, on average at least.", min=1_000, max=1e15),
    ] = 1e6,
    tolerance: Annotated[
        float, typer.Option(help="Drift that is none to evidence, in standard deviations.", min=0, max=1)
    ] = 0.02,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as GET /drift/status answers it.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Print the columns of every period.")] = False,
) -> None:
    """Say whether tables still look like the baseline: exit code 0 if they do, 1 on drift, 2 on bad input.

    Each table is one window, or with --time and --every each period is; of several, one after the other, it tells
    when a drift began. docs/check.md says more.
    """
    known = read_baseline(baseline / BASELINE_FILE if baseline.is_dir() else baseline)
    options = CheckOptions(
        time=time,
        every=_every(every),
        ignore=chosen(ignore or (), known.names, "--ignore"),
        policy=Policy(
            psi_thresholds=_thresholds(psi_threshold_warning, psi_threshold_critical),
            budget=Budget(false_alarm_rows, tolerance=tolerance),
        ),
    )
    comparison = Check(known, tables, options)
    errors = Console(stderr=True, markup=False, emoji=False)
    if comparison.left_out:
        errors.print(f"not compared, because not in the table: {', '.join(comparison.left_out)}", soft_wrap=True)
    with _progress(errors, comparison.bytes) as read, _interruptible():
        found = list(comparison.windows(clock.time(), read))
    with _interruptible(), _writing(errors):
        if as_json:
            typer.echo(as_bytes(found, known, is_history=comparison.is_history))
        else:
            show(found, _wide_console(), is_history=comparison.is_history, show_all=show_all)
        sys.stdout.flush()
    raise typer.Exit(int(any(judged.drifted for judged in found)))


@contextmanager
def _interruptible() -> Iterator[None]:
    """End with the shell's own exit code when interrupted: 1 would say drift."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@contextmanager
def _writing(errors: Console) -> Iterator[None]:
    """End with 3 when the report cannot be written, to a full disk or a pipe that was closed."""
    try:
        yield
    except OSError as error:
        errors.print(f"driftgauge: cannot write the report: {error.strerror}", soft_wrap=True)
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # or Python would try again at its end
        raise typer.Exit(3) from None


def _every(text: str | None) -> TimeSpan | None:
    try:
        return None if text is None else TimeSpan.named(text)
    except ValueError as error:
        raise CheckError(f"--every: {error}") from error


def _thresholds(warning: float, critical: float) -> tuple[float, float]:
    if not 0.0 < warning <= critical:
        raise CheckError("--psi-threshold-warning must be above 0, and --psi-threshold-critical not below it")
    return warning, critical


@contextmanager
def _progress(console: Console, size: int) -> Iterator[Callable[[int], None]]:
    """Give what shows how many bytes have been read, where somebody watches."""
    columns = (TextColumn("reading"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=size)
        yield lambda read: progress.update(task, completed=read)


def _wide_console() -> Console:
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    return console


# ---------------------------------------------------------------- what a machine sees


def as_bytes(found: Sequence[Judged], baseline: Baseline, *, is_history: bool) -> bytes:
    """Return JSON: the report of a single window, or `{"periods": [...]}`; NaN is null.

    `baseline` is the whole one, whose hash a server that uses it reports too.
    """
    periods = [judged_json(judged, baseline) for judged in found]
    return orjson.dumps({"periods": periods} if is_history else periods[0], option=orjson.OPT_NON_STR_KEYS)


def judged_json(judged: Judged, baseline: Baseline) -> dict[str, Any]:
    """Return a report as `GET /drift/status` answers it, with the window, its files and when drift began in front."""
    report = report_json(judged.report)
    return {
        "window": judged.window,
        "tables": [os.fsencode(path).decode("utf-8", "replace") for path in judged.tables],
        "drifting_since": dict(judged.since),
        **report,
        "baseline": {**report["baseline"], "hash": baseline.hash},
    }


# ---------------------------------------------------------------- what a person sees


def show(found: Sequence[Judged], console: Console, *, is_history: bool, show_all: bool = False) -> None:
    """Print the verdict: of a history a line for each window, then the columns of the worst, or of all."""
    if not is_history:
        show_window(found[0], console, is_history=False)
        return
    console.print(_history(found))
    worst = max(found, key=_badness)
    for judged in found if show_all else [worst if worst.drifted else found[-1]]:
        console.print()
        show_window(judged, console, is_history=True)


def show_window(judged: Judged, console: Console, *, is_history: bool) -> None:
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
