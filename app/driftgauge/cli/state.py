"""`driftgauge state`: look at the files that windows and counters are kept in, or delete them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from driftgauge.cli.console import console
from driftgauge.cli.help import CommandLine
from driftgauge.errors import SettingsError, StateError
from driftgauge.settings.options import load
from driftgauge.state.folder import Found, found_in, reset

state_app = CommandLine("Inspect or delete the state of a server.")

Bundle = Annotated[Path | None, typer.Option(help="Folder of the bundle that is served.")]
StateDir = Annotated[Path | None, typer.Option(help="Folder of the state.", show_default="BUNDLE.state, beside it")]


@state_app.command("show")
def show(
    bundle: Bundle = None,
    state_dir: StateDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what state there is, whose it is, and which processes use it."""
    folder = _folder(bundle, state_dir)
    found = found_in(folder)
    if as_json:
        typer.echo(json.dumps([_described(own, folder) for own in found], indent=1))
        return
    if not found:
        typer.echo(f"there is no state in {folder}")
        return
    table = Table(box=None, pad_edge=False)
    for head in ("file", "model", "version", "rows", "MiB", "used by"):
        table.add_column(head, justify="right" if head in ("rows", "MiB") else "left")
    for own in found:
        said = _described(own, folder)
        user = f"process {said['pid']}" if own.held else ""
        mib = f"{own.size_bytes / 2**20:.1f}"
        rows = "" if own.rows is None else f"{own.rows:,}"
        table.add_row(said["file"], said["model_name"] or "?", said["model_version"] or "?", rows, mib, user)
    out = console()
    out.print(table)
    out.print(f"in {folder}", soft_wrap=True)


@state_app.command("reset")
def reset_state(bundle: Bundle = None, state_dir: StateDir = None) -> None:
    """Delete all state of a folder, of every model and version in it. Refused while a server uses it."""
    folder = _folder(bundle, state_dir)
    if not folder.is_dir():
        raise StateError(f"there is no folder {folder}")
    typer.echo(f"{reset(folder)} files deleted from {folder}")


def _folder(bundle: Path | None, state_dir: Path | None) -> Path:
    folder = load({"bundle": bundle, "state_dir": state_dir}).state_folder
    if folder is None:
        raise SettingsError("which state? Name the bundle (--bundle DIR) or the folder (--state-dir DIR)")
    return folder


def _described(own: Found, folder: Path) -> dict[str, Any]:
    return {
        "file": str(own.path.relative_to(folder)),
        "kind": own.header.get("kind"),
        "model_name": own.header.get("model_name"),
        "model_version": own.header.get("model_version"),
        "baseline": own.header.get("baseline"),
        "rows": own.rows,
        "size_bytes": own.size_bytes,
        "held": own.held,
        "pid": own.lease.pid,
    }
