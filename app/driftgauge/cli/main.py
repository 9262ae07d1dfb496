"""The `driftgauge` command."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from driftgauge import __version__
from driftgauge.cli.baseline import baseline_app
from driftgauge.cli.bundle import bundle_app
from driftgauge.cli.check import check
from driftgauge.cli.console import console, replace_unprintable
from driftgauge.cli.monitoring import monitoring_app
from driftgauge.cli.reference_options import TrustedTypes
from driftgauge.cli.state import state_app
from driftgauge.errors import DemoError, DriftgaugeError

app = typer.Typer(
    name="driftgauge",
    help="A prediction server that watches its own model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(check)
app.add_typer(bundle_app, name="bundle", no_args_is_help=True)
app.add_typer(baseline_app, name="baseline", no_args_is_help=True)
app.add_typer(monitoring_app, name="monitoring", no_args_is_help=True)
app.add_typer(state_app, name="state", no_args_is_help=True)

EXPECTED = DriftgaugeError
"""Errors that say all a person needs to know."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def serve(
    bundle: Annotated[Path | None, typer.Option(help="Folder of the model bundle.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="8000")] = None,
    clock: Annotated[
        str | None,
        typer.Option(help="`arrival`, or `event` for replays.", metavar="CLOCK", show_default="arrival"),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve.", show_default="1")] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder that windows and counters are kept in, or `memory`.", show_default="BUNDLE.state, beside it"
        ),
    ] = None,
    fresh_state: Annotated[
        bool, typer.Option("--fresh-state", help="Delete the state of this model version first.")
    ] = False,
    trusted_types: TrustedTypes = None,
    log_format: Annotated[str | None, typer.Option(help="`json` or `console`.", show_default="json")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.", show_default="info")] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings (or DRIFTGAUGE_CONFIG).", dir_okay=False)
    ] = None,
) -> None:
    """Serve a model bundle over HTTP and watch what it sees.

    Every setting can also come from the environment (`DRIFTGAUGE_PSI_THRESHOLD_WARNING=0.15`) or the TOML file; the
    command line wins, then the environment. docs/settings.md lists all of them.
    """
    from driftgauge.process.serve import Started, run

    flags = {
        "bundle": bundle,
        "host": host,
        "port": port,
        "clock": clock,
        "workers": workers,
        "state_dir": state_dir,
        "trusted_types": trusted_types,
        "log_format": log_format,
        "log_level": log_level,
    }
    run(Started(flags, config, fresh_state=fresh_state))


@app.command()
def demo(
    rows: Annotated[int | None, typer.Option(help="Flights to replay.", min=1, show_default="all from May on")] = None,
    exit: Annotated[bool, typer.Option("--exit", help="End after the replay instead of serving on.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    batch: Annotated[int, typer.Option(help="Most flights in one request.", min=1, max=10_000)] = 500,
    pace: Annotated[
        int | None,
        typer.Option(help="Flights per second.", min=1, show_default="as fast as it goes; 2000 with --stack"),
    ] = None,
    stack: Annotated[
        bool, typer.Option("--stack", help="Run Prometheus and Alertmanager beside it; both must be installed.")
    ] = False,
    prometheus_port: Annotated[int, typer.Option(help="Port of Prometheus, with --stack.")] = 9090,
    alertmanager_port: Annotated[int, typer.Option(help="Port of Alertmanager, with --stack.")] = 9093,
) -> None:
    """Serve a model of flight delays and replay the flights of 2013 into it.

    It was fitted on January to March; the replay starts in May. Watch the weather drift into summer at /drift/status
    and /metrics, and with --stack the alerts. Needs the extra: pip install 'driftgauge[demo]'.
    """
    try:
        from driftgauge.demo.prometheus_stack import Endpoint, Endpoints
        from driftgauge.demo.replay import DemoOptions, run
    except ModuleNotFoundError as error:
        raise DemoError(f"the demo needs {error.name}: pip install 'driftgauge[demo]'") from error
    places = Endpoints(
        Endpoint(prometheus_port, "--prometheus-port"), Endpoint(alertmanager_port, "--alertmanager-port")
    )
    listen = Endpoint(port, host=host)
    options = DemoOptions(listen, rows, leave=exit, batch_rows=batch, pace=pace, stack=places if stack else None)
    raise typer.Exit(run(options))


def main() -> Any:
    """Run the command; an expected error is one line on standard error and exit code 2, any other exit code 3."""
    replace_unprintable(sys.stdout, sys.stderr)
    try:
        return app()
    except EXPECTED as error:
        line = " ".join(str(error).split())
        console(stderr=True).print(Text.assemble(("driftgauge:", "red"), f" {line}"), soft_wrap=True)
        sys.exit(2)
    except Exception:  # Python's own exit code for it is 1, which says drift
        traceback.print_exc()
        sys.exit(3)
