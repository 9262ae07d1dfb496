from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from driftgauge.common.private_files import FileLock, LockTimeout
from driftgauge.common.processes import boot_id
from driftgauge.errors import StateError
from driftgauge.state.files import EVALUATION_LOCK, HEADER_BYTES, OPEN_SECONDS
from driftgauge.state.folder import refuse_old, reset, state_files
from driftgauge.state.traffic import TRAFFIC_FILE

from tests.writers import HEADS, Crew, crew, shape_of, store_in

WINDOW = 1_000
FILES = {"0.log", "0.lock", "checkpoint.state", EVALUATION_LOCK}
OLD = {"0.state", "0.lock", "evaluation.state", EVALUATION_LOCK, "retired.state"}


@pytest.fixture(scope="module")
def workers() -> Iterator[Crew]:
    with crew() as own:
        yield own


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _old(folder: Path) -> Path:
    """Make a folder as version 0.1.0 left it, with the header and the lease of a slot that was not left."""
    folder.mkdir(parents=True)
    for name in OLD:
        (folder / name).touch()
    header = {"format": "driftgauge state", "schema_version": 1, "kind": "slot", "model_name": "churn"}
    head = (json.dumps(header) + "\n").encode().ljust(3_072, b"\0") + boot_id().encode().ljust(36, b"\0")
    (folder / "0.state").write_bytes((head + (4_711).to_bytes(8, "little")).ljust(HEADER_BYTES, b"\0") + b"\7" * 64)
    return folder


# ---------------------------------------------------------------- list


def test_files_are_listed_with_their_last_writer_and_whether_they_are_held(workers: Crew, tmp_path: Path) -> None:
    workers.append(tmp_path / "churn" / "1", 5, "held")
    store_in(tmp_path / "churn" / "2").leave()
    files = {str(file.path.relative_to(tmp_path)): file for file in state_files(tmp_path)}
    assert set(files) == {f"churn/{version}/{name}" for version in (1, 2) for name in ("0.log", "checkpoint.state")}
    held, left = files["churn/1/0.log"], files["churn/2/0.log"]
    assert (held.is_held, held.lease.clean, held.header["model_name"], held.rows) == (True, False, "churn", 5)
    assert (left.is_held, left.lease.clean, left.lease.pid, left.rows) == (False, True, os.getpid(), 0)
    assert left.size_bytes == HEADER_BYTES + shape_of(WINDOW).log.size_bytes
    assert not any(file.is_old for file in files.values())
    assert [file.rows for name, file in files.items() if name.endswith("checkpoint.state")] == [None, None]
    workers.killed()


def test_files_of_version_0_1_0_are_listed_as_old_with_their_process(tmp_path: Path) -> None:
    lock = FileLock(_old(tmp_path / "churn" / "1") / "0.lock")
    assert lock.acquire()
    files = {file.path.name: file for file in state_files(tmp_path)}
    lock.release()
    assert set(files) == {"0.state", "evaluation.state", "retired.state"}
    assert all(file.is_old for file in files.values())
    slot = files["0.state"]
    assert (slot.is_held, slot.lease.pid, slot.rows, slot.header["kind"]) == (True, 4_711, None, "slot")


@pytest.mark.parametrize("name", ["0.log", "checkpoint.state", "0.state"])
@pytest.mark.parametrize("content", HEADS.values(), ids=HEADS)
def test_files_that_are_not_state_are_listed_without_a_header(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    (file,) = state_files(tmp_path)
    assert (dict(file.header), file.is_held, file.lease.is_running(boot_id()), file.rows) == ({}, False, False, None)


# ---------------------------------------------------------------- reset


def test_all_state_is_deleted_unless_a_server_uses_it(tmp_path: Path) -> None:
    folder = tmp_path / "churn" / "1"
    store = store_in(folder)
    with pytest.raises(LockTimeout, match=f"process {os.getpid()}"):
        reset(tmp_path)
    assert _names(folder) == FILES
    store.leave()
    kept = [own / f"{TRAFFIC_FILE}{end}" for own in (folder, folder.parent) for end in ("", ".1.new")]
    for path in (*kept, tmp_path.parent / TRAFFIC_FILE):
        path.touch()
    assert reset(tmp_path) == 2
    assert _names(folder) == set()
    assert not any(path.exists() for path in kept)
    assert (tmp_path.parent / TRAFFIC_FILE).exists()


@pytest.mark.parametrize(("model", "version"), [("churn", TRAFFIC_FILE), (TRAFFIC_FILE, "1")])
def test_folders_that_are_named_like_a_file_of_state_are_left(model: str, version: str, tmp_path: Path) -> None:
    store_in(tmp_path / model / version).leave()
    assert reset(tmp_path) == 2
    assert _names(tmp_path / model / version) == set()


def test_state_of_version_0_1_0_is_deleted_unless_a_server_uses_it(tmp_path: Path) -> None:
    folder = _old(tmp_path / "churn" / "1")
    with pytest.raises(StateError, match="written by Driftgauge 0"):
        store_in(folder)
    lock = FileLock(folder / "0.lock")
    assert lock.acquire()
    with pytest.raises(LockTimeout, match=r"\(process 4711\)"):
        reset(tmp_path)
    assert _names(folder) == OLD
    lock.release()
    assert reset(tmp_path) == 3
    assert _names(folder) == set()


def test_nothing_is_deleted_of_a_server_that_starts_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "churn" / "1"
    store_in(folder).leave()
    waits = threading.Event()

    def sleep(seconds: float) -> None:
        waits.set()
        threading.Event().wait(seconds)

    monkeypatch.setattr("driftgauge.common.private_files.time.sleep", sleep)
    with ThreadPoolExecutor() as pool:
        with FileLock(folder / EVALUATION_LOCK).held(OPEN_SECONDS):
            job = pool.submit(reset, tmp_path)
            assert waits.wait(OPEN_SECONDS)
            beginning = FileLock(folder / "0.lock")
            assert beginning.acquire()
            (folder / "0.log").unlink()
        with pytest.raises(LockTimeout, match=r"\(0\.lock\)"):
            job.result()
        beginning.release()
    assert _names(folder) == FILES - {"0.log"}


# ---------------------------------------------------------------- version 0.1.0


@pytest.mark.parametrize("name", ["0.state", "17.state", "evaluation.state", "retired.state"])
def test_a_folder_of_version_0_1_0_is_refused_with_what_to_do(name: str, tmp_path: Path) -> None:
    for own in ("0.log", "checkpoint.state", "notes.state", "evaluation.lock"):
        (tmp_path / own).touch()
    refuse_old(tmp_path)
    (tmp_path / name).touch()
    with pytest.raises(StateError) as refused:
        refuse_old(tmp_path)
    parts = (
        str(tmp_path),
        "0.1.0",
        "not migrated before 1.0",
        "--fresh-state",
        "`driftgauge state reset`",
        "state_dir",
    )
    assert all(part in str(refused.value) for part in parts)


def test_a_folder_that_does_not_exist_is_not_old(tmp_path: Path) -> None:
    refuse_old(tmp_path / "nowhere")
