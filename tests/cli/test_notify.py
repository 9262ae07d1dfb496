from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.runs import Run, runs
from tests.receivers import receiver_of


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    return runs(monkeypatch, capfd, "notify", "test")


def settings(folder: Path, url: str) -> Path:
    file = folder / "driftgauge.toml"
    file.write_text(
        f'[[notify]]\nname = "hook"\nkind = "webhook"\nurl = "{url}/secret"\n'
        f'[[notify]]\nname = "log"\nkind = "file"\npath = "{folder / "sent"}"\n'
    )
    return file


def test_each_receiver_gets_a_test_message(tmp_path: Path, run: Run) -> None:
    with receiver_of() as receiver:
        file = settings(tmp_path, receiver.url)
        assert run("--config", file) == (0, "hook: accepted\nlog: accepted\n", "")
        assert run("--config", file, "--name", "log") == (0, "log: accepted\n", "")
        (request,) = receiver.requests
        assert "This is a test message of Driftgauge." in json.loads(request.body)["text"]
        assert len((tmp_path / "sent").read_text().splitlines()) == 2


def test_a_receiver_that_refuses_is_named_without_its_secret(tmp_path: Path, run: Run) -> None:
    with receiver_of() as receiver:
        receiver.answer(404)
        code, output, errors = run("--config", settings(tmp_path, receiver.url))
        assert (code, output) == (2, "log: accepted\n")
        assert errors.strip() == f"driftgauge: hook: {receiver.url} answered 404"


def test_an_unknown_name_and_settings_without_receivers_are_refused(tmp_path: Path, run: Run) -> None:
    file = settings(tmp_path, "https://a.example.org")
    assert run("--config", file, "--name", "mail")[2].strip() == "driftgauge: there is no receiver mail: give hook, log"
    file.write_text("")
    code, _, errors = run("--config", file)
    assert (code, "the settings name no receivers" in errors) == (2, True)
