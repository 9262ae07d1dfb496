"""`driftgauge labels`: send ground truth from a file to a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from driftgauge.cli.console import console
from driftgauge.cli.help import CommandLine
from driftgauge.cli.label_import import Columns, ImportTally, Server, send
from driftgauge.errors import SettingsError
from driftgauge.tables.stream import TableStream

SOME_REFUSED: Final = 1
"""Exit code if the server refused rows."""
labels_app = CommandLine("Send ground truth to a server.")


@labels_app.callback()
def _labels() -> None:
    """Send ground truth to a server."""


@labels_app.command("import")
def labels_import(
    file: Annotated[Path, typer.Argument(help="A csv, parquet or jsonl file, or a folder of them.", metavar="FILE")],
    url: Annotated[str, typer.Option(help="Address of the server.", metavar="URL")] = "http://127.0.0.1:8000",
    model: Annotated[
        str | None, typer.Option(help="Which model, where the server has several.", metavar="NAME")
    ] = None,
    id_column: Annotated[str, typer.Option("--id", help="Column of the prediction ids.", metavar="COLUMN")] = (
        "prediction_id"
    ),
    label: Annotated[str, typer.Option(help="Column of the labels.", metavar="COLUMN")] = "label",
    observed_at: Annotated[
        str, typer.Option(help="Column of the times at which labels became known.", metavar="COLUMN")
    ] = "observed_at",
    outcomes: Annotated[
        str, typer.Option(help="Columns of business outcomes, which have the outcomes' names.", metavar="COLUMN,…")
    ] = "",
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with a token that has the scope `labels`.", metavar="FILE"),
    ] = None,
    batch: Annotated[int, typer.Option(help="Rows in one request.", min=1, max=10_000, metavar="N")] = 1_000,
) -> None:
    """Send labels, and say what became of them.

    It may be repeated: a label that is already known changes nothing, and another value replaces it. Rows without a
    label and without outcomes are left out. The exit code is 1 if the server refused rows.
    """
    table = TableStream(file)
    columns = Columns.among(table.column_names, id_column, label, observed_at, outcomes)
    server = Server(url, model, _token(token_file))
    out, errors = console(), console(stderr=True)
    with Progress(
        TextColumn("sending"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn(),
        console=errors, transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task("sending", total=max(1, table.bytes), note="")

        def on_batch(tally: ImportTally) -> None:
            progress.update(task, completed=tally.bytes_read, note=f"{tally.rows:,} rows")

        tally = send(table, columns, server, batch, on_batch)
    for line in tally.lines():
        out.print(line, soft_wrap=True)
    for line in tally.errors:
        errors.print(line, soft_wrap=True)
    raise typer.Exit(SOME_REFUSED if tally.refused else 0)


def _token(file: Path | None) -> str | None:
    """Return the token of a file; None without one."""
    if file is None:
        return None
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"--token-file: cannot read {file}: {error}") from error
    if not token or len(token.split()) > 1:
        raise SettingsError(f"--token-file: {file} must hold one token and nothing else")
    return token
