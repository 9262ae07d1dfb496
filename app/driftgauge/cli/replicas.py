"""`driftgauge replicas`: all models of all servers as a Prometheus knows them, and what is wrong with them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from driftgauge.cli.console import console
from driftgauge.cli.derived_options import derived_options
from driftgauge.cli.replicas_report import print_overview
from driftgauge.common.comma_lists import comma_list
from driftgauge.common.option import Option
from driftgauge.errors import PrometheusError
from driftgauge.replicas.as_json import as_json, state_of
from driftgauge.replicas.findings import KINDS, STALE_SECONDS, Kind, findings
from driftgauge.replicas.overview import look
from driftgauge.replicas.prometheus import SECONDS, Prometheus
from driftgauge.replicas.queries import Asked

EXIT_CODES: Final = {"fine": 0, "wrong": 1, "cannot_tell": 2}
SERVERS: Final = "Servers"
ACCESS: Final = "Access"
LEAST_MINUTES: Final = 0.1


def _minutes(text: str) -> float:
    """Return a number of minutes, at least 0.1; ValueError for another text."""
    minutes = float(text)
    if not minutes >= LEAST_MINUTES:
        raise ValueError(f"{text} is not at least {LEAST_MINUTES}")
    return minutes


@dataclass(frozen=True)
class ShownServers:
    """Which servers are shown, and what is wrong with them."""

    match: Annotated[
        str,
        Option(
            "Label matchers that choose servers, like 'job=\"driftgauge\"'.", "MATCHERS", SERVERS, shown_default="all"
        ),
    ] = ""
    by: Annotated[
        str, Option("Labels that distinguish deployments, as given to `monitoring render`.", "LABEL,…", SERVERS)
    ] = "job"
    since: Annotated[str, Option("How far back to look for servers that are missing now.", "TIME", SERVERS)] = "1h"
    stale_minutes: Annotated[
        float,
        Option(
            f"Minutes without samples after which a server is stale, at least {LEAST_MINUTES}.",
            "N",
            SERVERS,
            parse=_minutes,
        ),
    ] = STALE_SECONDS / 60
    ignore: Annotated[str, Option(f"Findings to leave out: {', '.join(KINDS)}.", "KIND,…", SERVERS)] = ""

    @property
    def asked(self) -> Asked:
        """The servers as queries name them."""
        return Asked(tuple(comma_list(self.by)), self.match.strip().removeprefix("{").removesuffix("}"), self.since)

    @property
    def ignored(self) -> tuple[Kind, ...]:
        """The findings to leave out; PrometheusError for a word that is none."""
        wanted = comma_list(self.ignore)
        unknown = [own for own in wanted if own not in KINDS]
        if unknown:
            raise PrometheusError(f"--ignore {','.join(unknown)}: choose from {', '.join(KINDS)}")
        return tuple(own for own in KINDS if own in wanted)


@dataclass(frozen=True)
class PrometheusAccess:
    """How Prometheus is asked."""

    token_file: Annotated[Path | None, Option("File with a token for Prometheus.", "FILE", ACCESS)] = None
    header: Annotated[
        tuple[str, ...],
        Option(
            "Header that is sent along, like 'X-Scope-OrgID: team'; repeatable.", "NAME: VALUE", ACCESS, commas=False
        ),
    ] = ()
    header_file: Annotated[
        Path | None, Option("File with such headers, one a line, for secret ones.", "FILE", ACCESS)
    ] = None
    timeout: Annotated[float, Option("Longest wait for an answer, in seconds.", "SECONDS", ACCESS)] = SECONDS

    @property
    def headers(self) -> dict[str, str]:
        """The headers of requests; PrometheusError for a file or a line that cannot be used."""
        token, file = self.token_file, self.header_file
        found = {} if token is None else {"Authorization": f"Bearer {_read(token, '--token-file').strip()}"}
        in_file = [] if file is None else _read(file, "--header-file").splitlines()
        for option, lines in (("--header", self.header), ("--header-file", in_file)):
            for line in lines:
                name, colon, value = (part.strip() for part in line.partition(":"))
                is_one_line = (name + value).isprintable()
                if not (name.replace("-", "").replace("_", "").isalnum() and colon and value and is_one_line):
                    said = f" {line}" if option == "--header" else f" {file}"
                    raise PrometheusError(f"{option}{said}: give NAME: VALUE, like X-Scope-OrgID: team")
                found[name] = value
        return found


@derived_options
def replicas(
    prometheus: Annotated[
        str,
        typer.Option(help="Prometheus that scrapes the servers, or Thanos, Mimir, VictoriaMetrics.", metavar="URL"),
    ] = "http://localhost:9090",
    *,
    shown: ShownServers,
    access: PrometheusAccess,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show all models of all servers of a Prometheus, and what is stale, missing or inconsistent.

    The exit code is 0 if nothing is wrong, 1 if something is, and 2 if Prometheus cannot be asked, knows no model or
    knows only a part. docs/replicas.md explains what is found.

    Examples:
      driftgauge replicas --prometheus http://localhost:9090
      driftgauge replicas --by job,namespace --json
    """
    server = Prometheus(prometheus, access.headers, access.timeout)
    asked, ignored = shown.asked, shown.ignored
    found = look(server, asked)
    if not found.models:
        chosen = f" that {asked.match} chooses" if asked.match else ""
        raise PrometheusError(
            f"{prometheus} knows no model{chosen} now or in the last {asked.since}: does it scrape /metrics of the "
            "servers? (--match, --since)"
        )
    wrong = findings(found, 60 * shown.stale_minutes, ignored)
    if as_json_:
        typer.echo(json.dumps(as_json(found, wrong, prometheus), indent=1))
    else:
        print_overview(found, wrong, console())
    raise typer.Exit(EXIT_CODES[state_of(found, wrong)])


def _read(file: Path, option: str) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise PrometheusError(f"{option}: cannot read {file}: {getattr(error, 'strerror', None) or error}") from error
