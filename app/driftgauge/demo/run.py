"""The demo as a program: train once, serve, replay, report, stay up.

With the stack, Prometheus and Alertmanager run beside the server, and the demo prints which alerts fire.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pandas as pd
from rich.console import Console

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.demo.flights import Recipe, cache_folder, is_complete, load_flights, make_bundle
from driftgauge.demo.ground_truth import MATURITY_SECONDS, GroundTruth, MonthlyPerformance
from driftgauge.demo.ground_truth_report import print_performance
from driftgauge.demo.prometheus_stack import (
    Endpoint,
    Endpoints,
    alertmanager_page,
    alerts,
    alerts_page,
    programs,
    require_free,
    running,
    stack,
    total,
)
from driftgauge.demo.replay import Pace, Replay, replay, requests
from driftgauge.demo.report import AlertLog, in_short, print_addresses, print_alerts, progress_bar
from driftgauge.demo.scenarios import Scenario, recipe_of, scenario_of
from driftgauge.errors import DemoError
from driftgauge.settings.access import AccessSettings
from driftgauge.settings.options import variable

REPLAY_SETTINGS: Final = {
    # Without a rest between evaluations each report covers exactly the rows that were sent: replays agree.
    "evaluation_rest_factor": "0",
    # The 10,000 flights of the main window span ten days or more.
    "max_age_seconds": str(30 * 86_400),
    # A flight's truth finds its prediction at once, although days pass within a second.
    "prediction_log_durability": "acknowledged",
    "label_maturity_seconds": str(MATURITY_SECONDS),
    "performance_interval_seconds": "2",
}
STACK_PACE: Final = 400
"""Flights per second that leave Prometheus time to see the fault of the story."""
YEAR_STACK_PACE: Final = 2_000
"""The same for the year, whose drift lasts for months."""
HOLD: Final = "5s"
SETTLE_SECONDS: Final = 15.0
"""Time until the last row's alerts fire or end: the range of their rules, `HOLD`, and some scrapes."""


@dataclass(frozen=True)
class DemoOptions:
    """The options of `driftgauge demo`."""

    listen: Endpoint
    """Where the server listens."""
    year: bool = False
    """Whether to replay May to December into a model of the winter, instead of the story."""
    rows: int | None = None
    """Number of flights to replay; None for all."""
    leave: bool = False
    """Whether it ends after the replay."""
    batch_rows: int = 500
    pace: float | None = None
    """Rows per second; None for as fast as possible, or with the stack at its own pace."""
    stack: Endpoints | None = None
    """Where Prometheus and Alertmanager listen; None to run neither."""
    insecure: bool = False
    """Whether other machines may reach the server, which asks for no token."""

    def rows_per_second(self) -> float | None:
        """Return the effective pace."""
        if self.stack is None:
            return self.pace
        return self.pace or (YEAR_STACK_PACE if self.year else STACK_PACE)

    def endpoints(self) -> list[Endpoint]:
        """Return every endpoint that must be free."""
        return [self.listen, *([self.stack.prometheus, self.stack.alertmanager] if self.stack else [])]

    def monitoring(self, endpoints: Endpoints) -> MonitoringOptions:
        """Return a configuration that reacts fast enough to be watched."""
        listen = [endpoint.address.removeprefix("http://") for endpoint in (self.listen, endpoints.prometheus)]
        return MonitoringOptions(
            scrape_interval="1s",
            window="5s",
            hold=HOLD,
            base_url=self.listen.address,
            targets=(listen[0],),
            prometheus=listen[1],
            alertmanager=endpoints.alertmanager.address.removeprefix("http://"),
            group_wait="1s",
            group_interval="5s",
        )


def run(options: DemoOptions, console: Console) -> int:
    """Train once, serve, replay and report on a console; returns the exit code."""
    found = programs() if options.stack else None
    for endpoint in options.endpoints():
        require_free(endpoint)
    with contextlib.suppress(KeyboardInterrupt), _interruptible(), contextlib.ExitStack() as started:
        recipe = recipe_of(options.year)
        flights, bundle = prepare(console, recipe)
        scenario = scenario_of(options.year, console, flights, bundle, options.rows)
        log = bundle.parent / "demo-server.log"
        _, process = started.enter_context(server(bundle, options.listen, log, insecure=options.insecure))
        if options.stack and found:
            started.enter_context(stack(found, options.stack, options.monitoring(options.stack), bundle.parent))
        _print_addresses(console, options)
        _replay_and_report(console, options, recipe, scenario, bundle, log)
        if not options.leave:
            _stay(console, options, process, log)
    return 0


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """End the demo and all it started on SIGINT and SIGTERM, even if its caller ignores SIGINT."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def prepare(console: Console, recipe: Recipe) -> tuple[pd.DataFrame, Path]:
    """Return the flights and the folder of their bundle; train the model if the folder is not complete."""
    with progress_bar(console) as progress:
        task = progress.add_task("training", total=1.0, note="reading the flights of 2013")
        flights = load_flights()
        bundle = cache_folder(recipe)
        if not is_complete(bundle):
            make_bundle(flights, recipe, bundle, lambda part, what: progress.update(task, completed=part, note=what))
        progress.update(task, completed=1.0, note=f"model and baseline: {bundle}")
    return flights, bundle


# ---------------------------------------------------------------- the server


@contextlib.contextmanager
def server(
    bundle: Path, listen: Endpoint, log: Path, *, insecure: bool = False
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `driftgauge serve` while the block runs; gives its address and its process.

    Its state is a temporary folder: each replay starts without history.
    """
    require_free(listen)
    AccessSettings(insecure=insecure).require_protection(listen.host)
    env = {**os.environ, **{variable(name): value for name, value in REPLAY_SETTINGS.items()}}
    ready = f"{listen.address}/health/ready"
    with tempfile.TemporaryDirectory(prefix="driftgauge-demo-") as state:
        command = serve_command(bundle, listen, Path(state), insecure=insecure)
        with running("the server", command, ready, log, env) as process:
            yield listen.address, process


def serve_command(bundle: Path, listen: Endpoint, state: Path, *, insecure: bool = False) -> list[str]:
    """Return the command that serves the bundle there, with its state in a folder."""
    where = ["--host", listen.host, "--port", str(listen.port), *(["--insecure"] if insecure else [])]
    replay = ("--clock", "event", "--state-dir", str(state))
    return [sys.executable, "-m", "driftgauge", "serve", "--bundle", str(bundle), *where, *replay]


def _stay(console: Console, options: DemoOptions, process: subprocess.Popen[bytes], log: Path) -> None:
    """Keep everything running until a signal interrupts; raises DemoError if the server stops."""
    console.print()
    _print_addresses(console, options)
    console.print(
        "The servers stay up; Ctrl-C stops them." if options.stack else "The server stays up; Ctrl-C stops it."
    )
    process.wait()
    raise DemoError(f"the server stopped unexpectedly; see its log {log}")


def _print_addresses(console: Console, options: DemoOptions) -> None:
    pages = None
    if options.stack:
        pages = {
            "alerts": alerts_page(options.stack.prometheus.address),
            "Alertmanager": alertmanager_page(options.stack.alertmanager.address),
        }
    print_addresses(console, options.listen.address, pages)


# ---------------------------------------------------------------- the replay


def _replay_and_report(
    console: Console, options: DemoOptions, recipe: Recipe, scenario: Scenario, bundle: Path, log: Path
) -> None:
    scenario.begin()
    tell_alerts = _alert_log(console, options)
    try:
        seen, performance = _replay(console, options, recipe, scenario, tell_alerts)
    except httpx.HTTPError as error:
        raise DemoError(f"the server stopped answering ({error}); see its log {log}") from error
    if options.stack:
        with console.status("waiting for the last changes of alerts"):
            _settle(lambda: tell_alerts(f"{seen.at:%Y-%m-%d}"))
    scenario.end(seen)
    print_performance(console, performance, scenario.sent, seen.scores, bundle, recipe.held_out_month)
    if options.stack:
        counted = total(options.stack.prometheus.address, "model_predictions_total")
        print_alerts(console, alerts(options.stack.alertmanager.address), counted, HOLD)


def _settle(tell_alerts: Callable[[], None]) -> None:
    """Wait until the last rows have changed the alerts, and tell of each change."""
    end = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < end:
        time.sleep(1.0)
        tell_alerts()


def _replay(
    console: Console,
    options: DemoOptions,
    recipe: Recipe,
    scenario: Scenario,
    tell_alerts: Callable[[str], None],
) -> tuple[Replay, MonthlyPerformance]:
    """Replay the flights and their truths with a progress bar, and with a log of alerts if Prometheus runs."""
    client = httpx.Client(base_url=options.listen.address, timeout=60.0)
    truth = GroundTruth(client, scenario.sent)
    with progress_bar(console) as progress, client:
        task = progress.add_task("replaying", total=len(scenario.sent), note="")

        def on_batch(seen: Replay) -> None:
            note = f"{seen.at:%Y-%m-%d}  {seen.rows_per_second:,.0f} flights/s  {in_short(seen.status)}"
            progress.update(task, completed=seen.rows, note=note)
            truth.on_batch(seen)
            scenario.on_batch(seen)

        def on_status(seen: Replay) -> None:
            tell_alerts(f"{seen.at:%Y-%m-%d}")
            scenario.on_status(seen)

        sent = requests(scenario.sent, recipe.features, options.batch_rows)
        pace = Pace(options.rows_per_second())
        seen = replay(client, sent, scenario.status_every, pace, on_status, on_batch)
        truth.end(seen)
        return seen, truth.performance


def _alert_log(console: Console, options: DemoOptions) -> Callable[[str], None]:
    """Return what prints the changes of alerts; nothing without Prometheus."""
    if options.stack is None:
        return lambda date: None
    address = options.stack.alertmanager.address
    return AlertLog(lambda: alerts(address), console.print).look
