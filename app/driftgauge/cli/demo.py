"""`driftgauge demo`: the flights of 2013, replayed into a monitored model."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from driftgauge.cli.console import NamesConsole
from driftgauge.errors import DemoError

REPLAY: Final = "Replay"
SERVERS: Final = "Servers"

Year = Annotated[
    bool,
    typer.Option(
        "--year",
        help="Replay May to December into a model of the winter: the seasons as drift.",
        rich_help_panel=REPLAY,
    ),
]
Rows = Annotated[
    int | None,
    typer.Option(help="Number of flights to replay.", min=1, metavar="N", show_default="all", rich_help_panel=REPLAY),
]
Pace = Annotated[
    int | None,
    typer.Option(
        help="Flights per second.",
        min=1,
        metavar="N",
        show_default="as fast as possible; with --stack 400, or 2000 with --year",
        rich_help_panel=REPLAY,
    ),
]
Batch = Annotated[
    int, typer.Option(help="Maximum flights in one request.", min=1, max=10_000, metavar="N", rich_help_panel=REPLAY)
]
Exit = Annotated[
    bool, typer.Option("--exit", help="End after the replay instead of serving on.", rich_help_panel=REPLAY)
]
Host = Annotated[str, typer.Option(help="Address to listen on.", metavar="ADDRESS", rich_help_panel=SERVERS)]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure",
        help="Listen on an address that other machines can reach; the demo has no tokens.",
        rich_help_panel=SERVERS,
    ),
]
Port = Annotated[int, typer.Option(help="Port to listen on.", metavar="PORT", rich_help_panel=SERVERS)]
Stack = Annotated[
    bool,
    typer.Option(
        "--stack", help="Also run Prometheus and Alertmanager; both must be installed.", rich_help_panel=SERVERS
    ),
]
PrometheusPort = Annotated[
    int, typer.Option(help="Port of Prometheus, with --stack.", metavar="PORT", rich_help_panel=SERVERS)
]
AlertmanagerPort = Annotated[
    int, typer.Option(help="Port of Alertmanager, with --stack.", metavar="PORT", rich_help_panel=SERVERS)
]


def demo(
    year: Year = False,
    rows: Rows = None,
    pace: Pace = None,
    batch: Batch = 500,
    exit: Exit = False,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    insecure: Insecure = False,
    stack: Stack = False,
    prometheus_port: PrometheusPort = 9090,
    alertmanager_port: AlertmanagerPort = 9093,
) -> None:
    """Serve a model of flight delays and replay the flights of August 2013.

    The model is trained on April to June. After four quiet weeks a deploy sends one column in another time zone; three
    days later it is repaired. Watch it at /drift/status and /metrics, and the alerts with --stack. The demo needs the
    extra `demo`: pip install '.[demo]' in a checkout.
    """
    try:
        from driftgauge.demo.prometheus_stack import Endpoint, Endpoints
        from driftgauge.demo.run import DemoOptions, run
    except ModuleNotFoundError as error:
        raise DemoError(
            f"the demo needs {error.name}, which is not installed. Install the extra: pip install 'driftgauge[demo]', "
            "or '.[demo]' in a checkout"
        ) from error
    servers = Endpoints(
        Endpoint(prometheus_port, "--prometheus-port"), Endpoint(alertmanager_port, "--alertmanager-port")
    )
    listen = Endpoint(port, host=host)
    options = DemoOptions(
        listen,
        year,
        rows,
        leave=exit,
        batch_rows=batch,
        pace=pace,
        stack=servers if stack else None,
        insecure=insecure,
    )
    raise typer.Exit(run(options, NamesConsole()))
