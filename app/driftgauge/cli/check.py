"""`driftgauge check …`: its command line."""

from __future__ import annotations

import os
import sys
import time as clock
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from driftgauge.check.check import Check, CheckOptions
from driftgauge.check.scoring import Scorer
from driftgauge.cli.check_report import as_bytes, show
from driftgauge.cli.column_options import chosen
from driftgauge.cli.console import console
from driftgauge.cli.reference_options import TrustedTypes, told_by_option
from driftgauge.common.comma_lists import comma_list
from driftgauge.drift.evidence.detector import Budget
from driftgauge.drift.verdict.policy import Policy
from driftgauge.drift.windows.time_spans import TimeSpan
from driftgauge.errors import CheckError
from driftgauge.models.bundle import BASELINE_FILE, BUNDLE_FILE, Bundle, load_bundle, read_baseline, read_info


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
    no_predict: Annotated[
        bool,
        typer.Option(
            "--no-predict",
            help="Leave the bundle's model out: predict no scores that tables lack, measure no performance.",
        ),
    ] = False,
    trusted_types: TrustedTypes = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as GET /drift/status answers it.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Print the columns of every period.")] = False,
) -> None:
    """Compare tables with a baseline and report drift.

    Exit code 0 means no drift, 1 drift, 2 bad input. Each table is one window, or with --time and --every each
    period is; of several, one after the other, it tells when a drift began. docs/check.md says more.
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
    scorer = None if no_predict else _scorer(baseline, comma_list(trusted_types or ""))
    comparison = Check(known, tables, options, scorer)
    errors = console(stderr=True)
    for line in _remarks(comparison):
        errors.print(line, soft_wrap=True)
    with _progress(errors, comparison.bytes) as read, _interruptible():
        found = list(comparison.windows(clock.time(), read))
    held_out = None if scorer is None else scorer.info.performance
    with _interruptible(), _writing(errors):
        if as_json:
            typer.echo(as_bytes(found, known, is_history=comparison.is_history, held_out=held_out))
        else:
            show(found, console(), is_history=comparison.is_history, show_all=show_all, held_out=held_out)
        sys.stdout.flush()
    raise typer.Exit(int(any(judged.drifted for judged in found)))


def _scorer(folder: Path, trusted_types: Sequence[str]) -> Scorer | None:
    """Return the model of a bundle's folder, not yet loaded; None for a baseline alone."""
    if not (folder / BUNDLE_FILE).is_file():
        return None

    def load() -> Bundle:
        with told_by_option():
            return load_bundle(folder, trusted_types)

    return Scorer(read_info(folder), load)


def _remarks(comparison: Check) -> Iterator[str]:
    """Yield what a person should know of what is compared."""
    if comparison.predicted:
        yield f"predicted by the bundle's model, because not in the table: {', '.join(comparison.predicted)}"
    if comparison.left_out:
        yield f"not compared, because not in the table: {', '.join(comparison.left_out)}"
    if comparison.not_predicted:
        yield f"the bundle's model is not asked: {comparison.not_predicted}"


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
def _progress(errors: Console, size: int) -> Iterator[Callable[[int], None]]:
    """Give what shows how many bytes have been read, where somebody watches."""
    columns = (TextColumn("reading"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("reading", total=size)
        yield lambda read: progress.update(task, completed=read)
