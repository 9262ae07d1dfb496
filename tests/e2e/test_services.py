"""Two servers with one state folder, reloads that change its baseline, and folders of version 0.1.0."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pytest
from driftgauge.models.bundle import load_bundle
from driftgauge.models.creation.create import create_bundle
from driftgauge.state.folder import state_files
from sklearn.linear_model import LogisticRegression

from tests.e2e.processes import answers, free_port, run, until
from tests.e2e.processes import running as started
from tests.e2e.workers import Service, lives, service, stop
from tests.served import total

pytestmark = pytest.mark.e2e

ROWS: Final = 120
NO_NOTES: Final[list[str]] = []
OLD_NAMES: Final = ("0.state", "0.lock", "evaluation.state", "evaluation.lock", "retired.state")


def _bundle(folder: Path, seed: int) -> Path:
    """Make the bundle of model coin 1 from the data of a seed: each seed has a baseline of its own."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2_000, 2))
    y = (x[:, 0] + rng.normal(size=2_000) > 0).astype(np.int64)
    tables = [{"a": x[part, 0], "b": x[part, 1], "y": y[part]} for part in (slice(0, 1_000), slice(1_000, None))]
    model = LogisticRegression().fit(x[:1_000], y[:1_000])
    create_bundle(model, tables[0], "y", name="coin", version="1", out=folder, evaluation=tables[1])
    return folder


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give two bundles of one model name and version with different baselines."""
    folder = tmp_path_factory.mktemp("services")
    return _bundle(folder / "first", 0), _bundle(folder / "second", 1)


def _predict(running: Service, rows: int = ROWS) -> None:
    values = np.random.default_rng(2).normal(size=(rows, 2))
    httpx.post(f"{running.address}/predict", json={"data": values.tolist()}, timeout=60.0).raise_for_status()


def _status(running: Service) -> dict[str, Any]:
    status: dict[str, Any] = httpx.get(f"{running.address}/drift/status", timeout=30.0).json()
    return status


def _state(running: Service) -> dict[str, Any]:
    state: dict[str, Any] = _status(running)["monitoring"]["state"]
    return state


def _replaced(running: Service, old: list[int]) -> None:
    """Wait until none of these workers is left."""
    until(lambda: not any(map(lives, old)), running.supervisor, running.log, 90.0)


def _logged(running: Service, text: str) -> Callable[[], bool]:
    return lambda: text in running.log.read_text()


# ---------------------------------------------------------------- two services


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_service_with_another_baseline_is_refused_until_the_first_has_stopped(
    workers: int, bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = bundles
    state = tmp_path / "state"
    options = ("--state-dir", str(state), "--workers", str(workers), "--port", "0")
    with service(first, state, workers, tmp_path / "log") as running:
        running.clients(workers)
        _predict(running)
        refused = run("serve", "--bundle", str(second), *options)
        assert refused.returncode == 2
        said = [line for line in refused.stderr.splitlines() if line.startswith("driftgauge: ")]
        assert len(said) == 1
        parts = (str(state / "coin" / "1"), f"process {running.supervisor.pid} ", "another baseline", "state_dir")
        assert all(part in said[0] for part in parts), said
        assert load_bundle(first).baseline.hash[:12] in said[0]
        assert "Traceback" not in refused.stderr
        _predict(running)
        assert _status(running)["rows_observed"] == 2 * ROWS
        assert _state(running) == {"kept": "files", "workers": workers, "notes": NO_NOTES}
        stop(running)
    with service(second, state, workers, tmp_path / "log2") as running:
        assert _status(running)["rows_observed"] == 0
        running.clients(workers)
        _predict(running)
        assert _status(running)["rows_observed"] == ROWS
        assert _state(running)["kept"] == "files"
        assert _logged(running, "state_foreign")()
        assert "state_in_memory" not in running.log.read_text()
        stop(running)


@pytest.mark.long
def test_a_service_with_other_windows_is_refused_and_one_with_the_same_shares_the_state(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with service(bundles[0], state, 2, tmp_path / "log") as running:
        running.clients(2)
        _predict(running)
        options = ("--bundle", str(bundles[0]), "--state-dir", str(state), "--port", "0", "--workers", "2")
        refused = run("serve", *options, env={"DRIFTGAUGE_WINDOWS": "77"})
        assert refused.returncode == 2
        assert "other settings or columns" in refused.stderr
        with service(bundles[0], state, 1, tmp_path / "log2") as beside:
            _predict(beside)
            assert [_status(own)["rows_observed"] for own in (running, beside)] == [2 * ROWS, 2 * ROWS]
            assert [_state(own) for own in (running, beside)] == [
                {"kept": "files", "workers": 3, "notes": NO_NOTES}
            ] * 2
            stop(beside)
        assert _state(running) == {"kept": "files", "workers": 2, "notes": NO_NOTES}
        stop(running)


@pytest.mark.long
def test_a_killed_service_is_no_obstacle(bundles: tuple[Path, Path], tmp_path: Path) -> None:
    state = tmp_path / "state"
    with service(bundles[0], state, 2, tmp_path / "log") as running:
        running.clients(2)
        _predict(running)
        pids = running.pids()
        running.supervisor.kill()
        running.supervisor.wait()
        deadline = time.monotonic() + 60.0
        while any(map(lives, pids)):  # they notice, finish their requests and exit
            assert time.monotonic() < deadline, running.log.read_text()
            time.sleep(0.02)
    with service(bundles[1], state, 2, tmp_path / "log2") as running:
        running.clients(2)
        assert _status(running)["rows_observed"] == 0
        assert _state(running)["kept"] == "files"
        stop(running)


# ---------------------------------------------------------------- reloads


@pytest.mark.long
def test_a_reload_to_another_baseline_begins_with_empty_state(bundles: tuple[Path, Path], tmp_path: Path) -> None:
    state, config = tmp_path / "state", tmp_path / "driftgauge.toml"
    link = tmp_path / "bundle"
    link.symlink_to(bundles[0])
    config.write_text("windows = [1000]\n")
    with service(link, state, 2, tmp_path / "log", config=config) as running:
        running.clients(2)
        _predict(running)
        old = running.pids()
        link.unlink()
        link.symlink_to(bundles[1])
        running.supervisor.send_signal(signal.SIGHUP)
        _replaced(running, old)
        clients = running.clients(2)
        assert _status(running)["rows_observed"] == 0
        for client in clients.values():
            client.post("/predict", json={"data": [[0.0, 0.0]] * 10}).raise_for_status()
        statuses = [client.get("/drift/status").json() for client in clients.values()]
        assert [own["rows_observed"] for own in statuses] == [20, 20]
        assert [own["monitoring"]["state"]["kept"] for own in statuses] == ["files", "files"]
        assert [own["monitoring"]["problems"] for own in statuses] == [[], []]
        assert any("state_foreign" in note for own in statuses for note in own["monitoring"]["state"]["notes"])
        stop(running)
    with service(bundles[1], state, 2, tmp_path / "log2", config=config) as running:
        running.clients(2)
        assert _status(running)["rows_observed"] == 20
        hashes = {file.header["baseline"] for file in state_files(state)} - {""}  # the server's own state has none
        assert hashes == {load_bundle(bundles[1]).baseline.hash}
        stop(running)


@pytest.mark.long
def test_a_reload_to_another_budget_observes_the_rows_again_and_keeps_the_counters(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    state, config = tmp_path / "state", tmp_path / "driftgauge.toml"
    config.write_text("windows = [1000]\n")
    with service(bundles[0], state, 2, tmp_path / "log", config=config) as running:
        running.clients(2)
        _predict(running)
        old = running.pids()
        config.write_text("windows = [1000]\nfalse_alarm_rows = 1e7\n")
        running.supervisor.send_signal(signal.SIGHUP)
        _replaced(running, old)
        clients = running.clients(2)
        for client in clients.values():
            client.post("/predict", json={"data": [[0.0, 0.0]] * 10}).raise_for_status()
            status = client.get("/drift/status").json()
            assert (status["monitoring"]["state"]["kept"], status["monitoring"]["problems"]) == ("files", [])
        assert _status(running)["windows"]["1000"]["rows"] == ROWS + 20
        assert total(running.samples(), "model_predictions_total") == ROWS + 20
        assert total(running.samples(), "model_observations_dropped_total") == 0
        stop(running)


@pytest.mark.long
def test_a_reload_to_another_baseline_is_given_up_while_another_service_uses_the_state(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    link = tmp_path / "bundle"
    link.symlink_to(bundles[0])
    with (
        service(link, state, 2, tmp_path / "log") as running,
        service(bundles[0], state, 1, tmp_path / "log2") as beside,
    ):
        running.clients(2)
        _predict(running)
        old = running.pids()
        link.unlink()
        link.symlink_to(bundles[1])
        running.supervisor.send_signal(signal.SIGHUP)
        until(_logged(running, "cannot_reload"), running.supervisor, running.log, 90.0)
        line = next(line for line in running.log.read_text().splitlines() if "cannot_reload" in line)
        assert f"process {beside.supervisor.pid} " in line
        assert sorted(running.pids()) == sorted(old)
        _predict(running)
        for own in (running, beside):
            assert _status(own)["rows_observed"] == 2 * ROWS
            assert _state(own) == {"kept": "files", "workers": 3, "notes": NO_NOTES}
        stop(beside)
        stop(running)


# ---------------------------------------------------------------- version 0.1.0


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_a_folder_of_version_0_1_0_is_refused_and_a_fresh_state_starts(
    workers: int, bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    folder = state / "coin" / "1"
    folder.mkdir(parents=True)
    for name in OLD_NAMES:
        (folder / name).write_text("rows")
    options = ("--bundle", str(bundles[0]), "--state-dir", str(state), "--workers", str(workers))
    refused = run("serve", *options, "--port", "0")
    assert refused.returncode == 2
    (line,) = (line for line in refused.stderr.splitlines() if line.startswith("driftgauge: "))
    assert all(part in line for part in (str(folder), "Driftgauge 0.1.0", "--fresh-state", "`driftgauge state reset`"))
    assert {path.name for path in folder.iterdir()} == set(OLD_NAMES)
    assert run("state", "show", "--state-dir", str(state)).stdout.count("coin/1/") == 3
    address = f"http://127.0.0.1:{free_port()}"
    flags = (*options, "--fresh-state", "--port", address.rpartition(":")[2])
    with started("serve", *flags, log=tmp_path / "log") as process, contextlib.ExitStack() as connections:
        until(lambda: answers(address), process, tmp_path / "log")
        running = Service(process, address, tmp_path / "log", connections)
        running.clients(workers)
        _predict(running)
        assert _status(running)["rows_observed"] == ROWS
        assert _state(running) == {"kept": "files", "workers": workers, "notes": NO_NOTES}
        assert not {path.name for path in folder.iterdir()} & {"0.state", "evaluation.state", "retired.state"}
        stop(running)
