"""`driftgauge replicas`: all models of all servers as a Prometheus knows them, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from driftgauge.cli.console import console
from driftgauge.cli.replicas_report import print_overview
from driftgauge.common.comma_lists import comma_list
from driftgauge.errors import PrometheusError
from driftgauge.replicas.as_json import as_json, state_of
from driftgauge.replicas.findings import KINDS, STALE_SECONDS, Kind, findings
from driftgauge.replicas.overview import look
from driftgauge.replicas.prometheus import SECONDS, Prometheus
from driftgauge.replicas.queries import Asked

EXIT_CODES: Final = {"fine": 0, "wrong": 1, "cannot_tell": 2}
SERVERS: Final = "Servers"
ACCESS: Final = "Access"


def replicas(
    prometheus: Annotated[
        str,
        typer.Option(help="Prometheus that scrapes the servers, or Thanos, Mimir, VictoriaMetrics.", metavar="URL"),
    ] = "http://localhost:9090",
    match: Annotated[
        str,
        typer.Option(
            help="Label matchers that choose servers, like 'job=\"driftgauge\"'.",
            metavar="MATCHERS",
            show_default="all",
            rich_help_panel=SERVERS,
        ),
    ] = "",
    by: Annotated[
        str,
        typer.Option(
            help="Labels that tell deployments apart, as given to `monitoring render`.",
            metavar="LABEL,…",
            rich_help_panel=SERVERS,
        ),
    ] = "job",
    since: Annotated[
        str,
        typer.Option(
            help="Time before, with which the number of replicas is compared.", metavar="TIME", rich_help_panel=SERVERS
        ),
    ] = "1h",
    stale_minutes: Annotated[
        float,
        typer.Option(
            help="Minutes without samples after which a server is stale.",
            metavar="N",
            min=0.1,
            rich_help_panel=SERVERS,
        ),
    ] = STALE_SECONDS / 60,
    ignore: Annotated[
        str, typer.Option(help=f"Findings to leave out: {', '.join(KINDS)}.", metavar="KIND,…", rich_help_panel=SERVERS)
    ] = "",
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with a token for Prometheus.", metavar="FILE", dir_okay=False, rich_help_panel=ACCESS),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            help="Header that is sent along, like 'X-Scope-OrgID: team'; repeatable.",
            metavar="NAME: VALUE",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    header_file: Annotated[
        Path | None,
        typer.Option(
            help="File with such headers, one a line, for secret ones.",
            metavar="FILE",
            dir_okay=False,
            rich_help_panel=ACCESS,
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Longest wait for an answer, in seconds.", metavar="SECONDS", rich_help_panel=ACCESS)
    ] = SECONDS,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show all models of all servers of a Prometheus, and what is stale, missing or inconsistent.

    The exit code is 0 if nothing is wrong, 1 if something is, and 2 if Prometheus cannot be asked, knows no model or
    knows only a part.
    """
    server = Prometheus(prometheus, headers_of(token_file, header or [], header_file), timeout)
    asked = Asked(tuple(comma_list(by)), match.strip().removeprefix("{").removesuffix("}"), since)
    ignored = _kinds(ignore)
    found = look(server, asked)
    if not found.models:
        chosen = f" that {asked.match} chooses" if asked.match else ""
        raise PrometheusError(
            f"{prometheus} knows no model{chosen} now or in the last {since}: does it scrape /metrics of the servers? "
            "(--match, --since)"
        )
    wrong = findings(found, 60 * stale_minutes, ignored)
    if as_json_:
        typer.echo(json.dumps(as_json(found, wrong, prometheus), indent=1))
    else:
        print_overview(found, wrong, console())
    raise typer.Exit(EXIT_CODES[state_of(found, wrong)])


def headers_of(token_file: Path | None, given: list[str], header_file: Path | None) -> dict[str, str]:
    """Return the headers of requests; PrometheusError for a file or a line that cannot be used."""
    found = {} if token_file is None else {"Authorization": f"Bearer {_read(token_file, '--token-file').strip()}"}
    in_file = [] if header_file is None else _read(header_file, "--header-file").splitlines()
    for option, lines in (("--header", given), ("--header-file", in_file)):
        for line in lines:
            name, colon, value = (part.strip() for part in line.partition(":"))
            is_one_line = (name + value).isprintable()
            if not (name.replace("-", "").replace("_", "").isalnum() and colon and value and is_one_line):
                said = f" {line}" if option == "--header" else f" {header_file}"
                raise PrometheusError(f"{option}{said}: give NAME: VALUE, like X-Scope-OrgID: team")
            found[name] = value
    return found


def _read(file: Path, option: str) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise PrometheusError(f"{option}: cannot read {file}: {error}") from error


def _kinds(text: str) -> tuple[Kind, ...]:
    wanted = comma_list(text)
    unknown = [own for own in wanted if own not in KINDS]
    if unknown:
        raise PrometheusError(f"--ignore {','.join(unknown)}: choose from {', '.join(KINDS)}")
    return tuple(own for own in KINDS if own in wanted)
