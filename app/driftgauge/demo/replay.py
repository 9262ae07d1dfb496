"""The demo: a server of the flights' model, and the flights from May on replayed into it over HTTP.

With the stack, Prometheus and Alertmanager run beside it and say which alerts fire.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import orjson
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Column, Table
from sklearn.metrics import roc_auc_score

from driftgauge.alerting.options import MonitoringOptions
from driftgauge.demo.flights import (
    CLASSES,
    FEATURES,
    FIRST_REPLAYED_MONTH,
    cache_folder,
    is_complete,
    load_flights,
    make_bundle,
)
from driftgauge.demo.prometheus_stack import (
    Alert,
    Endpoint,
    Endpoints,
    alerts,
    alerts_page,
    programs,
    require_free,
    running,
    stack,
    total,
)
from driftgauge.errors import DemoError
from driftgauge.models.bundle import BUNDLE_FILE
from driftgauge.settings.options import variable

REPLAY_SETTINGS: Final = {
    # Without a rest between evaluations each report is of just the rows that were sent: replays agree.
    "evaluation_rest_factor": "0",
    # The 10,000 flights of the main window are those of ten days or more.
    "max_age_seconds": str(30 * 86_400),
}
VERDICTS: Final = {
    ("insufficient_data", None): "?",
    ("normal", None): "·",
    ("warning", "warning"): "real",
    ("drift_detected", "warning"): "big",
    ("drift_detected", "critical"): "BIG",
}
LEGEND: Final = (
    "real: the evidence (its logarithm) reached its threshold, so that it is not chance; big, BIG: and the effect, "
    "PSI by its threshold, reached 1, or the one for critical. varies: the PSI that windows of the training months "
    "reach among themselves; tau: how many flights in a row tell as much as one by itself."
)
STATUS_EVERY_ROWS: Final = 2_500
STACK_PACE: Final = 2_000
"""Rows per second that give Prometheus the time to see what happens."""
HOLD: Final = "5s"
SETTLE_SECONDS: Final = 10.0
"""After the last row, until every alert that it caused fires: a scrape, an evaluation, and the time that it holds."""


# ---------------------------------------------------------------- the server


@contextlib.contextmanager
def server(
    bundle: Path, port: int, log: Path, host: str = "127.0.0.1"
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `driftgauge serve` while the block runs; gives its address and its process."""
    place = Endpoint(port, host=host)
    require_free(place)
    env = {**os.environ, **{variable(name): value for name, value in REPLAY_SETTINGS.items()}}
    ready = f"{place.address}/health/ready"
    with running("the server", serve_command(bundle, place), ready, log, env) as process:
        yield place.address, process


def serve_command(bundle: Path, place: Endpoint) -> list[str]:
    """Return the command that serves the bundle there."""
    listen = ["--host", place.host, "--port", str(place.port)]
    replay = ("--clock", "event", "--state-dir", "memory")  # each replay begins anew
    return [sys.executable, "-m", "driftgauge", "serve", "--bundle", str(bundle), *listen, *replay]


# ---------------------------------------------------------------- the replay


class Pace:
    """Rows per second, kept from the start on: what one wait is late, the next makes good."""

    def __init__(
        self,
        rows_per_second: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rows_per_second = rows_per_second
        self._clock = clock
        self._sleep = sleep
        self._started: float | None = None

    def wait(self, rows: int) -> None:
        """Wait until that many rows should have been sent; the first call starts the time."""
        if self._started is None:
            self._started = self._clock()
        if self._rows_per_second is None:
            return
        early = self._started + rows / self._rows_per_second - self._clock()
        if early > 0:
            self._sleep(early)


@dataclass
class Replay:
    """What the replay saw."""

    rows: int = 0
    seconds: float = 0.0
    scores: list[float] = field(default_factory=list)
    verdicts: dict[str, dict[str, str]] = field(default_factory=dict)
    """By month and column, the last verdict of the month: a word of `VERDICTS`."""
    status: dict[str, Any] = field(default_factory=dict)
    """The last `/drift/status`."""


def requests(flights: pd.DataFrame, batch_rows: int) -> Iterator[tuple[bytes, int, str]]:
    """Yield a body for the flights of each scheduled hour, their number and their date."""
    columns = [flights[name].astype(object).where(flights[name].notna(), None).tolist() for name in FEATURES]
    times = flights["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
    hours = flights["time"].dt.floor("h")
    starts = np.flatnonzero((hours != hours.shift()).to_numpy())
    for start, end in zip(starts, [*starts[1:], len(times)], strict=True):
        for first in range(start, end, batch_rows):
            part = slice(first, min(first + batch_rows, end))
            rows = [list(row) for row in zip(*(column[part] for column in columns), strict=True)]
            yield orjson.dumps({"data": rows, "timestamps": times[part]}), len(rows), times[first][:10]


def replay(
    client: httpx.Client,
    flights: pd.DataFrame,
    batch_rows: int,
    progress: Progress | None = None,
    pace: Pace | None = None,
    look: Callable[[str], None] | None = None,
) -> Replay:
    """Send the flights in order and read the verdict as they go; `look` is called with the date as often."""
    seen, pace = Replay(), pace or Pace()
    task = progress.add_task("replay", total=len(flights), note="") if progress else None
    started, next_status = time.perf_counter(), STATUS_EVERY_ROWS
    for body, rows, date in requests(flights, batch_rows):
        pace.wait(seen.rows)
        answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
        if answer.status_code != 200:
            raise DemoError(f"the server refused a batch: {answer.text}")
        seen.scores.extend(row["score"] for row in orjson.loads(answer.content)["predictions"])
        seen.rows += rows
        if seen.rows >= next_status or seen.rows == len(flights):
            next_status = seen.rows + STATUS_EVERY_ROWS
            _look(client, seen, f"{flights['month'].iloc[seen.rows - 1]:02d}")
            if look:
                look(date)
        seen.seconds = time.perf_counter() - started
        if progress and task is not None:
            note = f"{date}  {seen.rows / seen.seconds:,.0f} rows/s  {_in_short(seen.status)}"
            progress.update(task, completed=seen.rows, note=note)
    return seen


def _look(client: httpx.Client, seen: Replay, month: str) -> None:
    """Read the status and remember the verdict on each column."""
    seen.status = client.get("/drift/status", params={"windows": "all"}).raise_for_status().json()
    words = {name: VERDICTS[column["status"], column["severity"]] for name, column in _columns(seen.status).items()}
    seen.verdicts[month] = words


def _in_short(status: Mapping[str, Any]) -> str:
    if not status:
        return ""
    moved = status["drifted_features"]
    names = ", ".join(moved[:3]) + (f" +{len(moved) - 3}" if len(moved) > 3 else "")
    return f"{status['status']} {names}"


def auc_by_month(flights: pd.DataFrame, scores: Sequence[float]) -> dict[int, tuple[int, float]]:
    """Return by month how many replayed flights arrived, and the AUC of their scores."""
    rows = flights.iloc[: len(scores)].assign(score=scores)
    rows = rows[rows["late"].notna()]
    return {
        month: (len(part), float(roc_auc_score(part["late"] == CLASSES[1], part["score"])))
        for month in rows["month"].unique().tolist()
        if (part := rows[rows["month"] == month])["late"].nunique() == 2
    }


# ---------------------------------------------------------------- the alerts


class AlertLog:
    """Says which alerts began or ceased to fire since it last looked."""

    def __init__(self, ask: Callable[[], Iterable[Alert]], say: Callable[[str], None]) -> None:
        self._ask = ask
        self._say = say
        self._firing: set[Alert] = set()

    def look(self, date: str) -> None:
        """Ask for the alerts and say what changed, with the date that the replay is at."""
        firing = {alert for alert in self._ask() if alert.state == "firing"}
        for change, changed in (("fires", firing - self._firing), ("fires no more", self._firing - firing)):
            for name, severity, _, features in by_alert(changed):
                self._say(f"{date}  {name} ({severity}) {change}{': ' if features else ''}{features}")
        self._firing = firing


def by_alert(found: Iterable[Alert]) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, severity, state and features of the alerts, those that differ in the feature alone together."""
    for key, group in groupby(
        sorted(found, key=lambda alert: (alert.name, alert.severity, alert.state, alert.feature)),
        key=lambda alert: (alert.name, alert.severity, alert.state),
    ):
        features = dict.fromkeys(alert.feature for alert in group if alert.feature)
        yield *key, ", ".join(features)


def print_alerts(console: Console, found: Sequence[Alert], counted: float) -> None:
    """Print how many predictions Prometheus counted, and the alerts that fire or are about to."""
    console.print("\n[bold]What Prometheus says[/bold]")
    console.print(f"{counted:,.0f} predictions counted; an alert fires once its condition held for {HOLD}")
    table = Table("alert", "severity", "state", "about", box=None)
    for row in by_alert(found):
        table.add_row(*row)
    console.print(table)


# ---------------------------------------------------------------- the command


@dataclass(frozen=True)
class DemoOptions:
    """What `driftgauge demo` was asked to do."""

    place: Endpoint
    """Where the server listens."""
    rows: int | None = None
    """Flights to replay; None for all."""
    leave: bool = False
    """Whether it ends after the replay."""
    batch_rows: int = 500
    pace: float | None = None
    """Rows per second; None for as fast as it goes, or STACK_PACE with the stack."""
    stack: Endpoints | None = None
    """Where Prometheus and Alertmanager listen; None for neither."""

    def rows_per_second(self) -> float | None:
        """Return the pace that holds."""
        return self.pace or (STACK_PACE if self.stack else None)

    def places(self) -> list[Endpoint]:
        """Return where something will listen."""
        return [self.place, *([self.stack.prometheus, self.stack.alertmanager] if self.stack else [])]

    def monitoring(self, places: Endpoints) -> MonitoringOptions:
        """Return a configuration that is fast enough to be watched."""
        listen = [place.address.removeprefix("http://") for place in (self.place, places.prometheus)]
        return MonitoringOptions(
            scrape_interval="1s",
            window="15s",
            hold=HOLD,
            base_url=self.place.address,
            targets=(listen[0],),
            prometheus=listen[1],
            alertmanager=places.alertmanager.address.removeprefix("http://"),
            group_wait="1s",
            group_interval="5s",
        )


def run(options: DemoOptions) -> int:
    """Train once, serve, replay, report; returns the exit code."""
    console = Console()
    found = programs() if options.stack else None
    for place in options.places():
        require_free(place)
    flights, bundle = _prepare(console)
    log = bundle.parent / "demo-server.log"
    with contextlib.suppress(KeyboardInterrupt), _sigterm_interrupts(), contextlib.ExitStack() as started:
        serving = server(bundle, options.place.port, log, options.place.host)
        _, process = started.enter_context(serving)
        if options.stack and found:
            started.enter_context(stack(found, options.stack, options.monitoring(options.stack), bundle.parent))
        print_addresses(console, options)
        _replay_and_report(console, options, flights, bundle, log)
        if not options.leave:
            print_addresses(console, options)
            staying = ("servers stay", "them") if options.stack else ("server stays", "it")
            console.print("The {} up. Ctrl-C ends {}.".format(*staying))
            process.wait()
            raise DemoError(f"the server ended by itself; its log is {log}")
    return 0


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does, with everything that it started."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _prepare(console: Console) -> tuple[pd.DataFrame, Path]:
    """Return the flights and the folder of their bundle, which is made if it is not there."""
    with _progress(console) as progress:
        task = progress.add_task("train", total=1.0, note="reading the flights of 2013")
        flights = load_flights()
        bundle = cache_folder()
        if not is_complete(bundle):
            make_bundle(flights, bundle, lambda part, what: progress.update(task, completed=part, note=what))
        progress.update(task, completed=1.0, note=f"model and baseline: {bundle}")
    return flights, bundle


def _replay_and_report(console: Console, options: DemoOptions, flights: pd.DataFrame, bundle: Path, log: Path) -> None:
    replayed = flights[flights["month"] >= FIRST_REPLAYED_MONTH].head(options.rows or len(flights))
    prometheus = options.stack.prometheus.address if options.stack else None
    watch = AlertLog(lambda: alerts(prometheus), console.print).look if prometheus else None
    client = httpx.Client(base_url=options.place.address, timeout=60.0)
    with _progress(console) as progress, client:
        try:
            pace = Pace(options.rows_per_second())
            seen = replay(client, replayed, options.batch_rows, progress, pace, watch)
        except httpx.HTTPError as error:
            raise DemoError(f"the server stopped answering ({error}); its log is {log}") from error
    print_summary(console, seen, replayed, orjson.loads((bundle / BUNDLE_FILE).read_bytes()))
    if prometheus:
        with console.status("waiting until the last alerts fire"):
            time.sleep(SETTLE_SECONDS)
        print_alerts(console, alerts(prometheus), total(prometheus, "model_predictions_total"))


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=6)),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def print_addresses(console: Console, options: DemoOptions) -> None:
    """Print the address of every page."""
    table = Table(box=None, show_header=False)
    table.add_row("verdict", f"{options.place.address}/drift/status")
    table.add_row("metrics", f"{options.place.address}/metrics")
    table.add_row("documentation", f"{options.place.address}/docs")
    if options.stack:
        table.add_row("alerts", alerts_page(options.stack.prometheus.address))
        table.add_row("Alertmanager", f"{options.stack.alertmanager.address}/#/alerts")
    console.print(table)


def print_summary(console: Console, seen: Replay, flights: pd.DataFrame, info: Mapping[str, Any]) -> None:
    """Print how fast it went, how well the model did by month, and what drifted when."""
    console.print(
        f"\n{seen.rows:,} flights in {seen.seconds:.1f} s, {seen.rows / seen.seconds:,.0f} rows/s, "
        f"monitored and over HTTP"
    )
    severity = f" ({seen.status['severity']})" if seen.status["severity"] else ""
    console.print(f"verdict: [bold]{seen.status['status']}[/bold]{severity}: {seen.status['reason']}")
    console.print("\n[bold]How well the model ranks late flights[/bold]")
    months = Table("month", "arrived", "AUC", box=None)
    performance = info["performance"]
    months.add_row("04, held out", f"{performance['rows']:,}", f"{performance['metrics']['roc_auc']:.3f}")
    for month, (arrived, auc) in auc_by_month(flights, seen.scores).items():
        months.add_row(f"{month:02d}", f"{arrived:,}", f"{auc:.3f}")
    console.print(months)
    console.print("\n[bold]What drifted when[/bold]  the verdict at the end of each month, and the numbers at the end")
    console.print(drift_table(seen))
    console.print(LEGEND)


def drift_table(seen: Replay) -> Table:
    """Return a table of the verdicts by month and column, with what they rest on at the end."""
    threshold = seen.status["evidence"]["threshold_log10"]
    numbers = (f"evidence/{threshold:.1f}", "effect", "varies", "tau")
    table = Table("column", *seen.verdicts, *numbers, box=None, padding=(0, 1, 0, 0))
    for name, column in _columns(seen.status).items():
        verdicts = (seen.verdicts[month].get(name, "") for month in seen.verdicts)
        judged = [window for window in column["windows"].values() if window["psi_threshold"]]
        window = max(judged, key=_effect)
        table.add_row(
            name,
            *verdicts,
            "" if column["evidence_log10"] is None else f"{column['evidence_log10']:.1f}",
            f"{_effect(window):.2f}",
            f"{window['psi_expected_max']:.2f}",
            "" if column["tau"] is None else f"{column['tau']:.3g}",
        )
    return table


def _columns(status: Mapping[str, Any]) -> dict[str, Any]:
    return {**status["features"], "prediction": status["prediction"]}


def _effect(window: Mapping[str, Any]) -> float:
    """Return a window's PSI in units of its threshold: the largest decides."""
    return float((window["psi_debiased"] or 0.0) / window["psi_threshold"]["warning"])
