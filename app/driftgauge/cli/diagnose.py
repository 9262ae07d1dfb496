"""`driftgauge diagnose`: what is wrong with the models of a running server, and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from driftgauge.cli.asking import DEFAULT_ADDRESS, TOKEN_VARIABLE, Address, asked
from driftgauge.cli.console import console
from driftgauge.errors import DiagnosisError

WRONG: Final = "wrong"
EXIT_WRONG: Final = 1
WAIT_SECONDS: Final = 60.0
STATES: Final = {
    "wrong": ("red", "something is wrong"),
    "cannot_tell": ("yellow", "not known yet"),
    "nothing_wrong": ("green", "nothing is wrong"),
}
"""Style and words of each state."""
STYLES: Final = {"wrong": "red", "fine": "green", "unknown": "yellow"}
"""Style of the status of a step."""


def diagnose(
    url: Address = DEFAULT_ADDRESS,
    model: Annotated[
        str | None, typer.Option(help="Which model.", metavar="NAME", show_default="all live ones")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File that holds a token with the scope `read`.", metavar="FILE", envvar=TOKEN_VARIABLE),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is wrong with the models of a running server, and what to do.

    The likely causes are in their order, each with a command. The exit code is 0 if nothing is wrong or too little is
    known to tell, 1 if something is wrong, and 2 if the server cannot be asked.
    """
    query = "" if model is None else f"?model={quote(model, safe='')}"
    found = asked(url, f"/diagnosis{query}", token_file, DiagnosisError, wait_seconds=WAIT_SECONDS)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        _print(found, console())
    if found["state"] == WRONG:
        raise typer.Exit(EXIT_WRONG)


def _print(found: Mapping[str, Any], out: Console) -> None:
    for position, own in enumerate(found["models"]):
        if position:
            out.print()
        _print_model(own, out)
    for name, why in found["unusable_models"].items():
        out.print(Text.assemble((name, "bold"), (" could not be loaded", "red"), f": {why}"))


def _print_model(own: Mapping[str, Any], out: Console) -> None:
    style, words = STATES[own["state"]]
    since = f" since {own['since']}" if own["since"] else ""
    out.print(Text.assemble((f"{own['model_name']} {own['model_version']}", "bold"), ": ", (words, style), since))
    out.print(own["summary"])
    for number, cause in enumerate(own["causes"], start=1):
        out.print()
        _print_cause(number, cause, out, own["dependence"] if number == 1 else None)
    out.print()
    out.print(_steps(own))
    for note in own["notes"]:
        out.print(note, style="dim")


def _print_cause(number: int, cause: Mapping[str, Any], out: Console, dependence: Mapping[str, Any] | None) -> None:
    columns = f" of {', '.join(cause['columns'])}" if cause["columns"] else ""
    since = f", since {cause['since']}" if cause["since"] else ""
    out.print(Text.assemble((f"{number}. {cause['title']}{columns}", "bold"), since))
    for line in _lines(cause):
        out.print(Padding(line, (0, 0, 0, 3)))
    if dependence is not None:
        out.print(Padding(Text(dependence["summary"]), (0, 0, 0, 3)))
    for action in cause["actions"]:
        out.print(Padding(Text(f"- {action['sentence']}"), (0, 0, 0, 3)))
        if action["command"]:
            out.print(Text(f"     {action['command']}", "cyan"), soft_wrap=True)  # as it can be copied


def _lines(cause: Mapping[str, Any]) -> Iterator[Text]:
    yield Text(cause["why"])
    if cause["explains"]:
        yield Text(f"It also explains the change of {', '.join(cause['explains'])}.")
    yield Text(cause["looks_like"], "dim")
    numbers = [f"rank score {_number(cause['score'])}"]
    if cause["columns"]:
        numbers.append(f"importance {cause['importance']:.0%}")
    numbers += [f"{name.replace('_', ' ')} {_number(value)}" for name, value in cause["evidence"].items()]
    yield Text(", ".join(numbers), "dim")


def _number(value: Any) -> str:
    if value is None:
        return "unknown"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _steps(own: Mapping[str, Any]) -> Table:
    table = Table("step", "status", "finding", "looked at", box=None, pad_edge=False)
    for step in own["steps"]:
        table.add_row(
            step["title"],
            Text(step["status"], STYLES[step["status"]]),
            Text(step["finding"]),
            Text(", ".join(step["looked_at"])),
        )
    return table
