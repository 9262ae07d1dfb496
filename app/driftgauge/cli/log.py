"""`driftgauge log`: export the prediction log of a server."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from driftgauge.cli.console import console
from driftgauge.cli.derived_options import derived_options
from driftgauge.cli.help import CommandLine
from driftgauge.cli.log_export import STANDARD_OUTPUT, Exported, Format, export, model_of
from driftgauge.cli.log_source import moment_of, open_log
from driftgauge.common.option import Option
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.errors import SettingsError
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import MICROSECONDS

PARQUET_SUFFIXES: Final = (".parquet", ".pq")
log_app = CommandLine("Export the prediction log of a server.")


@log_app.callback()
def _log() -> None:
    """Export the prediction log of a server."""


@dataclass(frozen=True)
class LogExport:
    """What to export, from which log, and to which file."""

    out: Annotated[Path, Option("File to write, or - for standard output.", "FILE")]
    since: Annotated[
        str | None,
        Option("Predictions from then on: 14d, or 2026-01-31T12:00:00Z.", "TIME", shown_default="everything"),
    ] = None
    until: Annotated[str | None, Option("Predictions before then.", "TIME", shown_default="now")] = None
    model: Annotated[str | None, Option("Which model, where the log has several.", "NAME")] = None
    version: Annotated[str | None, Option("Only predictions of this version.", "VERSION")] = None
    format: Annotated[Format | None, Option("Format of the file.", shown_default="by the name of FILE, or jsonl")] = (
        None
    )
    labels: Annotated[bool, Option("Join labels and business outcomes.")] = False
    bundle: Annotated[Path | None, Option("Folder of the bundle that is served.", "FOLDER")] = None
    state_dir: Annotated[
        Path | None, Option("Folder of the state, which holds the log.", "FOLDER", shown_default="BUNDLE.state")
    ] = None

    @property
    def kind(self) -> Format:
        """The format of the file; SettingsError if it cannot be shown on a terminal."""
        kind: Format = self.format or ("parquet" if self.out.suffix in PARQUET_SUFFIXES else "jsonl")
        if self.out == STANDARD_OUTPUT and kind == "parquet" and sys.stdout.isatty():
            raise SettingsError("--out -: Parquet is no text for a terminal: name a file, or use --format jsonl")
        return kind


@log_app.command("export")
@derived_options
def log_export(options: LogExport) -> None:
    """Write logged predictions to a file, in the order of their time.

    The server may go on writing. The memory needed does not depend on the number of predictions. A log in PostgreSQL
    is found by DRIFTGAUGE_PREDICTION_LOG_URL.
    """
    now = time.time()
    start, end = moment_of("--since", options.since, now), moment_of("--until", options.until, now)
    kind = options.kind
    store = open_log(options.bundle, options.state_dir)
    errors = console(stderr=True)
    try:
        selection = Selection(model_of(store, options.model), options.version, start, now if end is None else end)
        with _progress(errors, selection.until or now) as on_batch:
            done = export(store, selection, options.out, kind, with_labels=options.labels, on_batch=on_batch)
    finally:
        store.close()
    for line in _summary(done, options.out):
        errors.print(line, soft_wrap=True)


@contextmanager
def _progress(errors: Console, until: float) -> Iterator[Callable[[Exported], None]]:
    """Show a progress bar on a terminal; yields the function that updates it."""
    columns = (TextColumn("exporting"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("exporting", total=None, note="")

        def update(done: Exported) -> None:
            first, last = (done.first or 0) / MICROSECONDS, (done.last or 0) / MICROSECONDS
            total = max(1.0, until - first)
            progress.update(task, total=total, completed=last - first, note=f"{done.rows:,} predictions")

        yield update


def _summary(done: Exported, out: Path) -> list[str]:
    span = f"from {rfc3339((done.first or 0) / MICROSECONDS)} to {rfc3339((done.last or 0) / MICROSECONDS)}"
    target = "" if out == STANDARD_OUTPUT else f" to {out}"
    lines = [f"wrote {done.rows:,} predictions{target}, {span}"]
    if done.left_out:
        lines.append(f"left out {done.left_out:,} predictions of a version that is new since the start: export again")
    if done.damaged:
        damage = f"; {done.damage}" if done.damage else ""
        lines.append(f"{done.damaged:,} predictions have values that cannot be read, which are null{damage}")
    return lines
