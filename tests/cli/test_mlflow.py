"""`driftgauge mlflow` where it is used wrongly; the server itself is in tests/e2e/test_mlflow.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.runs import Run, runs

URI = ("--registry-uri", "http://127.0.0.1:9")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    return runs(monkeypatch, capfd, "mlflow")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("log-bundle", "b", "--model", "models:/m/1", "--name", "m"), "leave one of them out"),
        (("log-bundle", "b", "--model", "m"), "give models:/NAME@ALIAS or models:/NAME/VERSION"),
        (("log-bundle", "b"), "there is no model bundle at b"),
        (("fetch-bundle", "models:/m", "--out", "o"), "give models:/NAME@ALIAS or models:/NAME/VERSION"),
    ],
)
def test_a_wrong_argument_is_named_before_the_server_is_asked(
    arguments: tuple[str, ...], message: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, errors = run(*arguments, *URI)
    assert code != 0
    assert message in " ".join(errors.split())


def test_a_folder_that_exists_is_not_written_to(run: Run, tmp_path: Path) -> None:
    code, _, errors = run("fetch-bundle", "models:/m/1", "--out", tmp_path, *URI)
    assert code != 0
    assert "exists already" in " ".join(errors.split())


def test_a_server_that_follows_an_alias_needs_a_state_folder(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    serve = runs(monkeypatch, capfd, "serve")
    code, _, errors = serve("--bundle", tmp_path, "--follow-alias", "champion", "--state-dir", "memory")
    assert code != 0
    assert "set state_dir to one" in errors
    code, _, errors = serve("--bundle", "models:/m@champion", *URI)
    assert code != 0
    assert "name one with --state-dir" in errors
