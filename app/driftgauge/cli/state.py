"""`driftgauge state`: list or delete the files that hold windows, counters and evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Column, Table

from driftgauge.cli.console import console
from driftgauge.cli.help import CommandLine
from driftgauge.errors import SettingsError, StateError
from driftgauge.settings.options import CONFIG_VARIABLE, load
from driftgauge.state.folder import StateFile, reset, state_files

state_app = CommandLine("Inspect or delete the state of a server.")

Bundles = Annotated[
    list[Path] | None,
    typer.Option("--bundle", help="Folder of the bundle that is served; repeat it for several.", metavar="FOLDER"),
]
Config = Annotated[
    Path | None,
    typer.Option(help=f"Settings file of the server (or {CONFIG_VARIABLE}).", metavar="FILE", dir_okay=False),
]
StateDir = Annotated[
    Path | None, typer.Option(help="Folder of the state.", metavar="FOLDER", show_default="BUNDLE.state")
]

OLD: Final = (
    "Files named N.state, evaluation.state or retired.state are of version 0.1.0 and cannot be read: "
    "`driftgauge state reset` deletes them"
)


@state_app.command("show")
def show(
    bundles: Bundles = None,
    state_dir: StateDir = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the state files with their model, their rows and the process that uses them."""
    folders = _folders(bundles, state_dir, config)
    files = [_described(file, folder) for folder in folders for file in state_files(folder)]
    folder = ", ".join(map(str, folders))
    if as_json:
        typer.echo(json.dumps(files, indent=1))
    elif files:
        out = console()
        out.print(_table(files))
        out.print(f"in {folder}", soft_wrap=True)
        if any(file["is_old"] for file in files):
            out.print(OLD, soft_wrap=True)
    else:
        typer.echo(f"no state in {folder}")


@state_app.command("reset")
def reset_state(bundles: Bundles = None, state_dir: StateDir = None, config: Config = None) -> None:
    """Delete the state of all models and versions in a folder.

    The command is refused while a server uses the folder. To delete the state of one model version only, start its
    server with --fresh-state.
    """
    folders = _folders(bundles, state_dir, config)
    if missing := [folder for folder in folders if not folder.is_dir()]:
        raise StateError(f"there is no folder {missing[0]}")
    for folder in folders:
        typer.echo(f"{reset(folder)} files deleted from {folder}")


def _folders(bundles: Sequence[Path] | None, state_dir: Path | None, config: Path | None) -> Sequence[Path]:
    """Return the state folders; SettingsError if no option, variable or file names one."""
    one = {"bundle": bundles[0] if bundles else None}
    several = {"bundles": ",".join(map(str, bundles))} if bundles and len(bundles) > 1 else one
    folders = load({**several, "state_dir": state_dir}, config).state_folders
    if not folders:
        raise SettingsError(
            "no state folder is known: give the bundle (--bundle FOLDER), --state-dir FOLDER, or the settings file "
            "(--config FILE)"
        )
    return folders


def _described(file: StateFile, folder: Path) -> dict[str, Any]:
    """Return a file as JSON shows it."""
    return {
        "file": str(file.path.relative_to(folder)),
        "kind": file.header.get("kind"),
        "model_name": file.header.get("model_name"),
        "model_version": file.header.get("model_version"),
        "baseline": file.header.get("baseline"),
        "rows": file.rows,
        "size_bytes": file.size_bytes,
        "held": file.is_held,
        "pid": file.lease.pid,
        "is_old": file.is_old,
    }


def _table(files: Sequence[dict[str, Any]]) -> Table:
    numbers = [Column(name, justify="right") for name in ("rows", "MiB")]
    table = Table("file", "model", "version", *numbers, "used by", box=None, pad_edge=False)
    for file in files:
        table.add_row(
            file["file"],
            file["model_name"] or "?",
            file["model_version"] or "?",
            "" if file["rows"] is None else f"{file['rows']:,}",
            f"{file['size_bytes'] / 2**20:.1f}",
            f"process {file['pid']}" if file["held"] else "",
        )
    return table
