"""The `driftgauge` command."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from driftgauge import __version__
from driftgauge.cli.console import console, replace_unprintable
from driftgauge.cli.help import CommandLine, Group
from driftgauge.cli.lazy import LazyCommand
from driftgauge.errors import DriftgaugeError

COMMANDS: Final = (
    LazyCommand(
        "demo", "driftgauge.cli.demo", "demo", "Serve a model of flight delays and replay the flights of August 2013."
    ),
    LazyCommand(
        "bundle", "driftgauge.cli.bundle", "bundle_app", "Create and inspect bundles: a model and its baseline."
    ),
    LazyCommand(
        "baseline", "driftgauge.cli.baseline", "baseline_app", "Build and inspect baselines of reference data."
    ),
    LazyCommand("serve", "driftgauge.cli.serve", "serve", "Serve a model bundle over HTTP and monitor it for drift."),
    LazyCommand(
        "consume",
        "driftgauge.cli.consume",
        "consume",
        "Monitor a model that others serve by the messages of Kafka topics.",
    ),
    LazyCommand(
        "ingest",
        "driftgauge.cli.ingest",
        "ingest",
        "Monitor a model that others serve by its log files, here or in object storage.",
    ),
    LazyCommand("token", "driftgauge.cli.token", "token_app", "Create tokens for the callers of a server."),
    LazyCommand("labels", "driftgauge.cli.labels", "labels_app", "Send ground truth to a server."),
    LazyCommand("log", "driftgauge.cli.log", "log_app", "Export the prediction log of a server."),
    LazyCommand("report", "driftgauge.cli.report", "report_app", "Write reports of other tools on logged predictions."),
    LazyCommand("check", "driftgauge.cli.check", "check", "Compare tables with a baseline and report drift."),
    LazyCommand(
        "profile",
        "driftgauge.cli.profile",
        "profile_app",
        "Count the rows of parts of a table, which add up exactly.",
    ),
    LazyCommand(
        "diagnose",
        "driftgauge.cli.diagnose",
        "diagnose",
        "Say what is wrong with the models of a running server, and what to do.",
    ),
    LazyCommand(
        "replicas",
        "driftgauge.cli.replicas",
        "replicas",
        "Show all models of all servers of a Prometheus, and what is stale, missing or inconsistent.",
    ),
    LazyCommand(
        "models",
        "driftgauge.cli.models",
        "models_app",
        "Load, list and roll back the versions of models in a running server.",
    ),
    LazyCommand(
        "mlflow",
        "driftgauge.cli.mlflow",
        "mlflow_app",
        "Keep bundles in MLflow's registry of models, and fetch them from it.",
    ),
    LazyCommand("state", "driftgauge.cli.state", "state_app", "Inspect or delete the state of a server."),
    LazyCommand("notify", "driftgauge.cli.notify", "notify_app", "Send a test message to the receivers of alerts."),
    LazyCommand(
        "monitoring",
        "driftgauge.cli.monitoring",
        "monitoring_app",
        "Write the files for Prometheus, Alertmanager and Grafana.",
    ),
)
"""Every command in the order of its use, with its module and its sentence in the help."""


STANDARD_ERROR: Final = 2
"""The number of the last standard stream."""


class Root(Group):
    """The commands of `COMMANDS`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "commands": {str(command.name): command for command in COMMANDS}})


app = CommandLine(
    "A prediction server that monitors its own model for drift.", name="driftgauge", cls=Root, add_completion=True
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def driftgauge(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """A prediction server that monitors its own model for drift."""


def _open_missing_streams() -> None:
    """Open standard streams that the caller closed, on /dev/null.

    Or the next file or socket would get the number of one, and be written to by what reports errors.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
        os.set_inheritable(number, True)
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(STANDARD_ERROR, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # open to the end


def main() -> Any:
    """Run the command; expected errors end with exit code 2, unexpected ones with 3.

    An expected error is one line on standard error.
    """
    _open_missing_streams()
    replace_unprintable(sys.stdout, sys.stderr)
    try:
        return app()
    except DriftgaugeError as error:
        line = " ".join(str(error).split())
        console(stderr=True).print(Text.assemble(("driftgauge:", "red"), f" {line}"), soft_wrap=True)
        sys.exit(2)
    except Exception:  # Python's own exit code for it is 1, which means drift
        traceback.print_exc()
        sys.exit(3)
