"""`driftgauge token`: create tokens for the callers of a server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from driftgauge.access.caller import Scope
from driftgauge.access.token_file import new_token, parse_tokens, token_line, token_name, token_scopes
from driftgauge.cli.console import console
from driftgauge.cli.help import CommandLine
from driftgauge.common.replacing import replacing
from driftgauge.errors import SettingsError

token_app = CommandLine("Create tokens for the callers of a server.")
_MODE: Final = 0o600


@token_app.callback()
def _token() -> None:
    """Create tokens for the callers of a server."""


@token_app.command("create")
def token_create(
    name: Annotated[str, typer.Argument(help="Name of the caller.", metavar="NAME")],
    scopes: Annotated[str, typer.Option(help=f"What it may do: {', '.join(Scope)}.", metavar="SCOPE,…")] = "predict",
    file: Annotated[
        Path | None, typer.Option(help="File of tokens to which the line is added.", metavar="FILE", dir_okay=False)
    ] = None,
) -> None:
    """Create a token; print it, and the line for the file of tokens.

    The token itself is shown only here: the file holds its hash. To replace a token, create another with the same
    name, hand it out, then delete the line of the old one.
    """
    token = new_token()
    line = token_line(token_name(name), token_scopes(scopes), token)
    if file is None:
        typer.echo(f"{token}\n{line}")
        return
    _append(file, line)
    typer.echo(token)
    console(stderr=True).print(f"added {name} to {file}", soft_wrap=True, highlight=False)


def _append(file: Path, line: str) -> None:
    """Add a line to a file of tokens, which only its owner may read; a server never sees half of it."""
    try:
        text = file.read_text("utf-8") if file.exists() else ""
        added = f"{text}\n" if text and not text.endswith("\n") else text
        parse_tokens(f"{added}{line}\n")
        mode = file.stat().st_mode & 0o777 if file.exists() else _MODE
        with replacing(file) as new:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
            with os.fdopen(descriptor, "w", encoding="utf-8") as writing:
                writing.write(f"{added}{line}\n")
            new.chmod(mode)
    except SettingsError as error:
        raise SettingsError(f"{file} cannot be used: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot write {file}: {getattr(error, 'strerror', None) or error}") from error
