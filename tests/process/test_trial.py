from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from driftgauge.common.private_files import FileLock
from driftgauge.common.processes import service_id
from driftgauge.composition.loading import config_digest
from driftgauge.process.trial import try_application
from driftgauge.settings.options import load

from tests.examples import Example
from tests.served import served


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def state(binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the state folder of a bundle that a server has used."""
    with served(binary, state_dir=tmp_path / "state") as running:
        running.predict({"instances": binary.rows(20)})
    monkeypatch.setenv("DRIFTGAUGE_BUNDLE", str(binary.folder))
    monkeypatch.setenv("DRIFTGAUGE_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state" / "binary" / "1.2"


def _rows(example: Example, state: Path) -> int:
    with served(example, state_dir=state.parents[1]) as running:
        rows: int = running.status()["rows_observed"]
        return rows


def test_a_trial_tells_what_is_served_and_leaves_the_state_alone(state: Path) -> None:
    before = {path: path.read_bytes() for path in state.iterdir()}
    found = try_application(service_id(), fresh_state=False)
    assert (found.refusal, found.digest) == ("", config_digest(load()))
    assert {path: path.read_bytes() for path in state.iterdir()} == before


def test_a_trial_with_a_fresh_state_deletes_it(state: Path) -> None:
    assert try_application(service_id(), fresh_state=True).refusal == ""
    assert list(state.iterdir()) == []


def test_a_state_in_use_is_a_refusal(state: Path) -> None:
    with FileLock(state / "0.lock").held(10.0):
        assert "a server is using" in try_application(service_id(), fresh_state=True).refusal
    assert (state / "0.log").exists()


def test_state_of_version_0_1_0_is_a_refusal_unless_a_fresh_one_is_requested(state: Path) -> None:
    (state / "evaluation.state").touch()
    assert "written by Driftgauge 0.1.0" in try_application(service_id(), fresh_state=False).refusal
    assert (state / "0.log").exists()
    assert try_application(service_id(), fresh_state=True).refusal == ""
    assert list(state.iterdir()) == []


def test_other_settings_are_a_refusal_while_another_service_uses_the_state(
    binary: Example, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTGAUGE_WINDOWS", "60,2000")
    with served(binary, state_dir=state.parents[1]) as running:
        assert try_application(service_id(), fresh_state=False).refusal == ""  # a reload of the same service
        refusal = try_application(service_id() + 1, fresh_state=False).refusal
        assert all(part in refusal for part in (str(state), f"process {os.getpid()}", "other settings"))
        assert running.status()["rows_observed"] == 20
    assert try_application(service_id() + 1, fresh_state=False).refusal == ""
    assert _rows(binary, state) == 20  # nothing was deleted


@pytest.mark.parametrize(
    ("name", "value", "refusal"),
    [
        ("BUNDLE", "nowhere", "there is no model bundle at nowhere"),
        ("WINDOWS", "0", "windows (DRIFTGAUGE_WINDOWS)"),
    ],
)
def test_what_cannot_work_is_a_refusal_and_deletes_nothing(
    name: str, value: str, refusal: str, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"DRIFTGAUGE_{name}", value)
    assert refusal in try_application(service_id(), fresh_state=True).refusal
    assert (state / "0.log").exists()


def test_a_server_whose_actions_would_have_no_history_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    action = {"name": "call", "kind": "url", "alerts": ["ModelFeatureDrift"], "url": "http://127.0.0.1:1"}
    monkeypatch.setenv("DRIFTGAUGE_ACTIONS", json.dumps([action]))
    assert try_application(service_id(), fresh_state=False).refusal == ""
    assert not (state.parents[1] / "@actions").exists()
    monkeypatch.setenv("DRIFTGAUGE_STATE_DIR", "memory")
    refusal = try_application(service_id(), fresh_state=False).refusal
    assert refusal == "actions need a state folder, in which their history is kept: set state_dir"
