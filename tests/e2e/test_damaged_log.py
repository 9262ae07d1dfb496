"""A prediction log that is damaged while two workers write it: both go on in a new file, and predictions too."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest
from driftgauge.predictions.generations import sqlite_file
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.store import PredictionStore

from tests.e2e.workers import coin_bundle, service, stop

pytestmark = [pytest.mark.e2e, pytest.mark.long]

BODY = {"data": [[0.1, -0.2], [1.5, 0.3]]}
SERIES = "prediction_log_damaged_files"


def asked(clients: dict[int, httpx.Client]) -> dict[int, list[str]]:
    """Ask each worker for predictions; return their ids by its slot."""
    found = {}
    for slot, client in clients.items():
        answer = client.post("/predict", json=BODY)
        assert answer.status_code == httpx.codes.OK, answer.text
        found[slot] = [own["prediction_id"] for own in answer.json()["predictions"]]
    return found


def logged(state: Path) -> set[str]:
    store = PredictionStore.open(state)
    found = {id_ for name in store.model_names() for batch in store.read(Selection(name)) for id_ in batch.ids}
    store.close()
    return found


def test_two_workers_go_on_in_one_new_file(tmp_path: Path) -> None:
    bundle, state = coin_bundle(tmp_path / "bundle"), tmp_path / "state"
    with service(bundle, state, 2, tmp_path / "log", prediction_log_durability="acknowledged") as running:
        clients = running.clients(2)
        asked(clients)
        damaged = sqlite_file(state)
        for path in damaged.parent.glob(f"{damaged.name}*"):
            with path.open("r+b") as file:
                file.write(b"damaged " * (path.stat().st_size // 8))
        deadline = time.monotonic() + 60.0
        newest: dict[int, list[str]] = {}
        while not newest or not all(set(ids) <= logged(state) for ids in newest.values()):
            assert time.monotonic() < deadline, running.log.read_text()
            newest = asked(clients)
            time.sleep(0.2)
        assert len(newest) == 2
        assert sqlite_file(state).name == "log-2.sqlite3"
        assert {value for (name, _), value in running.samples().items() if name.endswith(SERIES)} == {1.0}
        stop(running)
