"""A server compares its rows with the days before, which it counts from its prediction log."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from driftgauge.common.rfc3339 import rfc3339

from tests.e2e.workers import coin_bundle, service, stop

pytestmark = [pytest.mark.e2e, pytest.mark.long]

DAY = 86_400.0
FIRST = 19_675
DAYS = 5
ROWS = 1_200
SETTINGS = {
    "clock": "event",
    "reference": "rolling",
    "rolling_reference_days": 3,
    "rolling_reference_refresh_seconds": 5,  # also how often a worker looks
    "windows": "1000",
    "prediction_log_max_age_seconds": 1e9,
    "prediction_log_durability": "acknowledged",
}


def send(address: str, day: int, shift: float = 0.0) -> None:
    """Send the rows of one day, which are spread over it."""
    x = np.random.default_rng(day).normal(size=(ROWS, 2))
    x[:, 0] += shift
    at = FIRST * DAY + day * DAY + np.arange(ROWS) * DAY / ROWS
    times = [rfc3339(moment, "milliseconds") for moment in at.tolist()]
    for first in range(0, ROWS, 300):
        body = {"data": x[first : first + 300].tolist(), "timestamps": times[first : first + 300]}
        answer = httpx.post(f"{address}/predict", json=body, timeout=60.0)
        assert answer.status_code == httpx.codes.OK, answer.text


def until_built(address: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 90.0
    while True:
        status = httpx.get(f"{address}/drift/status", timeout=30.0).json()
        assert status["monitoring"]["healthy"], status["monitoring"]
        found: dict[str, Any] | None = status["references"]
        if found is not None and wanted(found["rolling"]):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def test_rows_are_compared_with_the_days_before_also_after_a_restart(tmp_path: Path) -> None:
    bundle, state = coin_bundle(tmp_path / "bundle"), tmp_path / "state"
    end = rfc3339((FIRST + DAYS - 1) * DAY)
    with service(bundle, state, 1, tmp_path / "log", **SETTINGS) as running:
        for day in range(DAYS):
            send(running.address, day)
        send(running.address, DAYS, shift=4.0)
        found = until_built(running.address, lambda own: own["to"] == end)
        rolling = found["rolling"]
        assert set(rolling["changed"]) >= {"a", "prediction"}
        assert (rolling["severity"], rolling["features"]["b"]["severity"]) == ("warning", None)
        assert [rolling["features"][name]["rows"] for name in ("a", "b")] == [3 * ROWS, 3 * ROWS]
        stop(running)
    with service(bundle, state, 1, tmp_path / "log", **SETTINGS) as running:
        again = until_built(running.address, lambda own: own["to"] == end)
        assert again["rolling"]["features"]["a"]["rows"] == 3 * ROWS
        assert again["rolling"]["changed"] == rolling["changed"]
        stop(running)
