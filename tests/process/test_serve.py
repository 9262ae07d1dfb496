from __future__ import annotations

import logging
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from driftgauge.common.private_files import LockTimeout
from driftgauge.errors import BundleError, DriftgaugeError, SettingsError, StateError
from driftgauge.models.bundle import MODEL_FILE
from driftgauge.process.generation import Generation
from driftgauge.process.serve import Started, environment, run
from driftgauge.process.server import Server
from driftgauge.settings.options import CONFIG_VARIABLE, load

from tests.examples import Example
from tests.served import served


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers  # `run` sends logs to a standard error that ends with the test
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def taken() -> Iterator[int]:
    """Give a port at which a server cannot listen."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server of one worker end as soon as it is ready to serve."""

    def run(server: Server) -> None:
        server.started = True

    monkeypatch.setattr(Server, "run", run)


# ---------------------------------------------------------------- the environment of workers

ENVIRONMENTS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {}),
    ({"bundle": None, "workers": None}, {}),
    ({"bundle": Path("a b/c")}, {"DRIFTGAUGE_BUNDLE": "a b/c"}),
    (
        {"host": "::1", "port": 0, "clock": "arrival", "workers": 4, "state_dir": Path("memory")},
        {
            "DRIFTGAUGE_HOST": "::1",
            "DRIFTGAUGE_PORT": "0",
            "DRIFTGAUGE_CLOCK": "arrival",
            "DRIFTGAUGE_WORKERS": "4",
            "DRIFTGAUGE_STATE_DIR": "memory",
        },
    ),
    (
        {"log_format": "console", "log_level": "debug"},
        {"DRIFTGAUGE_LOG_FORMAT": "console", "DRIFTGAUGE_LOG_LEVEL": "debug"},
    ),
]


@pytest.mark.parametrize(("flags", "variables"), ENVIRONMENTS, ids=str)
def test_workers_are_told_what_the_command_line_said_and_no_more(
    flags: dict[str, Any], variables: dict[str, str], tmp_path: Path
) -> None:
    assert environment(Started(flags, None)) == variables
    assert environment(Started(flags, None, fresh_state=True)) == variables
    assert environment(Started(flags, tmp_path)) == {**variables, CONFIG_VARIABLE: str(tmp_path)}


@pytest.mark.parametrize(("flags", "variables"), ENVIRONMENTS, ids=str)
def test_a_worker_reads_the_settings_of_its_supervisor(
    flags: dict[str, Any], variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "driftgauge.toml"
    config.write_text('port = 1\nworkers = 2\nwindows = [7, 70]\nlog_level = "error"\n')
    monkeypatch.setenv("DRIFTGAUGE_WORKERS", "3")
    supervisor = load(flags, config)
    for name, value in environment(Started(flags, config)).items():
        monkeypatch.setenv(name, value)
    assert load() == supervisor
    assert supervisor.workers == int(variables.get("DRIFTGAUGE_WORKERS", 3))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bundle_that_cannot_be_served_is_said_before_anything_is_started(
    workers: int, binary: Example, tmp_path: Path
) -> None:
    spoilt = Path(shutil.copytree(binary.folder, tmp_path / "spoilt"))
    (spoilt / MODEL_FILE).write_bytes(b"PK")
    kind = BundleError if workers == 1 else DriftgaugeError  # the text comes from another process
    with pytest.raises(kind, match="cannot read the model"):
        run(Started({"bundle": spoilt, "workers": workers, "port": 0}, None))
    assert not (tmp_path / "spoilt.state").exists()


# ---------------------------------------------------------------- a fresh state


def _rows(example: Example, state: Path) -> int:
    with served(example, state_dir=state) as running:
        rows: int = running.status()["rows_observed"]
        return rows


def _started(example: Example, state: Path, *, port: int = 0, workers: int = 1) -> None:
    """Start a server with a fresh state."""
    flags = {"bundle": example.folder, "state_dir": state, "port": port, "workers": workers}
    run(Started(flags, None, fresh_state=True))


@pytest.mark.usefixtures("ends")
def test_a_fresh_state_is_begun_for_the_version_that_is_served_alone(binary: Example, tmp_path: Path) -> None:
    older = replace(binary.bundle, info=binary.bundle.info.model_copy(update={"version": "1.1"}))
    beside = replace(binary, bundle=older)
    for example in (binary, beside):
        with served(example, state_dir=tmp_path) as running:
            running.predict({"instances": binary.rows(20)})
    _started(binary, tmp_path)
    assert (_rows(binary, tmp_path), _rows(beside, tmp_path)) == (0, 20)


@pytest.mark.usefixtures("ends")
def test_a_fresh_state_can_be_asked_for_where_there_is_none(binary: Example, tmp_path: Path) -> None:
    _started(binary, tmp_path / "state")
    _started(binary, Path("memory"))
    assert (tmp_path / "state" / "binary" / "1.2" / "0.log").is_file()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_cannot_listen_forgets_nothing(workers: int, binary: Example, tmp_path: Path, taken: int) -> None:
    with served(binary, state_dir=tmp_path) as running:
        running.predict({"instances": binary.rows(20)})
    with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{taken}: Address already in use"):
        _started(binary, tmp_path, port=taken, workers=workers)
    assert _rows(binary, tmp_path) == 20


def test_a_server_that_cannot_start_forgets_nothing(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path / "state") as running:
        running.predict({"instances": binary.rows(20)})
    spoilt = Path(shutil.copytree(binary.folder, tmp_path / "spoilt"))
    (spoilt / MODEL_FILE).write_bytes(b"PK")
    with pytest.raises(BundleError, match="cannot read the model"):
        run(Started({"bundle": spoilt, "state_dir": tmp_path / "state", "port": 0}, None, fresh_state=True))
    assert _rows(binary, tmp_path / "state") == 20


@pytest.mark.parametrize("workers", [1, 2])
def test_state_of_version_0_1_0_stops_the_start_and_is_left_alone(
    workers: int, binary: Example, tmp_path: Path
) -> None:
    folder = tmp_path / "binary" / "1.2"
    folder.mkdir(parents=True)
    (folder / "0.state").write_text("rows")
    flags = {"bundle": binary.folder, "state_dir": tmp_path, "port": 0, "workers": workers}
    kind = StateError if workers == 1 else DriftgaugeError  # the text comes from another process
    with pytest.raises(kind, match=r"written by Driftgauge 0\.1\.0.* --fresh-state "):
        run(Started(flags, None))
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("0.state", "rows")]


@pytest.mark.usefixtures("ends")
def test_a_fresh_state_takes_the_place_of_that_of_version_0_1_0(binary: Example, tmp_path: Path) -> None:
    folder = tmp_path / "binary" / "1.2"
    folder.mkdir(parents=True)
    for name in ("0.state", "0.lock", "evaluation.state", "evaluation.lock", "retired.state"):
        (folder / name).touch()
    _started(binary, tmp_path)
    assert not list(folder.glob("[0-9er]*.state"))
    assert _rows(binary, tmp_path) == 0


def test_a_state_in_use_is_not_made_fresh(binary: Example, tmp_path: Path) -> None:
    with served(binary, state_dir=tmp_path) as running:
        running.predict({"instances": binary.rows(20)})
        with pytest.raises(LockTimeout, match=r"a server is using .*stop it first"):
            _started(binary, tmp_path)
        assert running.status()["rows_observed"] == running.metric("model_predictions_total") == 20
    assert _rows(binary, tmp_path) == 20


@pytest.mark.long
def test_a_fresh_state_is_still_asked_for_after_a_fork_server_that_could_not_be_started(
    binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Path(shutil.copytree(binary.folder, tmp_path / "bundle"))
    (bundle / MODEL_FILE).write_bytes(b"PK")
    asked: list[bool] = []

    def begin(*arguments: Any, fresh_state: bool) -> Generation:
        asked.append(fresh_state)
        if len(asked) == 1:
            raise OSError("no process is left")
        return Generation(*arguments, fresh_state=fresh_state)

    monkeypatch.setattr("driftgauge.process.serve.Generation", begin)
    flags = {"bundle": bundle, "port": 0, "workers": 2, "state_dir": tmp_path / "state"}
    with pytest.raises(DriftgaugeError, match="cannot read the model"):
        run(Started(flags, None, fresh_state=True))
    assert asked == [True, True]
