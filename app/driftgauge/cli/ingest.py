"""`driftgauge ingest`: reads log files of other servers; its options of the model are those of `consume`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from driftgauge.cli.console import console
from driftgauge.cli.model_options import BaselineFile, Task, Version, model_by_baseline
from driftgauge.cli.serve import Flag, Fresh, Given, with_flags
from driftgauge.errors import SettingsError

NOT_ALL: Final = 1
"""Exit code if records or files could not be read."""
FORMATS: Final = ("jsonl", "bentoml", "fluent_bit", "sagemaker", "kserve", "azureml", "parquet")
FLAGS: Final = (
    Flag("state_dir", "FOLDER", "State"),
    Flag("clock", "arrival|event", "State"),
    Flag("log_format", "auto|json|console", "Logs"),
    Flag("log_level", "debug|info|warning|error", "Logs"),
)
COLUMNS: Final = "Columns of Parquet"

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE",
        help="Files, folders or globs, or addresses of object storage such as s3://bucket/prefix.",
        show_default=False,
    ),
]
Kind = Annotated[str, typer.Option("--format", metavar="FORMAT", help=f"Format of the records: {', '.join(FORMATS)}.")]
Name = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Name of the model; with --config, which of its models the files are of.",
        rich_help_panel="Model",
    ),
]
Follow = Annotated[
    bool, typer.Option("--follow", help="Go on as the files grow, are rotated, and come, until a signal.")
]
Interval = Annotated[
    float,
    typer.Option(
        "--interval", metavar="SECONDS", min=0.05, max=86_400.0, help="Time between two looks at followed files."
    ),
]


def _column(flag: str, what: str) -> Any:
    return typer.Option(flag, metavar="COLUMN", help=f"Column of {what}.", rich_help_panel=COLUMNS)


Prediction = Annotated[str | None, _column("--prediction", "the predictions, by default prediction")]
Time = Annotated[str | None, _column("--time", "their times, by default timestamp")]
Id = Annotated[str | None, _column("--id", "their ids, by default prediction_id")]
Label = Annotated[str | None, _column("--label", "the ground truth, by default label")]


@with_flags(FLAGS)
def ingest(
    *,
    files: Files,
    kind: Kind = "jsonl",
    follow: Follow = False,
    interval: Interval = 1.0,
    baseline: BaselineFile = None,
    model: Name = None,
    model_version: Version = None,
    task: Task = None,
    prediction: Prediction = None,
    time: Time = None,
    id_column: Id = None,
    label: Label = None,
    fresh_state: Fresh = False,
    config: Given = None,
    **flags: Any,
) -> None:
    """Monitor a model that others serve by its log files, here or in object storage.

    Files are read in the order of their time, each from where it was read to before: the same command again counts
    nothing twice. The state may be that of a running server, which shows the rows. The exit code is 1 if records or
    files could not be read. docs/ingest.md says more.
    """
    from driftgauge.process.ingest import Run, run
    from driftgauge.process.serve import Started

    named = {"prediction": prediction, "timestamp": time, "prediction_id": id_column, "label": label}
    columns = {key: own for key, own in named.items() if own is not None}
    if columns and kind != FORMATS[-1]:
        raise SettingsError("--prediction, --time, --id and --label name columns: they go with --format parquet")
    models, model = model_by_baseline(baseline, model, model_version, task)
    own = Run(files, kind, columns, model, follow=follow, interval_seconds=interval)
    out, errors = console(), console(stderr=True)
    with _progress(errors, follow=follow) as on_progress:
        outcome = run(Started({**flags, **models}, config, fresh_state=fresh_state), own, on_progress)
    for line in outcome.lines:
        out.print(line, soft_wrap=True)
    for line in outcome.problems:
        errors.print(line, soft_wrap=True)
    raise typer.Exit(0 if outcome.is_good else NOT_ALL)


@contextmanager
def _progress(errors: Console, *, follow: bool) -> Iterator[Callable[[int, int, int], None]]:
    """Show a progress bar on a terminal; yields the function that updates it."""
    what = "following" if follow else "reading"
    columns = (TextColumn(what), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task(what, total=None, note="")

        def update(done: int, total: int, rows: int) -> None:
            progress.update(task, total=max(1, total), completed=done, note=f"{rows:,} rows")

        yield update
