"""Recorded bodies of real programs, sent twice to changing workers, one of which is killed between."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import httpx
import pytest
from driftgauge.drift.reference.baseline import dumps

from tests.e2e.processes import answers, free_port, running, until
from tests.e2e.workers import Service
from tests.ingest_bodies import BODIES, EVENTS, FLUENT_BIT, ROWS, iris_baseline
from tests.served import total

pytestmark = pytest.mark.e2e

BODIES_SENT = [*((name, "/validation") for name in FLUENT_BIT), ("data.1.log", "/ingest/iris?format=bentoml")]


def post(client: httpx.Client, name: str, path: str) -> dict[str, int]:
    """Send a body as it was recorded; return what became of its rows."""
    answer = client.post(path, content=(BODIES / name).read_bytes(), headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["refused"]["records"] == 0, answer.text
    rows: dict[str, int] = answer.json()["rows"]
    assert rows["taken"] + rows["duplicate"] == len(ROWS), (name, rows)
    return rows


def pid_of(client: httpx.Client) -> int:
    pid: int = client.get("/health").json()["worker"]["pid"]
    return pid


def test_bodies_sent_twice_to_changing_workers_are_counted_once_also_if_one_is_killed(tmp_path: Path) -> None:
    baseline, log = tmp_path / "iris.json", tmp_path / "log"
    baseline.write_text(dumps(iris_baseline()))
    address = f"http://127.0.0.1:{free_port()}"
    model = ("--baseline", str(baseline), "--model", "iris")
    options = (*model, "--workers", "2", "--state-dir", str(tmp_path / "state"))
    with (
        running("serve", *options, "--port", address.rpartition(":")[2], log=log) as process,
        contextlib.ExitStack() as connections,
    ):
        until(lambda: answers(address), process, log, 120.0)
        service = Service(process, address, log, connections)
        first, second = service.clients(2).values()
        taken = sum(post((first, second)[turn % 2], *body)["taken"] for turn, body in enumerate(BODIES_SENT))
        until(lambda: logged(second) == taken, process, log)  # they are written behind the answers
        os.kill(victim := pid_of(first), signal.SIGKILL)
        until(lambda: victim not in service.pids() and len(service.pids()) == 2, process, log, 120.0)
        third = next(own for own in service.clients(2).values() if pid_of(own) != pid_of(second))
        for turn, body in enumerate(BODIES_SENT):
            assert post((second, third)[turn % 2], *body) == {"taken": 0, "duplicate": len(ROWS)}
        assert total(service.samples(), "model_ingest_rows_total", result="taken") == taken
        assert total(service.samples(), "model_observations_total", source="ingest") == taken
        times = {row["timestamp"] for row in predictions(second)}
        assert times == {_rfc3339(at) for at in EVENTS}


def predictions(client: httpx.Client) -> list[dict[str, str]]:
    answer = client.get("/predictions", params={"limit": "1000"}, headers={"accept": "application/json"})
    found: list[dict[str, str]] = answer.json()["predictions"]
    return found


def logged(client: httpx.Client) -> int:
    time.sleep(0.1)
    return len(predictions(client))


def _rfc3339(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
