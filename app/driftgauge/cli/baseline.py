"""`driftgauge baseline …`: build and inspect baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from driftgauge.about import About
from driftgauge.cli.bundle_report import about_facts, show_baseline, show_bins, show_left_out
from driftgauge.cli.console import console
from driftgauge.cli.derived_options import derived_options
from driftgauge.cli.help import CommandLine
from driftgauge.cli.reference_options import Kinds, for_table
from driftgauge.common.quoting import listed
from driftgauge.drift.reference.baseline import Baseline, dumps
from driftgauge.errors import BaselineError
from driftgauge.models.bundle import BASELINE_FILE, read_baseline
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
from driftgauge.models.describe import describe_baseline

baseline_app = CommandLine("Build and inspect baselines of reference data.")


@baseline_app.command("build")
@derived_options
def baseline_build(
    table: Annotated[
        Path, typer.Argument(help="Reference table: csv, parquet, JSON lines, or a folder.", metavar="TABLE")
    ],
    options: BaselineOptions,
    about: About,
    kinds: Kinds = None,
    out: Annotated[Path, typer.Option(help="File to write.", metavar="FILE")] = Path("baseline.json"),
) -> None:
    """Build the baseline of a table, for a model that is served elsewhere."""
    errors = console(stderr=True)
    with errors.status("reading the table, building the baseline …"):
        baseline = create_baseline(table, for_table(options, table, kinds, about))
        _write(baseline, out)
    show_baseline(baseline, console())
    show_left_out(table, [*baseline.names, options.time], errors)
    errors.print(f"wrote {out}", soft_wrap=True)


def _write(baseline: Baseline, out: Path) -> None:
    try:
        out.write_text(dumps(baseline), encoding="utf-8")
    except OSError as error:
        raise BaselineError(f"cannot write {out}: {error.strerror or 'it cannot be written'}") from error


@baseline_app.command("show")
def baseline_show(
    file: Annotated[Path, typer.Argument(help="A baseline.json.", metavar="FILE")],
    column: Annotated[str | None, typer.Option(help="Show the bins of one column.", metavar="COLUMN")] = None,
) -> None:
    """Show the columns of a baseline, or the bins of one column."""
    _refuse_folder(file)
    baseline = read_baseline(file)
    if column is None:
        show_baseline(baseline, console())
        return
    if column not in baseline.names:
        raise BaselineError(f"there is no column {column}; the columns are {listed(baseline.names)}")
    show_bins(baseline, column, console())


@baseline_app.command("describe")
@derived_options
def baseline_describe(
    file: Annotated[Path, typer.Argument(help="A baseline.json.", metavar="FILE")], about: About
) -> None:
    """Change what a baseline says about its model; an empty text removes one."""
    _refuse_folder(file)
    console().print(about_facts(describe_baseline(file, about).about))


def _refuse_folder(file: Path) -> None:
    if file.is_dir():
        raise BaselineError(f"{file} is a folder: give the file, such as {file / BASELINE_FILE}")
