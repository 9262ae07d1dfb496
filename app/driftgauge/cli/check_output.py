"""Where the report of `driftgauge check` goes: the terminal, JSON, files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from driftgauge.checks.report import CheckReport
from driftgauge.checks.report_json import as_bytes
from driftgauge.cli.check_page import check_page
from driftgauge.cli.check_report import show
from driftgauge.cli.console import console
from driftgauge.common.option import Option

OUTPUT: Final = "Output"


@dataclass(frozen=True)
class CheckOutput:
    """What is written about a check."""

    as_json: Annotated[
        bool, Option("Print the report as GET /drift/status answers it.", group=OUTPUT, flag="--json")
    ] = False
    statistics: Annotated[bool, Option("Print the statistics of every column.", group=OUTPUT, flag="--stats")] = False
    html: Annotated[Path | None, Option("Write the report as one HTML file too.", "FILE", OUTPUT)] = None
    show_all: Annotated[bool, Option("Print the columns of every period.", group=OUTPUT, flag="--all")] = False


def write_report(report: CheckReport, output: CheckOutput, errors: Console) -> None:
    """Write a report as the options say; exit with 3 if that fails."""
    with interruptible(), writing(errors):
        if output.as_json:
            typer.echo(as_bytes(report))
        else:
            show(report, console(), show_all=output.show_all, statistics=output.statistics)
        sys.stdout.flush()
    if output.html is not None:
        write_report_file(output.html, check_page(report), errors)


@contextmanager
def interruptible() -> Iterator[None]:
    """Exit with the shell's own code when interrupted: 1 would mean drift."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@contextmanager
def writing(errors: Console) -> Iterator[None]:
    """Exit with 3 if the report cannot be written: a full disk, or a closed pipe."""
    try:
        yield
    except OSError as error:
        errors.print(f"driftgauge: cannot write the report: {error.strerror}", soft_wrap=True)
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  or Python would try again at its end
        raise typer.Exit(3) from None


def write_report_file(path: Path, text: str, errors: Console) -> None:
    """Write a report to a file; exit with 3 if that fails."""
    try:
        path.write_text(text, "utf-8", "replace")
    except OSError as error:
        errors.print(f"driftgauge: cannot write {path}: {error.strerror}", soft_wrap=True)
        raise typer.Exit(3) from None
