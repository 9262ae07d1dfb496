"""Versions swapped under load on two workers: no request is lost, and each answer comes from one version."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from driftgauge.models.creation.create import create_bundle
from sklearn.linear_model import LogisticRegression

from tests.e2e.workers import Service, service

pytestmark = [pytest.mark.e2e, pytest.mark.long]
CONNECTIONS = 64
SWAPS = 20
VERSIONS = ("1", "2")


@dataclass
class Traffic:
    """Connections that ask for predictions one after the other."""

    address: str
    answers: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    """The version that each answer names, and the versions that made the scores of its rows."""
    failures: list[str] = field(default_factory=list)
    _should_stop: bool = False

    def _ask(self) -> None:
        with httpx.Client(base_url=self.address, timeout=30.0) as client:
            while not self._should_stop:
                try:
                    answer = client.post("/predict", json={"instances": [{"a": 2.0, "b": 0.5}, {"a": 3.0, "b": 0.5}]})
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                    client.close()
                    return
                if answer.status_code != 200:
                    self.failures.append(f"{answer.status_code} {answer.text}")
                    continue
                body: dict[str, Any] = answer.json()
                made = frozenset("1" if row["score"] > 0.5 else "2" for row in body["predictions"])
                self.answers.append((body["model_version"], made))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ask in the background."""
        threads = [threading.Thread(target=self._ask) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._should_stop = True
            for thread in threads:
                thread.join(60.0)


@contextmanager
def two_versions(tmp_path: Path) -> Iterator[tuple[Service, str]]:
    """Serve version 1 of a model with two workers; version 2 lies beside it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_000, 2))
    for version in VERSIONS:
        y = ((x[:, 0] > 0) == (version == "1")).astype(np.int64)  # the second version says the opposite
        table = {"a": x[:, 0], "b": x[:, 1], "y": y}
        out = tmp_path / "bundles" / version
        create_bundle(LogisticRegression().fit(x, y), table, "y", name="coin", version=version, out=out)
    first = tmp_path / "bundles" / "1"
    with service(first, tmp_path / "state", 2, tmp_path / "log") as running:
        running.clients(2)
        yield running, "coin"


def _load(running: Service, name: str, version: str) -> httpx.Response:
    body = {"bundle": version, "reason": "a test"}
    return httpx.post(f"{running.address}/models/{name}/versions", json=body, timeout=120.0)


def test_twenty_swaps_under_load_lose_no_request(tmp_path: Path) -> None:
    with two_versions(tmp_path) as (running, name):
        traffic = Traffic(running.address)
        with traffic.running():
            for number in range(SWAPS):
                swapped = _load(running, name, "21"[number % 2])
                assert swapped.status_code == 200, swapped.text
                assert swapped.json()["all_workers"] is True
        assert traffic.failures == []
        assert len(traffic.answers) > 10 * CONNECTIONS
        assert {version for version, _ in traffic.answers} == {"1", "2"}
        assert all(rows == {version} for version, rows in traffic.answers)
        history = httpx.get(f"{running.address}/models/{name}/versions", timeout=60.0).json()["history"]
        assert len(history) == SWAPS + 1
        samples = running.samples()
        counted = {
            version: sum(
                value
                for (metric, labels), value in samples.items()
                if metric == "model_predictions_total" and ("model_version", version) in labels
            )
            for version in VERSIONS
        }
        assert counted == {version: 2 * sum(own == version for own, _ in traffic.answers) for version in VERSIONS}


def test_a_worker_that_is_killed_during_a_swap_serves_what_the_others_serve(tmp_path: Path) -> None:
    with two_versions(tmp_path) as (running, name):
        thread = threading.Thread(target=lambda: _swallow(running, name))
        thread.start()
        time.sleep(0.15)
        os.kill(running.pids()[0], signal.SIGKILL)
        thread.join(120.0)
        running.clients(2)
        deadline = time.monotonic() + 60.0
        while len({_serving(running) for _ in range(20)}) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        (live,) = {_serving(running) for _ in range(20)}
        found = httpx.get(f"{running.address}/models/{name}/versions", timeout=60.0).json()
        assert [own["version"] for own in found["versions"] if own["role"] == "live"] == [live]
        assert found["loading"] is None
        other = "12"["21".index(live)]
        assert _load(running, name, other).status_code == 200
        assert {_serving(running) for _ in range(20)} == {other}


def _swallow(running: Service, name: str) -> None:
    """Load version 2; the worker that is asked may be the one that is killed."""
    try:
        _load(running, name, "2")
    except httpx.TransportError:
        return


def _serving(running: Service) -> str:
    version: str = httpx.get(f"{running.address}/metadata", timeout=30.0).json()["model_version"]
    return version
