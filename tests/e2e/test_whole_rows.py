"""Two workers share comparisons of whole rows: one of them compares, all show it, and a restart keeps it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.workers import Service, service, stop
from tests.whole_rows import kept_bundle, pairs

pytestmark = pytest.mark.e2e

SETTINGS = {
    "windows": "1000",
    "multivariate": "verdict",
    "multivariate_interval_seconds": 3,
    "evaluation_interval_seconds": 0.5,
}
HALF = 500


def send(clients: dict[int, httpx.Client], correlation: float) -> None:
    """Send half of the window to each worker."""
    for slot, client in clients.items():
        answer = client.post("/predict", json={"data": pairs(HALF, slot, correlation).tolist()})
        assert answer.status_code == httpx.codes.OK, answer.text


def compared(client: httpx.Client) -> dict[str, Any]:
    status = client.get("/drift/status").json()
    assert status["monitoring"]["healthy"], status["monitoring"]
    found: dict[str, Any] = status["multivariate"]
    return found


def until(running: Service, client: httpx.Client, severity: str | None) -> dict[str, Any]:
    """Wait until the last comparison, of the rows of both workers, has a severity."""
    deadline = time.monotonic() + 90.0
    while True:
        found = compared(client)
        last = found["last"]
        if last is not None and last["rows"] == 2 * HALF and found["severity"] == severity:
            return found
        assert time.monotonic() < deadline, (found, running.log.read_text())
        time.sleep(0.2)


def test_two_workers_share_comparisons_of_the_rows_of_both(tmp_path: Path) -> None:
    bundle, state = tmp_path / "bundle", tmp_path / "state"
    kept_bundle(bundle)
    with service(bundle, state, 2, tmp_path / "log", **SETTINGS) as running:
        clients = running.clients(2)
        first, other = clients.values()
        send(clients, 0.9)
        alike = until(running, first, None)
        assert alike["last"]["auc"]["low"] < 0.5
        send(clients, -0.9)
        for client in (first, other):
            until(running, client, "critical")
        deadline = time.monotonic() + 60.0
        while (status := other.get("/drift/status").json())["severity"] != "critical":
            assert time.monotonic() < deadline, status["reason"]
            time.sleep(0.2)
        began, before = time.monotonic(), sum(compared(first)["comparisons"].values())
        time.sleep(9.0)
        made = sum(compared(other)["comparisons"].values()) - before
        assert made <= (time.monotonic() - began) / 3.0 + 1.0  # one for all, not one a worker
        asked = other.post("/drift/multivariate").json()
        assert asked["rows"] == 2 * HALF
        assert compared(first)["last"]["compared_at"] >= asked["compared_at"]
        stop(running)
    with service(bundle, state, 2, tmp_path / "log", **SETTINGS) as running:
        again = compared(next(iter(running.clients(1).values())))
        assert again["last"]["rows"] == 2 * HALF
        assert sum(again["comparisons"].values()) >= before
        stop(running)
