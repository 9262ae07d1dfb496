"""`driftgauge baseline …`: make baselines and look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from driftgauge.cli.bundle_report import show_baseline, show_bins, show_left_out
from driftgauge.cli.console import console
from driftgauge.cli.help import CommandLine
from driftgauge.cli.reference_options import (
    SIZES,
    ByHour,
    Ignore,
    Kinds,
    Quantile,
    Time,
    Windows,
    ZeroBinOption,
    baseline_options,
)
from driftgauge.common.quoting import listed
from driftgauge.drift.reference.baseline import dumps
from driftgauge.errors import BaselineError
from driftgauge.models.bundle import read_baseline
from driftgauge.models.creation.baseline import create_baseline

baseline_app = CommandLine("Make and inspect baselines of reference data.")


@baseline_app.command("build")
def baseline_build(
    table: Annotated[Path, typer.Argument(help="Reference table: csv, parquet, JSON lines, or a folder.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("baseline.json"),
    time: Time = None,
    by_hour: ByHour = False,
    kinds: Kinds = None,
    ignore: Ignore = None,
    windows: Windows = SIZES,
    expected_range_quantile: Quantile = 1.0,
    zero_bin: ZeroBinOption = "jeffreys",
) -> None:
    """Build the baseline of a table alone, for a model that is served elsewhere."""
    errors = console(stderr=True)
    with errors.status("reading the table, counting …"):
        options = baseline_options(table, time, by_hour, kinds, ignore, windows, expected_range_quantile, zero_bin)
        baseline = create_baseline(table, options)
        try:
            out.write_text(dumps(baseline), encoding="utf-8")
        except OSError as error:
            raise BaselineError(f"cannot write {out}: {error.strerror or 'it cannot be written'}") from error
    show_baseline(baseline, console())
    show_left_out(table, [*baseline.names, time], errors)
    errors.print(f"wrote {out}")


@baseline_app.command("show")
def baseline_show(
    file: Annotated[Path, typer.Argument(help="A baseline.json.")],
    column: Annotated[str | None, typer.Option(help="Show the bins of one column.")] = None,
) -> None:
    """Say what a baseline knows of its columns."""
    baseline = read_baseline(file)
    if column is None:
        show_baseline(baseline, console())
        return
    if column not in baseline.names:
        raise BaselineError(f"there is no column {column}; there is {listed(baseline.names)}")
    show_bins(baseline, column, console())
