from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from driftgauge.cli import main as cli
from driftgauge.cli.state import OLD
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.store import PredictionStore

from tests.examples import Example
from tests.served import served


class Result:
    """What a run of the command left."""

    def __init__(self, code: object, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def refuses(self, *parts: str) -> bool:
        """Whether it failed as an expected error does: code 2, and one line that has all of these."""
        assert self.code == 2, self.err
        assert self.out == ""
        (line,) = self.err.strip().splitlines()
        assert line.startswith("driftgauge: ")
        return all(part in line for part in parts)


class Command:
    """Runs `driftgauge state` in this process, as its entry point does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._captured = monkeypatch, capfd

    def __call__(self, *arguments: object) -> Result:
        self._captured.readouterr()
        self._monkeypatch.setattr(sys, "argv", ["driftgauge", "state", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return Result(left.value.code or 0, *self._captured.readouterr())


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("COLUMNS", "200")
    return Command(monkeypatch, capfd)


def _of_version(example: Example, version: str) -> Example:
    info = example.bundle.info.model_copy(update={"version": version})
    return replace(example, bundle=replace(example.bundle, info=info))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _logged(folder: Path) -> list[str]:
    """The ids of the predictions of the example `binary` in the log of a state folder."""
    store = PredictionStore.open(folder)
    try:
        return [id_ for batch in store.read(Selection("binary")) for id_ in batch.ids]
    finally:
        store.close()


def _serve(example: Example, folder: Path, rows: int = 5) -> None:
    """Have a server leave its state in a folder."""
    with served(example, state_dir=folder) as running:
        running.predict({"instances": example.rows(rows)})


def _shown(state: Command, folder: Path) -> list[dict[str, Any]]:
    result = state("show", "--state-dir", folder, "--json")
    assert (result.code, result.err) == (0, "")
    found: list[dict[str, Any]] = json.loads(result.out)
    return found


# ---------------------------------------------------------------- show


def test_each_file_is_shown_with_whose_it_is(binary: Example, tmp_path: Path, state: Command) -> None:
    for version in ("1.1", "1.2"):
        _serve(_of_version(binary, version), tmp_path)
    everything = _shown(state, tmp_path)
    shown, of_server = everything[2:], everything[:2]
    assert [own["file"] for own in of_server] == ["@server/binary/0.log", "@server/binary/checkpoint.state"]
    assert {(own["model_name"], own["model_version"]) for own in of_server} == {("binary", "server")}
    names = {"0.log": "log", "checkpoint.state": "checkpoint", "history.state": "history"}
    assert [(own["file"], own["kind"]) for own in shown] == [
        (f"binary/{version}/{name}", kind) for version in ("1.1", "1.2") for name, kind in names.items()
    ]
    for own in shown:
        assert own["size_bytes"] == (tmp_path / own["file"]).stat().st_size
        assert (own["model_name"], own["model_version"]) == ("binary", own["file"].split("/")[1])
        assert own["baseline"] == binary.bundle.baseline.hash
        assert (own["held"], own["is_old"]) == (False, False)
        assert own["rows"] == (5 if own["kind"] == "log" else None)
    lines = state("show", "--state-dir", tmp_path).out.splitlines()
    assert [line.split()[:3] for line in lines[1:-1]] == [
        [own["file"], own["model_name"], own["model_version"]] for own in everything
    ]
    assert lines[-1] == f"in {tmp_path}"
    assert OLD not in lines
    assert "process" not in "".join(lines)


def test_the_process_that_uses_a_file_is_shown(binary: Example, tmp_path: Path, state: Command) -> None:
    with served(binary, state_dir=tmp_path):
        held = {own["file"]: own["pid"] for own in _shown(state, tmp_path) if own["held"]}
        text = state("show", "--state-dir", tmp_path).out
    assert held == {"@server/binary/0.log": os.getpid(), "binary/1.2/0.log": os.getpid()}
    assert [line.split()[0] for line in text.splitlines() if f"process {os.getpid()}" in line] == list(held)


def test_looking_at_a_state_neither_takes_nor_changes_it(binary: Example, tmp_path: Path, state: Command) -> None:
    _serve(binary, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    _shown(state, tmp_path)
    state("show", "--state-dir", tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    with served(binary, state_dir=tmp_path) as running:
        assert running.client.get("/health").json()["worker"]["slot"] == 0
        assert running.status()["rows_observed"] == 5


def test_the_state_of_a_bundle_is_the_one_beside_it(
    binary: Example, tmp_path: Path, state: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(binary, tmp_path / "b.state")
    monkeypatch.chdir(tmp_path)
    assert "binary/1.2/0.log" in state("show", "--bundle", "b").out
    monkeypatch.setenv("DRIFTGAUGE_BUNDLE", str(tmp_path / "b"))
    assert "binary/1.2/0.log" in state("show").out
    monkeypatch.setenv("DRIFTGAUGE_STATE_DIR", "elsewhere")
    assert state("show").out == "no state in elsewhere\n"


def test_a_file_that_is_not_a_state_is_shown_without_a_model_or_not_at_all(tmp_path: Path, state: Command) -> None:
    (tmp_path / "notes.state").write_text("mine")
    (tmp_path / "3.log").write_bytes(os.urandom(10_000))
    shown = _shown(state, tmp_path)
    assert [(own["file"], own["kind"], own["model_name"], own["held"]) for own in shown] == [
        ("3.log", None, None, False)
    ]
    assert state("show", "--state-dir", tmp_path).code == 0


def test_files_of_version_0_1_0_are_shown_as_such_and_deleted(tmp_path: Path, state: Command) -> None:
    folder = tmp_path / "binary" / "1.2"
    folder.mkdir(parents=True)
    header = {"format": "driftgauge state", "schema_version": 1, "kind": "slot", "model_name": "binary"}
    (folder / "0.state").write_bytes((json.dumps(header).encode() + b"\n").ljust(8_192, b"\1"))
    for name in ("0.lock", "evaluation.state", "evaluation.lock", "retired.state"):
        (folder / name).touch()
    shown = _shown(state, tmp_path)
    assert [(own["file"].split("/")[-1], own["is_old"], own["rows"], own["held"]) for own in shown] == [
        (name, True, None, False) for name in ("0.state", "evaluation.state", "retired.state")
    ]
    assert shown[0]["model_name"] == "binary"
    assert state("show", "--state-dir", tmp_path).out.splitlines()[-1] == OLD
    assert state("reset", "--state-dir", tmp_path).out == f"3 files deleted from {tmp_path}\n"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", ["show", "reset"])
def test_a_folder_must_be_named_somehow(command: str, state: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert state(command).refuses("no state folder is known", "--bundle FOLDER", "--state-dir FOLDER")
    assert state(command, "--state-dir", "memory").refuses("no state folder is known")
    monkeypatch.setenv("DRIFTGAUGE_BUNDEL", "x")
    assert state(command).refuses("DRIFTGAUGE_BUNDEL")


def test_an_empty_folder_has_no_state(tmp_path: Path, state: Command) -> None:
    assert state("show", "--state-dir", tmp_path).out == f"no state in {tmp_path}\n"
    assert _shown(state, tmp_path) == []
    result = state("reset", "--state-dir", tmp_path)
    assert (result.code, result.out) == (0, f"0 files deleted from {tmp_path}\n")


# ---------------------------------------------------------------- reset


def test_a_state_that_is_reset_is_gone(binary: Example, tmp_path: Path, state: Command) -> None:
    for version in ("1.1", "1.2"):
        _serve(_of_version(binary, version), tmp_path)
    log, ids = _files(tmp_path / "predictions"), _logged(tmp_path)
    result = state("reset", "--state-dir", tmp_path)
    assert (result.code, result.out) == (0, f"8 files deleted from {tmp_path}\n")
    assert _files(tmp_path) == log  # it is data, not a state of monitoring
    assert _logged(tmp_path) == ids
    assert len(ids) == 10
    with served(binary, state_dir=tmp_path) as running:
        assert running.status()["rows_observed"] == running.metric("model_predictions_total") == 0
        assert running.status()["monitoring"]["state"]["notes"] == []


def test_a_state_in_use_is_not_reset(binary: Example, tmp_path: Path, state: Command) -> None:
    _serve(_of_version(binary, "1.1"), tmp_path)
    with served(binary, state_dir=tmp_path) as running:
        running.predict({"instances": binary.rows(20)})
        before = set(tmp_path.rglob("*"))
        refused = state("reset", "--state-dir", tmp_path)
        assert refused.refuses("a server is using", f"(process {os.getpid()})", "stop it first")
        assert set(tmp_path.rglob("*")) >= before  # nothing is removed; the server goes on writing
        assert running.status()["rows_observed"] == 20


@pytest.mark.parametrize(("command", "what"), [("show", "cannot read the state"), ("reset", "there is no folder")])
def test_a_folder_that_is_none_cannot_be_looked_at(command: str, what: str, tmp_path: Path, state: Command) -> None:
    (tmp_path / "state").write_text("mine")
    assert state(command, "--state-dir", tmp_path / "state").refuses(what, str(tmp_path / "state"))


@pytest.mark.parametrize(("command", "what"), [("show", "cannot read the state"), ("reset", "cannot delete the state")])
def test_a_part_of_a_folder_that_cannot_be_read_is_named(
    command: str, what: str, binary: Example, tmp_path: Path, state: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(binary, tmp_path)
    scandir = os.scandir

    def refused(path: Any) -> Any:
        if Path(path).name == "1.2":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert state(command, "--state-dir", tmp_path).refuses(what, f"{tmp_path / 'binary' / '1.2'}: Permission denied")


def test_a_file_that_cannot_be_deleted_is_named(
    binary: Example, tmp_path: Path, state: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve(binary, tmp_path)

    def refused(self: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "unlink", refused)
    assert state("reset", "--state-dir", tmp_path).refuses("cannot delete the state", "0.log: Read-only file system")


def test_what_is_not_ours_is_left_alone(binary: Example, tmp_path: Path, state: Command) -> None:
    others = [
        tmp_path / "uv.lock",
        tmp_path / "game.state",
        tmp_path / "7.log",
        tmp_path / "server.log",
        tmp_path / "project" / "poetry.lock",
        tmp_path / "a.new",
    ]
    (tmp_path / "project").mkdir()
    for path in others:
        path.write_text("mine")
    _serve(binary, tmp_path)
    log = _files(tmp_path / "predictions")
    assert state("reset", "--state-dir", tmp_path).code == 0
    assert tmp_path / "predictions" / "log.sqlite3" in log
    assert _files(tmp_path) == sorted([*others, *log])


def test_the_states_of_all_models_of_a_settings_file_are_listed(
    state: Command, binary: Example, tmp_path: Path
) -> None:
    config, tables = tmp_path / "driftgauge.toml", []
    for name in ("one", "two"):
        bundle = shutil.copytree(binary.folder, tmp_path / name)
        _serve(binary, tmp_path / f"{name}.state")
        tables.append(f'[models.{name}]\nbundle = "{bundle}"\n')
    config.write_text("".join(tables), encoding="utf-8")
    listed = json.loads(state("show", "--config", config, "--json").out)
    assert [own["model_name"] for own in listed if own["kind"] == "log" and own["rows"]] == ["binary"] * 2


def test_of_several_bundles_each_has_its_state_beside_it(state: Command, tmp_path: Path) -> None:
    result = state("show", "--bundle", tmp_path / "a", "--bundle", tmp_path / "b")
    assert (result.code, result.out) == (0, f"no state in {tmp_path / 'a.state'}, {tmp_path / 'b.state'}\n")
