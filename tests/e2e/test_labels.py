"""Labels and outcomes come in through any worker, and every worker says the same of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.workers import coin_bundle, service

pytestmark = [pytest.mark.e2e, pytest.mark.long]

ROWS = 200


def until_all_say(clients: Mapping[int, httpx.Client], key: str, wanted: Any, of: str) -> None:
    """Wait until each worker's status says what is wanted."""
    deadline = time.monotonic() + 90.0
    while True:
        found = {slot: client.get("/drift/status").json() for slot, client in clients.items()}
        said = {slot: status[of][key] if of == "labels" else status[of] for slot, status in found.items()}
        if all(own == wanted for own in said.values()):
            return
        assert time.monotonic() < deadline, said
        time.sleep(0.5)


def test_labels_come_in_through_any_worker(tmp_path: Path) -> None:
    bundle = coin_bundle(tmp_path / "bundle")
    with service(bundle, tmp_path / "state", 2, tmp_path / "log", outcomes='{"click": {"kind": "event"}}') as running:
        clients = running.clients(2)
        first, second = clients.values()
        predicted = first.post("/predict", json={"data": [[0.1, -0.2]] * ROWS}).json()["predictions"]
        rows = [{"prediction_id": own["prediction_id"], "label": 1, "outcomes": {"click": True}} for own in predicted]
        posted: dict[str, int] = {}
        for client, part in ((first, rows[: ROWS // 2]), (second, rows[ROWS // 2 :]), (second, rows[:10])):
            answer = client.post("/labels", json=part)
            assert answer.status_code == 200, answer.text
            for result, count in answer.json()["labels"].items():
                posted[result] = posted.get(result, 0) + count
        # A row that is not logged yet when its label comes waits for it, and is matched then.
        assert posted["matched"] + posted["waiting"] + posted["repeated"] == ROWS + 10
        until_all_say(clients, "waiting", 0, "labels")
        results = {slot: own.get("/drift/status").json()["labels"]["results"] for slot, own in clients.items()}
        assert [own["matched"] for own in results.values()] == [ROWS, ROWS]
        samples = running.samples()
        matched = [
            value
            for (name, labels), value in samples.items()
            if name == "model_labels_total" and ("result", "matched") in labels
        ]
        assert matched == [float(ROWS)]
