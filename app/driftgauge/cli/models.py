"""`driftgauge models`: load, list and roll back the versions of a running server."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.table import Table

from driftgauge.cli.asking import DEFAULT_ADDRESS, TOKEN_VARIABLE, Address, asked
from driftgauge.cli.console import console
from driftgauge.cli.help import CommandLine
from driftgauge.errors import ReleaseError

models_app = CommandLine("Load, list and roll back the versions of models in a running server.")

WAIT_SECONDS: Final = 3_700.0
"""Longer than a server may take to load a version."""

Name = Annotated[str, typer.Argument(help="Name of the model.", metavar="NAME")]
Reason = Annotated[str, typer.Option(help="Why; the history keeps it.", metavar="TEXT")]
Who = Annotated[str | None, typer.Option(help="Who asks.", metavar="TEXT", show_default="the user of this shell")]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        help="File that holds a token: with the scope `read` to list, else `admin`.",
        metavar="FILE",
        envvar=TOKEN_VARIABLE,
    ),
]


@models_app.command("load")
def load(
    name: Name,
    bundle: Annotated[
        str,
        typer.Argument(
            help="Folder of the bundle, as the server sees it; a relative path begins in the first of bundle_folders.",
            metavar="FOLDER",
        ),
    ],
    reason: Reason,
    shadow: Annotated[bool, typer.Option("--shadow", help="Predict the same rows and never answer.")] = False,
    who: Who = None,
    url: Address = DEFAULT_ADDRESS,
    token_file: TokenFile = None,
) -> None:
    """Load a version beside the live one; it answers once every worker is ready.

    If a worker cannot load it, nothing changes.
    """
    mode = "shadow" if shadow else "live"
    body = {"bundle": bundle, "mode": mode, "reason": reason, "who": _who(who)}
    _say(_asked(url, f"/models/{quote(name)}/versions", token_file, body))


@models_app.command("rollback")
def rollback(
    name: Name,
    reason: Reason,
    version: Annotated[
        str | None, typer.Option(help="An earlier version.", metavar="VERSION", show_default="the one before")
    ] = None,
    who: Who = None,
    url: Address = DEFAULT_ADDRESS,
    token_file: TokenFile = None,
) -> None:
    """Let an earlier version answer again, by default the one before the live one."""
    body = {"version": version, "reason": reason, "who": _who(who)}
    _say(_asked(url, f"/models/{quote(name)}/rollback", token_file, body))


@models_app.command("unload")
def unload(
    name: Name,
    version: Annotated[str, typer.Argument(help="Version that runs as the shadow.", metavar="VERSION")],
    reason: Reason,
    who: Who = None,
    url: Address = DEFAULT_ADDRESS,
    token_file: TokenFile = None,
) -> None:
    """End a shadow."""
    path = f"/models/{quote(name)}/versions/{quote(version)}"
    _say(_asked(url, path, token_file, {"reason": reason, "who": _who(who)}, method="DELETE"))


@models_app.command("list")
def list_versions(
    name: Name,
    url: Address = DEFAULT_ADDRESS,
    token_file: TokenFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the versions of a model, its releases with latency and errors, and its history."""
    found = _asked(url, f"/models/{quote(name)}/versions", token_file)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    out = console()
    out.print(_versions(found))
    if alias := found.get("alias"):
        out.print(_alias(alias))
    out.print()
    out.print(_releases(found))
    out.print()
    out.print(_history(found))


def _who(given: str | None) -> str:
    try:
        return given or getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        return f"user {os.getuid()}"


def _asked(
    url: str, path: str, token_file: Path | None, body: Mapping[str, Any] | None = None, method: str | None = None
) -> dict[str, Any]:
    """Return the server's answer; ReleaseError says why there is none."""
    return asked(url, path, token_file, ReleaseError, body=body, method=method, wait_seconds=WAIT_SECONDS)


def _say(changed: Mapping[str, Any]) -> None:
    what = {"shadow": "is the shadow of", "unload": "is no longer the shadow of"}.get(changed["kind"], "is live for")
    console().print(f"version {changed['to_version']} {what} {changed['model_name']}", soft_wrap=True)
    notes = console(stderr=True)
    if not changed["all_workers"]:
        notes.print("some workers still load it; `driftgauge models list` shows the versions", soft_wrap=True)
    if changed.get("alias_moved") is False:
        notes.print("MLflow does not answer: the alias is moved once it does", soft_wrap=True)


def _alias(alias: Mapping[str, Any]) -> str:
    names = f"{alias['address']} names version {alias['version'] or 'unknown'}"
    return f"{names}: {alias['problem']}" if alias["problem"] else names


def _versions(found: Mapping[str, Any]) -> Table:
    table = Table("version", "role", "since", "bundle", box=None, pad_edge=False)
    for own in found["versions"]:
        table.add_row(own["version"], own["role"], own["since"], own["bundle"])
    return table


def _releases(found: Mapping[str, Any]) -> Table:
    table = Table("release", "since", "requests", "p50", "p99", "errors", "change of p99", box=None, pad_edge=False)
    for own in found["releases"]:
        figures, change = own["figures"] or {}, own["change"] or {}
        table.add_row(
            own["version"],
            own["since"],
            str(figures.get("requests", "?")),
            _milliseconds(figures.get("p50_seconds")),
            _milliseconds(figures.get("p99_seconds")),
            _percentage(figures.get("error_ratio")),
            _percentage(change.get("p99_ratio"), sign="+"),
        )
    return table


def _history(found: Mapping[str, Any]) -> Table:
    table = Table("at", "change", "from", "to", "who", "reason", box=None, pad_edge=False)
    for own in found["history"]:
        table.add_row(
            own["at"],
            own["kind"],
            own["from_version"] or "",
            own["to_version"] or "",
            own["who"],
            own["reason"],
        )
    return table


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.2f} ms"


def _percentage(ratio: float | None, sign: str = "") -> str:
    return "" if ratio is None else f"{ratio:{sign}.2%}"
