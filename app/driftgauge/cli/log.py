"""`driftgauge log`: export the prediction log of a server."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from driftgauge.cli.console import console
from driftgauge.cli.help import CommandLine
from driftgauge.cli.log_export import STANDARD_OUTPUT, Exported, Format, export, model_of
from driftgauge.cli.log_source import open_log
from driftgauge.common.moments import moment
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.errors import PredictionLogError, SettingsError
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import MICROSECONDS

PARQUET_SUFFIXES: Final = (".parquet", ".pq")
log_app = CommandLine("Export the prediction log of a server.")


@log_app.callback()
def _log() -> None:
    """Export the prediction log of a server."""


@log_app.command("export")
def log_export(
    out: Annotated[Path, typer.Option(help="File to write, or - for standard output.", metavar="FILE")],
    since: Annotated[
        str | None,
        typer.Option(
            help="Predictions from then on: 14d, or 2026-01-31T12:00:00Z.", metavar="TIME", show_default="everything"
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Predictions before then.", metavar="TIME", show_default="now")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Which model, where the log has several.", metavar="NAME")] = None,
    version: Annotated[str | None, typer.Option(help="Only predictions of this version.", metavar="VERSION")] = None,
    format: Annotated[
        Format | None, typer.Option(help="Format of the file.", show_default="by the name of FILE, or jsonl")
    ] = None,
    labels: Annotated[bool, typer.Option("--labels", help="Join labels and business outcomes.")] = False,
    bundle: Annotated[Path | None, typer.Option(help="Folder of the bundle that is served.", metavar="FOLDER")] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the state, which holds the log.", metavar="FOLDER", show_default="BUNDLE.state"),
    ] = None,
) -> None:
    """Write logged predictions to a file, in the order of their time.

    The server may go on writing. The memory needed does not depend on the number of predictions. A log in PostgreSQL
    is found by DRIFTGAUGE_PREDICTION_LOG_URL.
    """
    now = time.time()
    start, end = _moment("--since", since, now), _moment("--until", until, now)
    kind: Format = format or ("parquet" if out.suffix in PARQUET_SUFFIXES else "jsonl")
    if out == STANDARD_OUTPUT and kind == "parquet" and sys.stdout.isatty():
        raise SettingsError("--out -: Parquet is no text for a terminal: name a file, or use --format jsonl")
    store = open_log(bundle, state_dir)
    errors = console(stderr=True)
    try:
        selection = Selection(model_of(store, model), version, start, now if end is None else end)
        with Progress(
            TextColumn("exporting"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn(),
            console=errors, transient=True,
        ) as progress:  # fmt: skip
            task = progress.add_task("exporting", total=None, note="")

            def on_batch(done: Exported) -> None:
                first, last = (done.first or 0) / MICROSECONDS, (done.last or 0) / MICROSECONDS
                total = max(1.0, (selection.until or now) - first)
                progress.update(task, total=total, completed=last - first, note=f"{done.rows:,} predictions")

            done = export(store, selection, out, kind, with_labels=labels, on_batch=on_batch)
    finally:
        store.close()
    for line in _summary(done, out):
        errors.print(line, soft_wrap=True)


def _moment(option: str, text: str | None, now: float) -> float | None:
    try:
        return None if text is None else moment(text, now)
    except ValueError as error:
        raise PredictionLogError(f"{option}: {error}") from error


def _summary(done: Exported, out: Path) -> list[str]:
    span = f"from {rfc3339((done.first or 0) / MICROSECONDS)} to {rfc3339((done.last or 0) / MICROSECONDS)}"
    target = "" if out == STANDARD_OUTPUT else f" to {out}"
    lines = [f"wrote {done.rows:,} predictions{target}, {span}"]
    if done.left_out:
        lines.append(f"left out {done.left_out:,} predictions of a version that is new since the start: export again")
    return lines
