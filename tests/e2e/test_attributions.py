"""Two workers share comparisons of attributions: one of them compares for both, and a restart keeps the last."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.workers import service, stop
from tests.whole_rows import kept_bundle, pairs

pytestmark = pytest.mark.e2e

SETTINGS = {"windows": "1000", "attribution_seconds": 2, "evaluation_interval_seconds": 0.5}


def until(client: httpx.Client, rows: int) -> dict[str, Any]:
    """Wait until the rows of both workers were compared."""
    deadline = time.monotonic() + 90.0
    while True:
        status = client.get("/drift/status").json()
        assert status["monitoring"]["healthy"], status["monitoring"]
        found: dict[str, Any] | None = status["attributions"]["last"]
        if found is not None and found["rows"] == rows:
            return found
        assert time.monotonic() < deadline, status["attributions"]
        time.sleep(0.2)


def test_two_workers_share_comparisons_of_the_rows_of_both(tmp_path: Path) -> None:
    bundle, state = tmp_path / "bundle", tmp_path / "state"
    kept_bundle(bundle)
    with service(bundle, state, 2, tmp_path / "log", **SETTINGS) as running:
        clients = running.clients(2)
        for slot, client in clients.items():
            assert client.post("/predict", json={"data": pairs(150, slot).tolist()}).status_code == httpx.codes.OK
        first, other = (until(client, 300) for client in clients.values())
        assert first["method"] == other["method"] == "linear"
        assert first["ndcg"] is not None
        assert set(first["features"]) == {"a", "b"}
        stop(running)
    with service(bundle, state, 2, tmp_path / "log", **SETTINGS) as running:
        assert until(next(iter(running.clients(1).values())), 300)["ndcg"] == pytest.approx(first["ndcg"], abs=0.1)
        stop(running)
