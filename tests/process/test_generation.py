"""Real fork servers and workers: each is started by the test and ended by it."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from driftgauge.common.processes import service_id
from driftgauge.models.bundle import MODEL_FILE
from driftgauge.process.endings import OUTDATED, UNKNOWN_EXIT
from driftgauge.process.generation import Generation, Worker
from driftgauge.process.serve import bound

from tests.examples import Example

PATIENCE_SECONDS = 120.0


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Running:
    """A generation on a port of 127.0.0.1."""

    def __init__(self, own: Generation, listening: socket.socket, started: ExitStack) -> None:
        self.own = own
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._started = started

    def refusal(self) -> str:
        _until(lambda: self.own.control.poll(0))
        refusal = self.own.refusal()
        assert refusal is not None
        return refusal

    def fork(self) -> Worker:
        worker = self.own.fork(time.monotonic())
        self._started.callback(worker.end)
        return worker

    def serving(self) -> Worker:
        """Fork a worker and wait until it serves."""
        worker = self.fork()
        _until(lambda: self.problem(worker) or worker.serves)
        assert self.problem(worker) is None
        return worker

    def problem(self, worker: Worker) -> str | None:
        return worker.failure(time.monotonic())

    def ended(self, worker: Worker) -> int | None:
        """Wait until a worker has ended; returns its exit code."""
        _until(lambda: not worker.is_running())
        return worker.exit_code


@contextmanager
def _generation(bundle: Path, state: str = "memory", **settings: object) -> Iterator[Running]:
    environment = {
        "DRIFTGAUGE_BUNDLE": str(bundle),
        "DRIFTGAUGE_STATE_DIR": state,
        **{f"DRIFTGAUGE_{name.upper()}": str(value) for name, value in settings.items()},
    }
    with ExitStack() as started, bound("127.0.0.1", 0) as listening:
        own = Generation([listening], environment, service_id())
        started.callback(own.join)
        started.callback(own.close)
        yield Running(own, listening, started)


@pytest.fixture(scope="module")
def bundle(binary: Example, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(binary.folder, tmp_path_factory.mktemp("generation") / "bundle"))


@pytest.fixture(scope="module")
def running(bundle: Path) -> Iterator[Running]:
    """Give a generation that is ready to fork."""
    with _generation(bundle) as found:
        assert found.refusal() == ""
        yield found


def test_workers_answer_share_a_port_and_end_when_they_are_told_to(running: Running) -> None:
    workers = [running.serving() for _ in range(2)]
    assert len({worker.pid for worker in workers}) == 2
    answering = httpx.get(f"{running.address}/health", timeout=60.0).json()["worker"]["pid"]
    assert answering in {worker.pid for worker in workers}
    for worker in workers:
        worker.terminate()
        assert running.ended(worker) in {0, -signal.SIGTERM}


def test_a_worker_that_is_killed_is_known_at_once_with_its_signal(running: Running) -> None:
    worker = running.serving()
    os.kill(worker.pid, signal.SIGKILL)
    assert running.ended(worker) == -signal.SIGKILL
    assert worker.was_killed
    assert running.problem(worker) == "it was ended by SIGKILL"


def test_a_fork_server_has_one_thread(running: Running) -> None:
    pid = running.own._process.pid
    running.serving()  # OpenBLAS ends its threads before a fork
    assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1


@pytest.mark.long
def test_a_forked_worker_predicts_with_threads_of_its_own(tolerant: Example) -> None:
    with _generation(tolerant.folder, model_threads=2) as found:
        assert found.refusal() == ""
        for _ in range(2):
            worker = found.serving()
            answer = httpx.post(f"{found.address}/predict", json={"instances": tolerant.rows(190)}, timeout=30.0)
            assert answer.status_code == 200
            assert len(answer.json()["predictions"]) == 190
            worker.end()


def test_a_worker_survives_a_hangup_and_stops_at_an_interrupt_once_it_serves(running: Running) -> None:
    worker = running.fork()
    os.kill(worker.pid, signal.SIGHUP)
    os.kill(worker.pid, signal.SIGINT)  # before it serves it is for the supervisor alone
    _until(lambda: running.problem(worker) or worker.serves)
    os.kill(worker.pid, signal.SIGHUP)
    assert running.problem(worker) is None
    os.kill(worker.pid, signal.SIGINT)
    assert running.ended(worker) == 0


def test_a_terminals_and_a_managers_signals_do_not_end_a_fork_server(running: Running) -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(running.own._process.pid or 0, number)
    running.serving().end()
    assert not running.own.is_lost


@pytest.mark.long
def test_an_interrupt_while_it_imports_does_not_end_a_fork_server(bundle: Path) -> None:
    with _generation(bundle) as found:
        for _ in range(20):
            os.kill(found.own._process.pid or 0, signal.SIGINT)
            time.sleep(0.02)
        assert found.refusal() == ""


@pytest.mark.long
def test_a_worker_whose_bundle_was_changed_ends_as_outdated(binary: Example, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(binary.folder, tmp_path / "bundle"))
    with _generation(bundle, str(tmp_path / "state")) as found:
        assert found.refusal() == ""
        found.serving().end()
        (bundle / "bundle.json").touch()
        assert found.ended(found.fork()) == OUTDATED


@pytest.mark.long
def test_what_cannot_be_served_is_refused_with_the_reason(binary: Example, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(binary.folder, tmp_path / "bundle"))
    (bundle / MODEL_FILE).write_bytes(b"PK")
    with _generation(bundle) as found:
        assert "cannot read the model" in found.refusal()
    with _generation(tmp_path / "nowhere") as found:
        assert "there is no model bundle at" in found.refusal()
    with _generation(bundle, windows="0") as found:
        assert "windows (DRIFTGAUGE_WINDOWS)" in found.refusal()


@pytest.mark.long
def test_workers_outlive_their_fork_server_and_can_still_be_ended(bundle: Path) -> None:
    with _generation(bundle) as found:
        assert found.refusal() == ""
        first, second = found.serving(), found.serving()
        os.kill(found.own._process.pid or 0, signal.SIGKILL)
        _until(lambda: found.own.is_lost)
        assert [found.problem(worker) for worker in (first, second)] == [None, None]
        assert httpx.get(f"{found.address}/health/ready", timeout=60.0).status_code == 200
        with pytest.raises(OSError, match="the fork server does not answer"):
            found.fork()
        os.kill(first.pid, signal.SIGKILL)
        assert found.ended(first) == UNKNOWN_EXIT
        second.terminate()
        assert found.ended(second) == UNKNOWN_EXIT


@pytest.fixture
def _adopting() -> Iterator[None]:
    """Make the test's process the parent of orphans, as the first process of a container is."""
    libc = ctypes.CDLL(None)
    set_child_subreaper = 36
    assert libc.prctl(set_child_subreaper, 1, 0, 0, 0) == 0
    yield
    assert libc.prctl(set_child_subreaper, 0, 0, 0, 0) == 0


@pytest.mark.long
@pytest.mark.usefixtures("_adopting")
def test_workers_whose_fork_server_was_killed_leave_no_zombies(bundle: Path) -> None:
    with _generation(bundle) as found:
        assert found.refusal() == ""
        first, second = found.serving(), found.serving()
        os.kill(found.own._process.pid or 0, signal.SIGKILL)
        _until(lambda: found.own.is_lost)
        second.terminate()
        assert found.ended(second) == UNKNOWN_EXIT
        for worker in (first, second):
            worker.end()
            assert not Path(f"/proc/{worker.pid}").exists()


@pytest.mark.long
def test_a_fork_server_that_is_not_needed_ends_while_it_imports_and_after_it(bundle: Path) -> None:
    for ready in (False, True):
        with _generation(bundle) as found:
            if ready:
                assert found.refusal() == ""
            found.own.close()
            _until(found.own.has_ended)


def test_a_fork_server_that_ends_before_it_is_ready_is_a_refusal(bundle: Path) -> None:
    with _generation(bundle) as found:
        os.kill(found.own._process.pid or 0, signal.SIGKILL)
        assert found.refusal() == "the fork server was ended by SIGKILL"


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.long
def test_a_worker_that_is_forked_too_late_stops_by_itself(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _generation(bundle) as found:
        assert found.refusal() == ""
        server = found.own._process.pid or 0
        monkeypatch.setattr("driftgauge.process.generation.ANSWER_SECONDS", 0.2)
        os.kill(server, signal.SIGSTOP)
        with pytest.raises(OSError, match="the fork server does not answer"):
            found.fork()
        os.kill(server, signal.SIGCONT)
        _until(lambda: _children(server))
        (late,) = _children(server)
        _until(lambda: not _lives(late))


@pytest.mark.long
@pytest.mark.parametrize("lost", [True, False], ids=["killed", "not needed"])
def test_a_trial_that_hangs_ends_with_its_fork_server(lost: bool, bundle: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config")  # without a writer, opening it takes for ever
    with _generation(bundle, config=tmp_path / "config") as found:
        server = found.own._process.pid or 0
        _until(lambda: _children(server))
        (trial,) = _children(server)
        time.sleep(0.5)
        assert _lives(trial)
        assert found.own.refusal() is None
        if lost:
            os.kill(server, signal.SIGKILL)
            assert found.refusal() == "the fork server was ended by SIGKILL"
        else:
            found.own.close()
            _until(found.own.has_ended)
        _until(lambda: not _lives(trial))
