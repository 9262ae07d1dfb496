"""Predictions that were answered are in the prediction log, whatever happens to the server."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.store import PredictionStore

from tests.e2e.workers import coin_bundle, service, stop

pytestmark = pytest.mark.e2e

KILLS = 50
CLIENTS = 3


class Askers:
    """Clients that predict one after another, and remember the ids of their answers."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.ids: list[str] = []
        self.lost = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[Askers]:
        over = threading.Event()
        threads = [threading.Thread(target=self._ask, args=(over,), daemon=True) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            over.set()
            for thread in threads:
                thread.join(timeout=60.0)
            assert not any(thread.is_alive() for thread in threads)

    def _ask(self, over: threading.Event) -> None:
        while not over.wait(0.01):
            try:
                answer = httpx.post(f"{self.address}/predict", json={"data": [[0.1, -0.2], [1.5, 0.3]]}, timeout=30.0)
            except httpx.TransportError:
                self.lost += 1
                continue
            assert answer.status_code == httpx.codes.OK, answer.text
            self.ids += [row["prediction_id"] for row in answer.json()["predictions"]]


def logged(state: Path) -> set[str]:
    store = PredictionStore.open(state)
    ids = {id_ for batch in store.read(Selection("coin", with_features=False)) for id_ in batch.ids}
    store.close()
    return ids


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coin_bundle(tmp_path_factory.mktemp("logged") / "bundle")


def test_a_stop_writes_what_was_answered(bundle: Path, tmp_path: Path) -> None:
    with service(bundle, tmp_path / "state", 2, tmp_path / "log") as running:
        with Askers(running.address).running() as askers:
            time.sleep(2.0)
        stop(running)
    assert len(askers.ids) > 10
    assert set(askers.ids) <= logged(tmp_path / "state")


@pytest.mark.long
def test_what_was_answered_is_shown_and_exported_while_the_server_runs(bundle: Path, tmp_path: Path) -> None:
    state, out = tmp_path / "state", tmp_path / "log.parquet"
    with service(bundle, state, 2, tmp_path / "log", prediction_log_durability="acknowledged") as running:
        with Askers(running.address).running() as askers:
            while len(askers.ids) < 50:
                time.sleep(0.01)
            known = list(askers.ids)
            command = [
                sys.executable,
                "-m",
                "driftgauge",
                "log",
                "export",
                "--state-dir",
                str(state),
                "--out",
                str(out),
            ]
            exported = subprocess.run(command, capture_output=True, text=True, timeout=120.0, check=False)
            assert exported.returncode == 0, exported.stderr
        shown, address = set(), "/predictions?limit=30&features=false"
        while address:
            answer = httpx.get(f"{running.address}{address}", timeout=30.0)
            shown |= {json.loads(line)["prediction_id"] for line in answer.text.splitlines()}
            address = f"/predictions{answer.links['next']['url']}" if "next" in answer.links else ""
        stop(running)
    assert set(known) <= set(pq.read_table(out)["prediction_id"].to_pylist())
    assert set(askers.ids) <= shown


@pytest.mark.long
def test_workers_killed_at_random_lose_no_acknowledged_prediction(bundle: Path, tmp_path: Path) -> None:
    chance = random.Random(7)
    killed: list[int] = []
    with service(bundle, tmp_path / "state", 3, tmp_path / "log", prediction_log_durability="acknowledged") as running:
        with Askers(running.address).running() as askers:
            deadline = time.monotonic() + 900.0
            while len(killed) < KILLS:
                assert time.monotonic() < deadline, f"{len(killed)} kills\n{running.log.read_text()[-3000:]}"
                pid, answered = running.answering(), len(askers.ids)
                if pid is None or pid in killed:
                    continue
                while len(askers.ids) <= answered:  # so that each kill comes among answers
                    assert time.monotonic() < deadline, running.log.read_text()[-3000:]
                    time.sleep(0.001)
                time.sleep(chance.uniform(0.0, 0.05))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        found = logged(tmp_path / "state")
        stop(running)
    assert len(askers.ids) > KILLS  # some clients were answered between the kills
    assert set(askers.ids) - found == set()


@pytest.mark.long
def test_a_server_that_is_killed_whole_loses_no_acknowledged_prediction(bundle: Path, tmp_path: Path) -> None:
    answered: list[str] = []
    for turn in range(5):
        with (
            service(
                bundle, tmp_path / "state", 2, tmp_path / f"log{turn}", prediction_log_durability="acknowledged"
            ) as running,
            Askers(running.address).running() as askers,
        ):
            time.sleep(0.5)
            stop(running, signal.SIGKILL)
        answered += askers.ids
    assert len(answered) > 20
    assert set(answered) - logged(tmp_path / "state") == set()
