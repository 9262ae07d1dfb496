from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from driftgauge.composition.loading import config_digest
from driftgauge.edges.http.context import ServerContext
from driftgauge.errors import BundleError
from driftgauge.models.bundle import MODEL_FILE
from driftgauge.process.endings import OUTDATED
from driftgauge.process.fork_server import PING
from driftgauge.process.worker import answer_pings, create
from driftgauge.settings.options import Settings, load

from tests.examples import Example, quiet
from tests.servers import serving


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    signals = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT)}
    yield
    for number, handler in signals.items():
        signal.signal(number, handler)
    root.handlers[:] = handlers  # a worker sends logs to a standard error that ends with the test
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_worker_is_told_everything_by_its_environment(
    binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "driftgauge.toml").write_text("windows = [20, 200]\nport = 1\n")
    monkeypatch.setenv("DRIFTGAUGE_CONFIG", str(tmp_path / "driftgauge.toml"))
    monkeypatch.setenv("DRIFTGAUGE_BUNDLE", str(binary.folder))
    monkeypatch.setenv("DRIFTGAUGE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("DRIFTGAUGE_WORKERS", "3")
    app = create()
    context: ServerContext = app.state.context
    assert (context.settings.windows, context.settings.port, context.settings.workers) == ((20, 200), 1, 3)
    with serving(app) as client:
        assert client.get("/health").json()["model_name"] == "binary"
        assert client.get("/drift/status").json()["monitoring"]["state"]["kept"] == "files"
    assert (tmp_path / "state" / "binary" / "1.2" / "0.log").is_file()


def _settings(binary: Example, folder: Path, **others: Any) -> Settings:
    bundle = folder / "bundle"
    if not bundle.exists():
        shutil.copytree(binary.folder, bundle)
    return quiet(bundle=bundle, **others)


def test_what_is_served_is_told_by_settings_and_files(binary: Example, tmp_path: Path) -> None:
    before = config_digest(_settings(binary, tmp_path))
    assert config_digest(_settings(binary, tmp_path)) == before
    assert config_digest(_settings(binary, tmp_path, windows=(20, 200))) != before
    model = tmp_path / "bundle" / MODEL_FILE
    status = model.stat()
    os.utime(model, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert config_digest(_settings(binary, tmp_path)) != before
    os.utime(model, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert config_digest(_settings(binary, tmp_path)) == before
    shutil.rmtree(tmp_path / "bundle")
    with pytest.raises(BundleError, match="there is no model bundle at"):
        config_digest(quiet(bundle=tmp_path / "bundle"))


@pytest.mark.parametrize("changed", [False, True])
def test_a_worker_serves_what_it_was_told_to_or_ends_and_takes_no_state(
    changed: bool, binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(binary.folder, tmp_path / "bundle")
    monkeypatch.setenv("DRIFTGAUGE_BUNDLE", str(tmp_path / "bundle"))
    digest = config_digest(load())
    if not changed:
        with serving(create(digest)) as client:
            assert client.get("/health").json()["model_name"] == "binary"
        return
    (tmp_path / "bundle" / "bundle.json").touch()
    with pytest.raises(SystemExit) as left:
        create(digest)
    assert left.value.code == OUTDATED
    assert not (tmp_path / "bundle.state").exists()


def test_a_worker_whose_state_must_not_be_used_says_why_in_one_line_and_ends(
    binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "state" / "binary" / "1.2"
    folder.mkdir(parents=True)
    (folder / "retired.state").touch()
    monkeypatch.setenv("DRIFTGAUGE_BUNDLE", str(binary.folder))
    monkeypatch.setenv("DRIFTGAUGE_STATE_DIR", str(tmp_path / "state"))
    with pytest.raises(SystemExit) as left:
        create()
    assert left.value.code == 1
    (line,) = "".join(capfd.readouterr()).strip().splitlines()
    assert "cannot_start" in line
    assert f"the state in {folder} was written by Driftgauge 0.1.0" in line
    assert [path.name for path in folder.iterdir()] == ["retired.state"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "no model to serve"),
        ({"DRIFTGAUGE_BUNDLE": "nowhere"}, "there is no model bundle at nowhere"),
        ({"DRIFTGAUGE_BUNDEL": "x"}, "unknown in the environment: DRIFTGAUGE_BUNDEL"),
    ],
)
def test_a_worker_that_cannot_start_says_why_in_one_line_and_ends(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as left:
        create()
    assert left.value.code == 1
    (line,) = "".join(capfd.readouterr()).strip().splitlines()
    assert "cannot_start" in line
    assert said in line


def test_a_worker_that_its_supervisor_does_not_know_stops() -> None:
    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        own, theirs = multiprocessing.Pipe()
        asked = threading.Thread(target=answer_pings, args=(theirs, SimpleNamespace(started=True)))
        asked.start()
        own.send_bytes(PING)
        assert own.recv() is True
        assert not stopped.is_set()
        own.close()
        asked.join(30.0)
        assert stopped.wait(30.0)
    finally:
        signal.signal(signal.SIGTERM, before)
