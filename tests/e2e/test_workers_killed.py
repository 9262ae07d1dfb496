"""Workers that are killed, one by one, with their supervisor, or all at once."""

from __future__ import annotations

import logging
import os
import random
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.workers import (
    EVERYTHING,
    ROWS,
    Load,
    Watch,
    assert_evidence_is_a_recount,
    assert_nothing_answered_is_lost,
    coin_bundle,
    lives,
    service,
    stop,
)
from tests.served import total

pytestmark = pytest.mark.e2e

log = logging.getLogger(__name__)
KILLS = 50


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coin_bundle(tmp_path_factory.mktemp("workers") / "bundle")


@pytest.mark.long
def test_workers_killed_at_random_under_load_lose_nothing_that_was_answered(bundle: Path, tmp_path: Path) -> None:
    chance = random.Random(5)
    with service(bundle, tmp_path / "state", 5, tmp_path / "log", windows=EVERYTHING) as running:
        running.clients(5)
        load, watch = Load(running.address, seed=5), Watch(running)
        killed: list[int] = []
        with load.running(), watch.running():
            ready: set[int] = set()
            deadline = time.monotonic() + 900.0
            while len(killed) < KILLS:
                assert time.monotonic() < deadline, f"{len(killed)} kills\n{running.log.read_text()[-3000:]}"
                pid = running.answering()
                ready = {own for own in ready | {pid or 0} if lives(own)} - {0}
                if len(ready) < 4:
                    continue
                for victim in chance.sample(sorted(ready), min(3, KILLS - len(killed))):  # one at least is left
                    time.sleep(chance.uniform(0.0, 0.1))
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)
                    ready.discard(victim)
        assert len(set(killed)) == KILLS
        beyond = assert_nothing_answered_is_lost(bundle, running, load)
        assert load.refused == []
        assert watch.backwards == []
        assert watch.scrapes > 20
        missing = len(load.answered) - total(
            running.samples(), "http_requests_total", method="POST", handler="/predict", code="200"
        )
        log.info("%d kills, %d answers: %d rows beyond, %g not in http_*", KILLS, len(load.answered), beyond, missing)
        assert missing <= KILLS * load.clients  # those of one turn of the event loop, at most one a client
        names = {path.name for path in (tmp_path / "state" / "coin" / "1").iterdir()}
        slots = {f"{slot}.{kind}" for slot in range(6) for kind in ("log", "lock")}
        shared = {f"shared-{part}.{kind}" for part in ("labels", "performance") for kind in ("json", "lock")}
        assert names <= slots | shared | {"checkpoint.state", "history.state", "evaluation.lock"}
        stop(running)
    assert_evidence_is_a_recount(bundle, tmp_path / "state")


@pytest.mark.long
def test_when_the_supervisor_is_killed_its_workers_leave_and_a_new_start_goes_on(bundle: Path, tmp_path: Path) -> None:
    load = Load("", seed=6)
    with service(bundle, tmp_path / "state", 2, tmp_path / "log", windows=EVERYTHING) as running:
        running.clients(2)
        load.address = running.address
        with load.running():
            time.sleep(0.5)
            stop(running, signal.SIGKILL)
    with service(bundle, tmp_path / "state", 2, tmp_path / "log2", windows=EVERYTHING) as running:
        assert assert_nothing_answered_is_lost(bundle, running, load) == 0


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_after_everything_was_killed_the_window_is_there_at_once(bundle: Path, tmp_path: Path, workers: int) -> None:
    load = Load("", seed=7)
    with service(bundle, tmp_path / "state", workers, tmp_path / "log", windows=EVERYTHING) as running:
        running.clients(workers)
        load.address = running.address
        with load.running():
            while ROWS * len(load.answered) < 600:
                time.sleep(0.05)
            os.killpg(running.supervisor.pid, signal.SIGKILL)
            running.supervisor.wait(timeout=30)
    with service(bundle, tmp_path / "state", workers, tmp_path / "log2", windows=EVERYTHING) as running:
        status = httpx.get(f"{running.address}/drift/status", timeout=60.0).json()
        assert status["status"] != "insufficient_data"
        assert_nothing_answered_is_lost(bundle, running, load)
