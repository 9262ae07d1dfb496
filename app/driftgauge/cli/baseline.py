"""`driftgauge baseline …`: build and inspect baselines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from driftgauge.about import About
from driftgauge.cli.baseline_merge import merge_baselines
from driftgauge.cli.baseline_sagemaker import import_sagemaker
from driftgauge.cli.bundle_report import about_facts, kept_constraints, left_out_of, show_baseline, show_bins
from driftgauge.cli.console import console
from driftgauge.cli.derived_options import derived_options
from driftgauge.cli.engine_tables import Quantiles, counted_baseline
from driftgauge.cli.help import CommandLine
from driftgauge.cli.reference_options import Kinds, for_table
from driftgauge.common.addresses import without_password
from driftgauge.common.quoting import listed
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.reference.baseline import dumps
from driftgauge.edges.files.fetching import fetched
from driftgauge.edges.files.sources import is_remote
from driftgauge.engines.options import EngineOptions
from driftgauge.engines.source import uses_engine
from driftgauge.errors import BaselineError
from driftgauge.models import constraints_file, outlier_file, sample_file
from driftgauge.models.beside import path_beside
from driftgauge.models.bundle import BASELINE_FILE, read_baseline
from driftgauge.models.creation.baseline import BaselineOptions, BuiltBaseline, baseline_and_beside
from driftgauge.models.describe import describe_baseline
from driftgauge.predictions.learned_baseline import LearningOptions

baseline_app = CommandLine("Build and inspect baselines of reference data.")


@baseline_app.command("build")
@derived_options
def baseline_build(
    table: Annotated[
        str,
        typer.Argument(
            help="Reference table: csv, parquet, JSON lines, a folder, or the URL of a table in a database.",
            metavar="TABLE",
        ),
    ],
    options: BaselineOptions,
    about: About,
    engine: EngineOptions,
    kinds: Kinds = None,
    quantiles: Annotated[
        Quantiles,
        typer.Option(
            help="What a database gives of a large column: exact ones, for which it sorts, or approximate ones, whose "
            "largest rank error the baseline keeps. Rows in bins are counted exactly in both cases."
        ),
    ] = "exact",
    out: Annotated[str, typer.Option(help="File to write.", metavar="FILE")] = "baseline.json",
) -> None:
    """Build the baseline of a table, for a model that is served elsewhere.

    A database counts its own table where it is: postgresql://HOST/DATABASE?table=NAME. docs/engines.md has more.

    Examples:
      driftgauge baseline build training.parquet --time ordered_at --ignore id,target
      driftgauge baseline build "postgresql://me@db/shop?table=orders" --ignore id
    """
    errors = console(stderr=True)
    if is_remote(out):
        raise BaselineError(
            f"{without_password(out)}: a baseline is written here, with its constraints beside it: "
            "give a path, and copy the file"
        )
    if uses_engine(table, engine):
        with errors.status("reading the table, building the baseline …") as status:
            found = counted_baseline(table, engine, options, kinds, about, quantiles, status)
        _save(found.built, Path(out), found.remarks, errors)
        return
    with errors.status("reading the table, building the baseline …"), fetched([table]) as (path,):
        built = baseline_and_beside(path, for_table(options, Path(path), kinds, about))
        left_out = left_out_of(Path(path), [*built.baseline.names, options.time])
    _save(built, Path(out), left_out, errors)


def _save(built: BuiltBaseline, out: Path, remarks: Sequence[str], errors: Console) -> None:
    """Write a baseline and what belongs beside it, and show it."""
    _write(dumps(built.baseline).encode(), out)
    more = list(_write_beside(built, out))
    beside = path_beside(out, constraints_file.CONSTRAINTS_FILE)
    is_new = not beside.exists()
    if is_new:
        _write(constraints_file.dumps(built.constraints).encode(), beside)
    show_baseline(built.baseline, console())
    said = (*remarks, f"wrote {out}", f"wrote {beside}" if is_new else kept_constraints(beside), *more)
    for line in said:
        errors.print(line, soft_wrap=True)


def _write_beside(built: BuiltBaseline, out: Path) -> Iterator[str]:
    """Write kept rows and the detector of outliers beside the baseline; yield what was done.

    Those of an earlier baseline are removed.
    """
    sample, detector = built.sample, outlier_file.dumps(built.baseline)
    rows = None if sample is None else sample_file.dumps(sample, built.baseline)
    kept = "" if sample is None else f"{sample.rows:,} rows of the reference"
    yield from _replace(path_beside(out, sample_file.SAMPLE_FILE), rows, kept, "its rows are those of")
    file = path_beside(out, outlier_file.OUTLIERS_FILE)
    yield from _replace(file, detector, "the detector of outliers", "it is the detector of outliers of")


def _replace(beside: Path, content: bytes | None, what: str, why: str) -> Iterator[str]:
    """Write a file beside a baseline, or remove that of an earlier one without content; yield what was done."""
    if content is not None:
        _write(content, beside)
        yield f"wrote {beside}: {what}"
    elif beside.exists():
        try:
            beside.unlink()
        except OSError as error:
            raise BaselineError(f"cannot remove {beside}: {error.strerror or 'it cannot be removed'}") from error
        yield f"removed {beside}: {why} the baseline before"


def _write(content: bytes, out: Path) -> None:
    try:
        out.write_bytes(content)
    except OSError as error:
        raise BaselineError(f"cannot write {out}: {error.strerror or 'it cannot be written'}") from error


@baseline_app.command("learn")
def baseline_learn(
    source: Annotated[
        Path, typer.Argument(help="Bundle of the model, or the baseline it is monitored with.", metavar="BUNDLE")
    ],
    since: Annotated[str, typer.Option(help="How far back: 36h, 14d.", metavar="TIME")] = "14d",
    model: Annotated[
        str | None, typer.Option(help="Name of the model in the log; by default that of the bundle.", metavar="NAME")
    ] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the state, which holds the log.", metavar="FOLDER", show_default="BUNDLE.state"),
    ] = None,
    by_hour: Annotated[
        bool, typer.Option("--by-hour", help="Compare rows with the reference of their hour of the day (UTC).")
    ] = False,
    out: Annotated[Path, typer.Option(help="File to write.", metavar="FILE")] = Path("baseline.json"),
) -> None:
    """Build a baseline from logged predictions, with their times.

    For a model whose training table has no times, or is out of date. Choose a time in which nothing was wrong.
    """
    from driftgauge.cli.learning import learn  # with the databases of logs, whose library other commands save

    errors = console(stderr=True)
    with errors.status("reading the prediction log, building the baseline …"):
        learned = learn(source, since, model, state_dir, LearningOptions(by_hour=by_hour))
        _write(dumps(learned.baseline).encode(), out)
    show_baseline(learned.baseline, console())
    if learned.left_out:
        errors.print(f"left out {learned.left_out:,} predictions with another baseline or without their features")
    span = f"from {rfc3339(learned.first)} to {rfc3339(learned.last)}"
    errors.print(f"wrote {out}, of {learned.baseline.rows:,} predictions {span}", soft_wrap=True)


baseline_app.command("import-sagemaker")(import_sagemaker)
baseline_app.command("merge")(merge_baselines)


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
    """Change what a baseline says about its model; an empty text removes an entry."""
    _refuse_folder(file)
    console().print(about_facts(describe_baseline(file, about).about))


def _refuse_folder(file: Path) -> None:
    if file.is_dir():
        raise BaselineError(f"{file} is a folder: give the file, such as {file / BASELINE_FILE}")
