"""A monitor in programs of several processes: one truth, whichever process answers."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from driftgauge.drift.reference.baseline import dumps
from driftgauge.library.monitor import Monitor

from tests.e2e.processes import free_port, running, until
from tests.e2e.workers import lives, samples_of
from tests.monitors import small_baseline
from tests.served import total

WORKERS = 3
AT_ONCE = 6
"""Connections at once, to find every process."""
ROW = {"age": 41.0, "flag": 1.0, "city": "north"}
COUNTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("model_observations_total", {"source": "library"}),
    ("model_predictions_total", {}),
    ("model_prediction_latency_seconds_count", {"batch_size_bucket": "small"}),
    ("model_prediction_score_count", {}),
    ("model_feature_bin_rows_total", {"feature_name": "city", "bin": "north"}),
)
"""What a program of several processes counts once for each prediction."""
FASTAPI = """
    import os
    from driftgauge import Monitor, instrument
    from fastapi import FastAPI

    monitor = Monitor.open("baseline.json", name="churn", version="1", state_dir="state")
    app = FastAPI()
    app.mount("/monitoring", monitor.asgi())

    @app.middleware("http")
    async def named(request, call_next):
        answer = await call_next(request)
        answer.headers["x-pid"] = str(os.getpid())
        return answer

    @app.post("/predict")
    async def predict(row: dict) -> dict:
        return {"score": row["age"] / 100.0}

    instrument(app, monitor, route="/predict", prediction="score")
"""
FLASK = """
    import os
    from driftgauge import Monitor
    from flask import Flask, request
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    monitor = Monitor.open("baseline.json", name="churn", version="1", state_dir="state")
    app = Flask("service")

    @monitor.watch
    def scored(row):
        return row["age"] / 100.0

    @app.post("/predict")
    def predict():
        return {"score": scored(request.json)}

    def named(inner):
        def answer(environ, start_response):
            def start(status, headers, *more):
                return start_response(status, [*headers, ("x-pid", str(os.getpid()))], *more)
            return inner(environ, start)
        return answer

    app.wsgi_app = named(DispatcherMiddleware(app.wsgi_app, {"/monitoring": monitor.wsgi()}))
"""
UVICORN = ("-m", "uvicorn", "service:app", "--workers", str(WORKERS), "--port")
GUNICORN = ("-m", "gunicorn", "service:app", "--workers", str(WORKERS), "--no-control-socket", "--bind")
OF_LOOPS = ("--worker-class", "uvicorn_worker.UvicornWorker")
SERVERS = {
    "uvicorn": (FASTAPI, UVICORN, ()),
    "gunicorn-loops": (FASTAPI, GUNICORN, OF_LOOPS),
    "gunicorn-loops-preload": (FASTAPI, GUNICORN, (*OF_LOOPS, "--preload")),
    "gunicorn-sync": (FLASK, GUNICORN, ()),
    "gunicorn-sync-preload": (FLASK, GUNICORN, ("--preload",)),
}


@dataclass(frozen=True)
class Service:
    """A program of several processes."""

    address: str
    folder: Path
    log: Path

    def ask(self, path: str, method: str = "GET", **options: Any) -> tuple[int, httpx.Response]:
        """Return who answered a new connection, and what."""
        answer = httpx.request(method, f"{self.address}{path}", timeout=30.0, **options)
        assert answer.status_code == 200, (path, answer.text, self.log.read_text())
        return int(answer.headers["x-pid"]), answer

    def predict(self, times: int) -> None:
        for _ in range(times):
            assert self.ask("/predict", "POST", json=ROW)[1].json() == {"score": 0.41}

    def of_each(self, path: str) -> dict[int, httpx.Response]:
        """Return the answers of all processes, by process."""
        found: dict[int, httpx.Response] = {}
        deadline = time.monotonic() + 60.0
        with ThreadPoolExecutor(AT_ONCE) as threads:  # an idle process takes a connection when others are busy
            while len(found) < WORKERS:
                assert time.monotonic() < deadline, (sorted(found), self.log.read_text())
                found |= dict(threads.map(self.ask, [path] * AT_ONCE))
        return found

    def settled(self, rows: int) -> list[int]:
        """Wait until every process reports these rows, in verdict and metrics; returns the processes.

        Processes publish what they count each second.
        """
        deadline = time.monotonic() + 60.0
        while True:
            verdicts = self.of_each("/monitoring/drift/status")
            told = [answer.json()["rows_observed"] for answer in verdicts.values()]
            metrics = [samples_of(answer.text) for answer in self.of_each("/monitoring/metrics").values()]
            counts = [[total(own, name, **labels) for name, labels in COUNTS] for own in metrics]
            if told == [rows] * WORKERS and counts == [[rows] * len(COUNTS)] * WORKERS:
                assert {total(own, "model_monitoring_healthy") for own in metrics} == {1.0}
                return list(verdicts)
            assert time.monotonic() < deadline, (told, counts, self.log.read_text())
            time.sleep(0.2)


@pytest.fixture(params=SERVERS)
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A program with a monitor under a server of three processes."""
    program, command, options = SERVERS[request.param]
    (tmp_path / "service.py").write_text(textwrap.dedent(program))
    (tmp_path / "baseline.json").write_text(dumps(small_baseline()), "utf-8")
    port, log = free_port(), tmp_path / "log"
    address = f"http://127.0.0.1:{port}"
    where = str(port) if command is UVICORN else f"127.0.0.1:{port}"
    env = {**os.environ, "DRIFTGAUGE_EVALUATION_REST_FACTOR": "0", "DRIFTGAUGE_LEARNING_SECONDS": "0"}
    with running(*command, where, *options, log=log, env=env, command=[sys.executable], cwd=tmp_path) as process:
        until(lambda: _answers(address), process, log)
        yield Service(address, tmp_path, log)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60.0)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/monitoring/health", timeout=60.0).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.e2e
@pytest.mark.long
def test_processes_tell_one_truth_and_one_that_is_killed_is_replaced(service: Service) -> None:
    service.predict(60)
    killed = service.settled(60)[0]
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + 60.0
    while lives(killed):
        assert time.monotonic() < deadline, service.log.read_text()
        time.sleep(0.02)
    assert killed not in service.settled(60)
    service.predict(30)
    service.settled(90)
    logs = list((service.folder / "state").rglob("*.log"))
    assert WORKERS <= len(logs) <= WORKERS + 1  # with preload also that of the process that forks
    with Monitor.open(small_baseline(), name="churn", version="1", state_dir=service.folder / "state") as monitor:
        assert monitor.report().rows_observed == 90
