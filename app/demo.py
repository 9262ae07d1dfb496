"""The demo: a server of the flights' model, and the flights from May on replayed into it over HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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

from app.bundles import BUNDLE_FILE
from app.errors import BundleError
from app.flights import (
    CLASSES,
    FEATURES,
    FIRST_REPLAYED_MONTH,
    cache_folder,
    is_complete,
    load_flights,
    make_bundle,
)
from app.settings import variable

STATUS_EVERY_ROWS: Final = 2_500


# ---------------------------------------------------------------- the server


@contextlib.contextmanager
def server(bundle: Path, port: int, log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `driftgauge serve` while the block runs; gives its address and its process."""
    _refuse_taken(port)
    command = [sys.executable, "-m", "app", "serve", "--bundle", str(bundle), "--port", str(port), "--clock", "event"]
    address = f"http://127.0.0.1:{port}"
    # Without a rest between evaluations each report is of just the rows that were sent: replays agree.
    env = {**os.environ, variable("evaluation_rest_factor"): "0"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603  # our own
        try:
            _wait_until_ready(address, process, log)
            yield address, process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BundleError(f"port {port} is taken ({error.strerror}): choose another with --port") from error


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BundleError(f"the server ended by itself; its log is {log}:\n{log.read_text()[-2000:]}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/health/ready").status_code == 200:
                return
        time.sleep(0.05)
    raise BundleError(f"the server was not ready after {seconds:.0f} s; its log is {log}")


# ---------------------------------------------------------------- the replay


@dataclass
class Replay:
    """What the replay saw."""

    rows: int = 0
    seconds: float = 0.0
    scores: list[float] = field(default_factory=list)
    first_drift: dict[str, str] = field(default_factory=dict)
    """The date on which each column first drifted."""
    ever: dict[str, int] = field(default_factory=dict)
    """In how many of the status reports each column was drifted."""
    reports: int = 0
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


def replay(client: httpx.Client, flights: pd.DataFrame, batch_rows: int, progress: Progress | None = None) -> Replay:
    """Send the flights in order and read the verdict as they go."""
    seen = Replay()
    task = progress.add_task("replay", total=len(flights), note="") if progress else None
    started, next_status = time.perf_counter(), STATUS_EVERY_ROWS
    for body, rows, date in requests(flights, batch_rows):
        answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
        if answer.status_code != 200:
            raise BundleError(f"the server refused a batch: {answer.text}")
        seen.scores.extend(row["score"] for row in orjson.loads(answer.content)["predictions"])
        seen.rows += rows
        if seen.rows >= next_status or seen.rows == len(flights):
            next_status = seen.rows + STATUS_EVERY_ROWS
            _look(client, seen)
        seen.seconds = time.perf_counter() - started
        if progress and task is not None:
            note = f"{date}  {seen.rows / seen.seconds:,.0f} rows/s  {_in_short(seen.status)}"
            progress.update(task, completed=seen.rows, note=note)
    return seen


def _look(client: httpx.Client, seen: Replay) -> None:
    """Read the status and remember what drifted."""
    seen.status = client.get("/drift/status").raise_for_status().json()
    seen.reports += 1
    for name, column in _columns(seen.status).items():
        if column["status"] == "drift_detected":
            seen.first_drift.setdefault(name, column["since"][:10])
            seen.ever[name] = seen.ever.get(name, 0) + 1


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


# ---------------------------------------------------------------- the command


def run(rows: int | None, leave: bool, port: int, batch_rows: int) -> int:
    """Train once, serve, replay, report; returns the exit code."""
    console = Console()
    with _progress(console) as progress:
        task = progress.add_task("train", total=1.0, note="reading the flights of 2013")
        flights = load_flights()
        bundle = cache_folder()
        if not is_complete(bundle):
            make_bundle(flights, bundle, lambda part, what: progress.update(task, completed=part, note=what))
        progress.update(task, completed=1.0, note=f"model and baseline: {bundle}")
    replayed = flights[flights["month"] >= FIRST_REPLAYED_MONTH].head(rows or len(flights))
    log = bundle.parent / "demo-server.log"
    with contextlib.suppress(KeyboardInterrupt), server(bundle, port, log) as (address, process):
        _print_addresses(console, address)
        with _progress(console) as progress, httpx.Client(base_url=address, timeout=60.0) as client:
            try:
                seen = replay(client, replayed, batch_rows, progress)
            except httpx.HTTPError as error:
                raise BundleError(f"the server stopped answering ({error}); its log is {log}") from error
        print_summary(console, seen, replayed, orjson.loads((bundle / BUNDLE_FILE).read_bytes()))
        if not leave:
            _print_addresses(console, address)
            console.print("The server stays up. Ctrl-C ends it.")
            process.wait()
            raise BundleError(f"the server ended by itself; its log is {log}")
    return 0


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=6)),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def _print_addresses(console: Console, address: str) -> None:
    table = Table(box=None, show_header=False)
    table.add_row("verdict", f"{address}/drift/status")
    table.add_row("metrics", f"{address}/metrics")
    table.add_row("documentation", f"{address}/docs")
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
    console.print("\n[bold]What drifted when[/bold]")
    table = Table("column", "first drifted", "share of time", "now", "PSI", "threshold", "of the last", box=None)
    for name, column in _columns(seen.status).items():
        share = seen.ever.get(name, 0) / max(1, seen.reports)
        now = column["severity"] or column["status"]
        window = max(column["windows"].values(), key=_effect)
        table.add_row(
            name,
            seen.first_drift.get(name, "–"),
            f"{share:.0%}" if share else "",
            now,
            "" if window["psi_debiased"] is None else f"{window['psi_debiased']:.3f}",
            f"{window['psi_threshold']['warning']:.3f}",
            f"{window['rows']:,} rows",
        )
    console.print(table)


def _columns(status: Mapping[str, Any]) -> dict[str, Any]:
    return {**status["features"], "prediction": status["prediction"]}


def _effect(window: Mapping[str, Any]) -> float:
    """Return a window's PSI in units of its threshold: the largest decides."""
    return float((window["psi_debiased"] or 0.0) / window["psi_threshold"]["warning"])
