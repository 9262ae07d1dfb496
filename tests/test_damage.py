"""Damage to the state while a server runs: answers come in time, and predictions go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from driftgauge.edges.http.model_monitoring import UNREAD
from driftgauge.monitor.publisher import LOST, PROBLEM, RESTART
from driftgauge.monitor.scheduler import LATE
from structlog.testing import capture_logs

from tests.damage import BESIDE, FILES, IN_PLACE, OF_FOLDER, REPLACED, Damage, Seen, held, no_rights
from tests.examples import Example
from tests.served import Served, served

WAIT_SECONDS = 0.5
"""The setting `evaluation_wait_seconds` where delays are the subject."""
PATIENT_SECONDS = 30.0
"""The same setting elsewhere: a busy machine delays nothing for so long."""
HISTORY = "history.state"
GATE_SECONDS = 300.0
"""How long what hangs does so; an answer that waits for it comes after that time."""


@contextmanager
def _kept(
    binary: Example, state: Path, wait_seconds: float = PATIENT_SECONDS, **settings: Any
) -> Iterator[tuple[Served, Path]]:
    """Serve with state in files, and give their folder."""
    shown = {"metrics_windows": ("50",), **settings}
    with served(binary, state_dir=state, evaluation_wait_seconds=wait_seconds, **shown) as running:
        yield running, state / "binary" / "1.2"


def _assert_answered(seen: Seen) -> None:
    """Assert that everything was answered, and that no counter went back."""
    assert {path: {"200"} for path in seen.codes} == seen.codes
    assert seen.fallen == set()


def _await_health(running: Served) -> None:
    """Wait until a state that a busy machine did not read in time has been read."""
    deadline = time.monotonic() + 60.0
    while not running.metric("model_monitoring_healthy") or running.status()["monitoring"]["problems"]:
        assert time.monotonic() < deadline, running.status()["monitoring"]["problems"]
        time.sleep(0.1)


def _all_damages() -> Iterator[Any]:
    for file in (*FILES, HISTORY):
        for name, damage in {**IN_PLACE, **REPLACED}.items():
            marks = [pytest.mark.long] if name in REPLACED else []
            yield pytest.param(file, damage, id=f"{file} {name}", marks=marks)
    for name, damage in BESIDE.items():
        yield pytest.param("1.log", damage, id=f"1.log {name}")
    for name, damage in OF_FOLDER.items():
        yield pytest.param("", damage, id=f"folder {name}")


@pytest.mark.long
@pytest.mark.parametrize(("file", "damage"), list(_all_damages()))
def test_everything_is_answered_whatever_becomes_of_the_files(
    file: str, damage: Damage, binary: Example, tmp_path: Path
) -> None:
    (row,) = binary.rows(1)
    with _kept(binary, tmp_path, WAIT_SECONDS) as (running, folder):
        seen = Seen().look(running.client, row)
        _assert_answered(seen)
        _await_health(running)
        try:
            damage(folder / file)
            seen.look(running.client, row)
        finally:
            if folder.is_dir():
                folder.chmod(0o700)
        _assert_answered(seen)
        assert running.metric("model_predictions_total") == 10 * 50


@pytest.mark.long
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", [name for name, damage in REPLACED.items() if damage is not no_rights])
def test_a_worker_whose_file_is_replaced_reports_it_and_continues_in_memory(
    name: str, file: str, binary: Example, tmp_path: Path
) -> None:
    (row,) = binary.rows(1)
    with _kept(binary, tmp_path) as (running, folder):
        Seen().look(running.client, row)
        REPLACED[name](folder / file)
        Seen().look(running.client, row, at_least=2)
        (problem,) = running.status()["monitoring"]["problems"]
        assert problem.startswith(f"{LOST}: ")
        assert problem.endswith(f": {RESTART}")
        assert running.client.get("/health").json()["monitoring"]["problems"] == [problem]
        assert running.metric("model_monitoring_healthy") == running.metric("model_state_persistent") == 0
        # 350 rows were sent, and the last ones are in the window again.
        assert running.metric("model_window_rows", window="50") == 50
        assert running.metric("model_observations_total") == running.metric("model_predictions_total") == 7 * 50
    with _kept(binary, tmp_path) as (running, _):  # begins empty, or in memory where it cannot
        assert running.predict({"instances": [row]}).status_code == 200
        assert running.metric("model_window_rows", window="50") >= 1


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_log_that_is_overwritten_is_repaired_by_its_worker(name: str, binary: Example, tmp_path: Path) -> None:
    (row,) = binary.rows(1)
    with _kept(binary, tmp_path) as (running, folder):
        seen = Seen().look(running.client, row)
        IN_PLACE[name](folder / "0.log")
        seen.look(running.client, row)
        _assert_answered(seen)
        status = running.status()
        assert status["monitoring"]["healthy"] is True
        assert any("0.log" in note for note in status["monitoring"]["state"]["notes"])
        assert running.metric("model_window_rows", window="50") == 50
        assert running.metric("model_observations_total") == running.metric("model_predictions_total") == 10 * 50
        assert status["rows_observed"] == 10 * 50
    with _kept(binary, tmp_path) as (running, _):
        assert running.metric("model_predictions_total") == 10 * 50
        assert running.status()["monitoring"]["healthy"] is True


@pytest.mark.parametrize("name", BESIDE)
def test_a_thing_in_the_place_of_another_workers_log_is_a_problem_that_is_named(
    name: str, binary: Example, tmp_path: Path
) -> None:
    with _kept(binary, tmp_path) as (running, folder):
        BESIDE[name](folder / "1.log")
        (problem,) = running.status()["monitoring"]["problems"]
        assert problem.startswith("state_damaged: 1.log is left out: it is ")
        assert running.metric("model_monitoring_healthy") == 0
        path = folder / "1.log"
        path.rmdir() if path.is_dir() else path.unlink()
        assert running.status()["monitoring"]["healthy"] is True


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_checkpoint_that_is_overwritten_is_restored(name: str, binary: Example, tmp_path: Path) -> None:
    (row,) = binary.rows(1)
    with _kept(binary, tmp_path) as (running, folder):
        Seen().look(running.client, row)
        before = running.status()
        IN_PLACE[name](folder / "checkpoint.state")
        running.predict({"instances": [row]})
        after = running.status()
        assert after["rows_observed"] == before["rows_observed"] + 1
        assert after["monitoring"]["healthy"] is True
        assert any("restored as it was read last" in note for note in after["monitoring"]["state"]["notes"])
        worst = {name: column["evidence_log10"] for name, column in before["features"].items()}
        assert all(column["evidence_log10"] >= worst[name] - 0.5 for name, column in after["features"].items())


# ---------------------------------------------------------------- delays


@pytest.mark.long
def test_a_lock_that_a_stopped_process_holds_delays_no_answer(binary: Example, tmp_path: Path) -> None:
    (row,) = binary.rows(1)
    with _kept(binary, tmp_path, WAIT_SECONDS) as (running, folder):
        seen = Seen().look(running.client, row)
        with held(folder / "evaluation.lock"):
            seen.look(running.client, row)
            _assert_answered(seen)
            assert any(problem.startswith(f"{LATE}: ") for problem in seen.problems)
            assert running.metric("model_monitoring_healthy") == 0
            assert running.metric("model_predictions_total") == 10 * 50


class Gate:
    """Delays every caller until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.came = self.left = 0

    def __call__(self, *_: Any) -> Any:
        self.came += 1
        self._open.wait(GATE_SECONDS)
        self.left += 1
        raise RuntimeError("delayed for long")

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


@pytest.mark.long
def test_while_an_evaluation_hangs_the_last_report_is_given_with_its_age(
    gate: Gate, binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = binary.rows(1)
    now = time.time()
    with served(binary, now=lambda: now, state_dir=tmp_path, evaluation_wait_seconds=WAIT_SECONDS) as running:
        seen = Seen().look(running.client, row)
        assert running.status()["report_age_seconds"] == 0
        monkeypatch.setattr(running.monitor, "evaluate", gate)
        now += 42.0
        seen.look(running.client, row)
        _assert_answered(seen)
        with ThreadPoolExecutor(20) as readers:  # more than there are threads to wait in
            answers = list(readers.map(lambda _: running.client.get("/drift/status"), range(20)))
        assert {answer.status_code for answer in answers} == {200}
        status = running.status()
        assert (status["rows_observed"], status["report_age_seconds"]) == (250, 42.0)
        assert not status["monitoring"]["healthy"]
        series = running.metrics()
        age = now - max(value for (name, _), value in series.items() if name == "model_evaluation_timestamp_seconds")
        assert age == pytest.approx(42.0, abs=0.01)
        assert running.metric("model_predictions_total") == 10 * 50
        assert (gate.came, gate.left) == (1, 0)
        gate.open()


@pytest.mark.long
@pytest.mark.parametrize("what", ["counted", "rows", "workers"])
def test_while_the_state_cannot_be_read_counters_of_this_worker_go_on(
    what: str, gate: Gate, binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = binary.rows(1)
    with _kept(binary, tmp_path, WAIT_SECONDS) as (running, _):
        seen = Seen().look(running.client, row)
        store = type(running.context.monitoring.model().store)
        monkeypatch.setattr(store, what, gate if what == "counted" else property(gate))
        seen.look(running.client, row)
        _assert_answered(seen)
        assert seen.unhealthy
        assert running.metric("model_predictions_total") == 10 * 50
        assert gate.came > 0 == gate.left
        gate.open()


def test_where_the_state_raises_counters_of_this_worker_go_on(
    binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise MemoryError("no room")

    (row,) = binary.rows(1)
    with _kept(binary, tmp_path) as (running, _):
        seen = Seen().look(running.client, row)
        with capture_logs() as logs:
            for what in ("counted", "snapshot", "pending"):
                monkeypatch.setattr(running.context.monitoring.model().store, what, broken)
            seen.look(running.client, row, at_least=20)
        _assert_answered(seen)
        assert {problem.partition(":")[0] for problem in seen.problems} == {"evaluation_failed", UNREAD}
        assert running.metric("model_predictions_total") == 25 * 50
        assert len([line for line in logs if line["event"] == UNREAD]) == 1


def test_a_state_that_is_read_again_is_a_problem_no_longer(
    binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise MemoryError("no room")

    with _kept(binary, tmp_path) as (running, _):
        with monkeypatch.context() as patched:
            patched.setattr(running.context.monitoring.model().store, "counted", broken)
            assert running.metric("model_monitoring_healthy") == 0
            for _ in range(3):  # the status reads another part of it, and hides nothing
                assert running.status()["monitoring"]["problems"] == [f"{UNREAD}: MemoryError: no room"]
        _await_health(running)


def test_counters_that_cannot_be_published_are_a_problem_of_monitoring_that_is_logged_once(
    binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    (row,) = binary.rows(1)
    with _kept(binary, tmp_path, WAIT_SECONDS) as (running, _):
        seen = Seen().look(running.client, row)
        with capture_logs() as logs, monkeypatch.context() as patched:
            patched.setattr(running.context.monitoring.model().store, "publish", full)
            seen.look(running.client, row, at_least=20)
        _assert_answered(seen)
        assert seen.unhealthy
        assert len([line for line in logs if line["event"] == PROBLEM]) == 1
        assert running.metric("model_predictions_total") == 25 * 50
