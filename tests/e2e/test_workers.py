"""Several workers with one state: asked one by one, reloaded, stopped and started again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from driftgauge.common.private_files import FileLock
from driftgauge.state.files import EVALUATION_LOCK

from tests.e2e.processes import answers, free_port, run, until
from tests.e2e.processes import running as started
from tests.e2e.workers import (
    EVERYTHING,
    ROWS,
    Load,
    Samples,
    Watch,
    assert_evidence_is_a_recount,
    assert_nothing_answered_is_lost,
    coin_bundle,
    lives,
    reload,
    samples_of,
    service,
    stop,
)
from tests.served import total

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coin_bundle(tmp_path_factory.mktemp("workers") / "bundle")


# ---------------------------------------------------------------- one truth


def test_every_worker_answers_alike_for_the_whole_service(bundle: Path, tmp_path: Path) -> None:
    with service(bundle, tmp_path / "state", 3, tmp_path / "log", windows="1000,5000") as running:
        clients = running.clients(3)
        generator = np.random.default_rng(1)
        sent = 0
        for place in range(60):
            rows = generator.normal(2.0, 1.0, size=(50, 2)).tolist()
            clients[place % 3].post("/predict", json={"data": rows}).raise_for_status()
            sent += 50
        statuses, metrics = settled(clients, sent)
        pids = {client.get("/health").json()["worker"]["pid"] for client in clients.values()}
        assert pids == set(running.pids())
        for status in statuses:
            assert status["rows_observed"] == status["windows"]["5000"]["rows"] == sent
            assert (status["status"], sorted(status["drifted_features"])) == ("drift_detected", ["a", "b"])
            assert status["monitoring"]["state"] == {"kept": "files", "workers": 3, "notes": []}
            assert status["performance"]["status"] == "insufficient_labels"
            log = status["monitoring"]["prediction_log"]
            assert (log["rows"], log["rows_queued"], set(log["rows_dropped"].values())) == (sent, 0, {0})
            assert log["bytes"] > 0
            assert status["efficiency"]["seconds"] > 0
        assert all(same_in(status) == same_in(statuses[0]) for status in statuses)
        for told in metrics:
            assert total(told, "model_predictions_total") == sent
            assert total(told, "prediction_log_queued_rows") == 0
            assert total(told, "prediction_log_queue_limit_rows") == 150_000
            assert total(told, "prediction_log_bytes") > 0
            assert total(told, "http_requests_total", handler="/predict", code="200") == 60
            assert {key for key in told if key[0].startswith("process_")} == {
                key for key in metrics[0] if key[0].startswith("process_")
            }
            for slot in "012":
                assert total(told, "process_resident_memory_bytes", slot=slot) > 1e7
                assert total(told, "process_cpu_seconds_total", slot=slot) > 0.1
        assert all(lasting(told) == lasting(metrics[0]) for told in metrics)


def settled(clients: Mapping[int, httpx.Client], sent: int) -> tuple[list[dict[str, Any]], list[Samples]]:
    """Ask all workers once all rows are logged and looked at; again if a look or an evaluation came between two.

    Those come every few seconds, so most rounds have none.
    """
    deadline = time.monotonic() + 90.0
    while True:
        statuses = [client.get("/drift/status").json() for client in clients.values()]
        metrics = [samples_of(client.get("/metrics").text) for client in clients.values()]
        is_logged = all(own["monitoring"]["prediction_log"]["rows"] == sent for own in statuses)
        same = all(same_in(own) == same_in(statuses[0]) for own in statuses)
        if is_logged and same and all(lasting(own) == lasting(metrics[0]) for own in metrics):
            return statuses, metrics
        assert time.monotonic() < deadline, (is_logged, [same_in(own) for own in statuses])


def same_in(status: dict[str, Any]) -> dict[str, Any]:
    """Return what does not depend on the moment at which a worker was asked."""
    windows = {name: {**own, "to": None, "from": None} for name, own in status["windows"].items()}
    requests = {**status["quality"]["requests"], "seconds": None}
    quality = {**status["quality"], "requests": requests}
    # Each worker divides what all have counted by the time since it began to count.
    rates = dict.fromkeys(("seconds", "rows_per_second", "requests_per_second"))
    moment = {"efficiency": {**status["efficiency"], **rates}, "evaluated_at": None, "report_age_seconds": None}
    return {**status, "windows": windows, "quality": quality, **moment}


def lasting(told: Samples) -> Samples:
    """Return the samples that do not depend on it: those of requests and processes change with each scrape."""
    changing = ("process_", "http_", "model_evaluation_")
    return {key: value for key, value in told.items() if not key[0].startswith(changing)}


@pytest.mark.long
def test_a_change_of_the_number_of_workers_and_restarts_keep_counts_and_windows(bundle: Path, tmp_path: Path) -> None:
    load = Load("", seed=2)
    before: Samples = {}
    for workers in (3, 1, 2):
        with service(bundle, tmp_path / "state", workers, tmp_path / "log", windows=EVERYTHING) as running:
            for key, value in running.samples().items():
                assert not key[0].endswith(("_total", "_count", "_bucket")) or value >= before.get(key, 0.0), key
            load.address = running.address
            running.clients(workers)
            with load.running():
                time.sleep(0.5)
            assert assert_nothing_answered_is_lost(bundle, running, load) == 0
            before = running.samples()
            stop(running)
    assert load.refused == load.unanswered == []
    names = sorted(path.name for path in (tmp_path / "state" / "coin" / "1").iterdir())
    assert names == sorted(
        [
            *(f"{slot}.{kind}" for slot in range(3) for kind in ("lock", "log")),
            *("checkpoint.state", "evaluation.lock", "history.state"),
            *("shared-labels.json", "shared-labels.lock", "shared-performance.json", "shared-performance.lock"),
        ]
    )


# ---------------------------------------------------------------- reload and stop


@pytest.mark.long
def test_a_reload_loses_nothing_and_no_count_goes_back(bundle: Path, tmp_path: Path) -> None:
    with service(bundle, tmp_path / "state", 2, tmp_path / "log", windows=EVERYTHING) as running:
        running.clients(2)
        load, watch = Load(running.address, seed=3), Watch(running)
        with load.running(), watch.running():
            for _ in range(2):
                reload(running)
        assert load.refused == []
        assert assert_nothing_answered_is_lost(bundle, running, load) == 0  # what was not answered was not taken
        assert watch.backwards == []
        assert watch.scrapes > 5
        names = {path.name for path in (tmp_path / "state" / "coin" / "1").glob("*.log")}
        assert names == {"0.log", "1.log", "2.log"}


@pytest.mark.long
def test_during_a_reload_a_dead_worker_is_replaced_and_a_stop_is_heard(bundle: Path, tmp_path: Path) -> None:
    with service(bundle, tmp_path / "state", 2, tmp_path / "log", shutdown_grace_seconds=2) as running:
        running.clients(2)
        first, second = running.pids()
        # A process that holds this lock keeps new workers from a slot: the reload stands still.
        with FileLock(tmp_path / "state" / "coin" / "1" / EVALUATION_LOCK).held(10.0):
            running.supervisor.send_signal(signal.SIGHUP)
            until(lambda: len(running.pids()) == 3, running.supervisor, running.log)
            (successor,) = {*running.pids()} - {first, second}
            os.kill(first, signal.SIGKILL)
            until(lambda: len({*running.pids()} - {first}) == 3, running.supervisor, running.log, seconds=20.0)
            assert {second, successor} < {*running.pids()}
            stop(running, seconds=20.0)
        assert running.supervisor.returncode == 0


@pytest.mark.long
@pytest.mark.parametrize("seconds", [0.3, 1.5, 3.0])
def test_an_interrupt_while_workers_start_ends_all_without_a_traceback(
    seconds: float, bundle: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    options = ("--bundle", str(bundle), "--state-dir", "memory", "--workers", "2", "--port", str(free_port()))
    with started("serve", *options, log=log) as process:
        until(lambda: "supervisor_started" in log.read_text(), process, log)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=30) == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.long
def test_killed_workers_are_replaced_while_no_other_serves(bundle: Path, tmp_path: Path) -> None:
    with service(bundle, tmp_path / "state", 2, tmp_path / "log") as running:
        for _ in range(6):  # those that have served and those that start
            until(lambda: len(running.pids()) == 2, running.supervisor, running.log)
            for pid in running.pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        until(lambda: answers(running.address), running.supervisor, running.log)
        stop(running)


@pytest.mark.long
def test_a_killed_fork_server_is_replaced_and_nothing_is_lost(bundle: Path, tmp_path: Path) -> None:
    with service(bundle, tmp_path / "state", 2, tmp_path / "log", windows=EVERYTHING) as running:
        running.clients(2)
        load, old = Load(running.address, seed=8), set(running.pids())
        (server,) = running.fork_servers()
        with load.running():
            os.kill(server, signal.SIGKILL)
            until(lambda: not any(map(lives, old)), running.supervisor, running.log, seconds=90.0)
        assert load.refused == []
        assert assert_nothing_answered_is_lost(bundle, running, load) == 0
        assert "fork_server_lost" in running.log.read_text()
        assert running.fork_servers() != [server]
        stop(running)


@pytest.mark.long
def test_a_crash_does_not_mix_models_when_the_bundle_was_changed(bundle: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    with service(own, tmp_path / "state", 2, tmp_path / "log") as running:
        running.clients(2)
        old = running.pids()
        file = own / "bundle.json"
        file.write_text(re.sub(r'"version": ?"1"', '"version": "2"', file.read_text()))
        os.kill(old[0], signal.SIGKILL)
        deadline = time.monotonic() + 90.0
        while lives(old[1]):
            assert time.monotonic() < deadline, running.log.read_text()
            time.sleep(0.05)
        served = {client.get("/health").json()["model_version"] for client in running.clients(2).values()}
        assert served == {"2"}
        assert "have changed" in running.log.read_text()
        stop(running)


@pytest.mark.long
def test_workers_are_added_and_taken_away(bundle: Path, tmp_path: Path) -> None:
    def has(workers: int) -> Callable[[], bool]:
        return lambda: len(running.pids()) == workers

    with service(bundle, tmp_path / "state", 2, tmp_path / "log") as running:
        httpx.post(f"{running.address}/predict", json={"data": [[0.0, 0.0]] * 300}, timeout=60.0).raise_for_status()
        running.supervisor.send_signal(signal.SIGTTIN)
        assert sorted(running.clients(3)) == [0, 1, 2]
        for workers in (2, 1):
            running.supervisor.send_signal(signal.SIGTTOU)
            until(has(workers), running.supervisor, running.log)
        assert total(running.samples(), "model_predictions_total") == 300
        assert total(running.samples(), "model_observations_total") == 300


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load_loses_no_answered_row(bundle: Path, tmp_path: Path, workers: int) -> None:
    load = Load("", seed=4)
    with service(bundle, tmp_path / "state", workers, tmp_path / "log", windows=EVERYTHING) as running:
        running.clients(workers)
        load.address = running.address
        with load.running():
            time.sleep(0.7)
            stop(running)
    with service(bundle, tmp_path / "state", workers, tmp_path / "log2", windows=EVERYTHING) as running:
        assert ROWS * len(load.answered) > 50
        # In good order: what was taken was answered.
        assert assert_nothing_answered_is_lost(bundle, running, load) == 0
        stop(running)
    assert_evidence_is_a_recount(bundle, tmp_path / "state")


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_a_client_that_never_ends_its_request_does_not_hold_up_the_stop(
    bundle: Path, tmp_path: Path, workers: int
) -> None:
    state = tmp_path / "state"
    with service(bundle, state, workers, tmp_path / "log", shutdown_grace_seconds=2) as running:
        port = int(running.address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as half:
            half.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            time.sleep(0.3)
            stop(running, seconds=20.0)
            half.settimeout(5.0)
            assert half.recv(100).startswith(b"HTTP/1.1 408 ")  # it was given up


# ---------------------------------------------------------------- what an operator asks for


@pytest.mark.long
def test_a_fresh_state_is_asked_for_once_and_refused_while_it_is_in_use(bundle: Path, tmp_path: Path) -> None:
    state, port = tmp_path / "state", "0"
    with service(bundle, state, 2, tmp_path / "log") as running:
        running.clients(2)
        httpx.post(f"{running.address}/predict", json={"data": [[0.0, 0.0]] * 300}, timeout=60.0).raise_for_status()
        options = ("--bundle", str(bundle), "--state-dir", str(state))
        refused = run("serve", *options, "--port", port, "--fresh-state")
        assert refused.returncode == 2
        assert "a server is using" in refused.stderr
        assert "stop it first" in refused.stderr
        stop(running)
    shown = run("state", "show", "--state-dir", str(state)).stdout
    assert "coin/1/0.log" in shown
    with service(bundle, state, 2, tmp_path / "log2") as running:
        assert httpx.get(f"{running.address}/drift/status", timeout=60.0).json()["rows_observed"] == 300
        stop(running)
    assert run("state", "reset", "--state-dir", str(state)).returncode == 0
    with service(bundle, state, 2, tmp_path / "log3") as running:
        assert httpx.get(f"{running.address}/drift/status", timeout=60.0).json()["rows_observed"] == 0
