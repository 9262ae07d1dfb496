"""`driftgauge check …`: its command line."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from driftgauge.checks.check import Check, WindowVerdict
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.scoring import Scorer
from driftgauge.cli.check_report import as_bytes, show
from driftgauge.cli.column_options import chosen
from driftgauge.cli.console import console
from driftgauge.cli.derived_options import derived_options
from driftgauge.cli.reference_options import MODEL, TrustedTypes, trust_by_option
from driftgauge.common.comma_lists import comma_list
from driftgauge.models.bundle import BASELINE_FILE, BUNDLE_FILE, Bundle, load_bundle, read_baseline, read_info

OUTPUT = "Output"


@derived_options
def check(
    tables: Annotated[
        list[Path],
        typer.Argument(help="Tables of any size: csv, parquet, JSON lines, or folders.", metavar="TABLE"),
    ],
    baseline: Annotated[
        Path, typer.Option(help="A baseline.json, or the folder of a bundle.", metavar="PATH", show_default=False)
    ],
    options: CheckOptions,
    no_predict: Annotated[
        bool,
        typer.Option(
            "--no-predict",
            help="Do not use the bundle's model: predict no missing scores, measure no performance.",
            rich_help_panel=MODEL,
        ),
    ] = False,
    trusted_types: TrustedTypes = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the report as GET /drift/status answers it.", rich_help_panel=OUTPUT),
    ] = False,
    statistics: Annotated[
        bool, typer.Option("--stats", help="Print the statistics of every column.", rich_help_panel=OUTPUT)
    ] = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="Print the columns of every period.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Compare tables with a baseline and report drift.

    Exit code 0 means no drift, 1 drift, 2 bad input. Each table is one window, or each period with --time and
    --every; several windows form a history that shows when a drift began. docs/check.md has examples.
    """
    reference = read_baseline(baseline / BASELINE_FILE if baseline.is_dir() else baseline)
    options = replace(options, ignore=tuple(chosen(options.ignore, reference.names, "--ignore")))
    scorer = None if no_predict else _scorer(baseline, trusted_types or "")
    comparison = Check(reference, tables, options, scorer)
    errors = console(stderr=True)
    for line in _remarks(comparison):
        errors.print(line, soft_wrap=True)
    verdicts = _judge(comparison, errors)
    held_out = None if scorer is None else scorer.info.performance
    with _interruptible(), _writing(errors):
        if as_json:
            typer.echo(as_bytes(verdicts, reference, is_history=comparison.is_history, held_out=held_out))
        else:
            history = comparison.is_history
            show(verdicts, console(), is_history=history, show_all=show_all, statistics=statistics, held_out=held_out)
        sys.stdout.flush()
    raise typer.Exit(int(any(verdict.drifted for verdict in verdicts)))


def _judge(comparison: Check, errors: Console) -> list[WindowVerdict]:
    with _progress(errors, comparison.bytes) as progress, _interruptible():
        return list(comparison.windows(time.time(), progress))


def _scorer(folder: Path, trusted_types: str) -> Scorer | None:
    """Return the model of a bundle's folder, not yet loaded; None for a baseline alone."""
    if not (folder / BUNDLE_FILE).is_file():
        return None

    def load() -> Bundle:
        with trust_by_option():
            return load_bundle(folder, comma_list(trusted_types))

    return Scorer(read_info(folder), load)


def _remarks(comparison: Check) -> Iterator[str]:
    """Yield what the reader of the report should know about its columns."""
    if comparison.predicted:
        yield f"predicted by the bundle's model, because the table lacks it: {', '.join(comparison.predicted)}"
    if comparison.not_compared:
        yield f"not compared, because the table lacks it: {', '.join(comparison.not_compared)}"
    if comparison.model_problem:
        yield f"the bundle's model is not used: {comparison.model_problem}"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Exit with the shell's own code when interrupted: 1 would mean drift."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@contextmanager
def _writing(errors: Console) -> Iterator[None]:
    """Exit with 3 if the report cannot be written: a full disk, or a closed pipe."""
    try:
        yield
    except OSError as error:
        errors.print(f"driftgauge: cannot write the report: {error.strerror}", soft_wrap=True)
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # or Python would try again at its end
        raise typer.Exit(3) from None


@contextmanager
def _progress(errors: Console, size: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal; yields the function that updates it."""
    columns = (TextColumn("reading"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("reading", total=size)
        yield lambda read: progress.update(task, completed=read)
