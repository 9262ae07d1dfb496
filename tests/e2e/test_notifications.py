"""A server of two workers notifies of drift by itself, once, and again when it is over."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.monitored import MODEL, Server, await_answer, make_bundle, rows, seen, server
from tests.e2e.processes import free_port
from tests.receivers import Receiver, receiver_of

pytestmark = pytest.mark.e2e
SETTINGS = {
    "DRIFTGAUGE_WORKERS": "2",
    "DRIFTGAUGE_NOTIFY_INTERVAL_SECONDS": "1",
    "DRIFTGAUGE_NOTIFY_HOLD_SECONDS": "2",
    "DRIFTGAUGE_NOTIFY_WAIT_SECONDS": "0",
    "DRIFTGAUGE_NOTIFY_GROUP_SECONDS": "0",
    "DRIFTGAUGE_EXTERNAL_URL": "https://models.example.org",
}

TOTAL = 'server_notifications_total{{name="hook",result="{}"}}'


def settings(receiver: Receiver, folder: Path) -> dict[str, str]:
    tables = [
        {"name": "hook", "kind": "webhook", "url": receiver.url},
        {"name": "log", "kind": "file", "path": str(folder / "sent"), "models": [MODEL]},
    ]
    return {**SETTINGS, "DRIFTGAUGE_STATE_DIR": str(folder / "state"), "DRIFTGAUGE_NOTIFY": json.dumps(tables)}


def told(receiver: Receiver, status: str, name: str = "ModelFeatureDrift") -> list[dict[str, Any]]:
    """Return the messages with alerts of a name and a status."""
    bodies = [json.loads(own.body) for own in list(receiver.requests)]
    return [
        body
        for body in bodies
        if any(own["status"] == status and own["labels"]["alertname"] == name for own in body["alerts"])
    ]


def drift(own: Server, seed: int, *, shift: float) -> None:
    for number in range(10):
        own.send(rows(seed + number, 500, shift=shift))


def counted(own: Server) -> dict[str, float]:
    lines = [
        line
        for line in httpx.get(f"{own.address}/metrics", timeout=60.0).text.splitlines()
        if "notifications_total{" in line
    ]
    return {line.partition(" ")[0]: float(line.partition(" ")[2]) for line in lines}


def test_two_workers_tell_of_drift_once_and_when_it_is_over(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "1")
    with (
        receiver_of() as receiver,
        server(bundle, free_port(), tmp_path / "log", **settings(receiver, tmp_path)) as own,
    ):
        await_answer(own)
        drift(own, 1, shift=5.0)
        (message,) = seen(lambda: told(receiver, "firing"), lambda found: found, own.log.read_text)[:1]
        (alert,) = [one for one in message["alerts"] if one["labels"]["alertname"] == "ModelFeatureDrift"]
        assert alert["labels"]["feature_name"] == "f11"
        assert alert["annotations"]["summary"] == f"f11 of {MODEL} 1 has drifted from the reference."
        assert alert["annotations"]["description"].endswith(" times its limit.")
        assert "https://models.example.org/drift/status?model=coin&feature=f11" in message["text"]
        assert "grafana" not in json.dumps(message)
        drift(own, 50, shift=0.0)
        seen(lambda: told(receiver, "resolved"), lambda found: found, own.log.read_text)
        assert len(told(receiver, "firing")) == 1
        lines = seen(lambda: (tmp_path / "sent").read_text().splitlines(), lambda found: len(found) >= 2)
        assert json.loads(lines[0])["title"] == message["title"]
        sent = seen(lambda: counted(own), lambda found: found[TOTAL.format("sent")] >= 2)
        assert sent[TOTAL.format("failed")] == 0


@pytest.mark.long
def test_a_killed_worker_is_followed_by_another_that_repeats_nothing(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", "1")
    with (
        receiver_of() as receiver,
        server(bundle, free_port(), tmp_path / "log", **settings(receiver, tmp_path)) as own,
    ):
        await_answer(own)
        receiver.answer(503)
        drift(own, 1, shift=5.0)
        seen(lambda: told(receiver, "firing"), lambda found: found, own.log.read_text)
        key = told(receiver, "firing")[0]["id"]
        for slot in range(4):
            pid = httpx.get(f"{own.address}/health", timeout=60.0).json()["worker"]["pid"]
            os.kill(pid, signal.SIGKILL)
            seen(partial(is_replaced, own, pid), also=slot)
        receiver.answer(200)
        before = len(receiver.requests)
        seen(lambda: len(receiver.requests) > before, also=own.log.read_text)
        assert {message["id"] for message in told(receiver, "firing")} == {key}
        assert {own.headers["idempotency-key"] for own in receiver.requests} >= {key}


def is_replaced(own: Server, pid: int) -> bool:
    return worker(own) not in (None, pid)


def worker(own: Server) -> int | None:
    try:
        pid: int = httpx.get(f"{own.address}/health", timeout=60.0).json()["worker"]["pid"]
    except httpx.TransportError:
        return None
    return pid
