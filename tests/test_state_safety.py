"""State files and folders belong to this user or to root, and no other user can change them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from driftgauge.common.private_files import FileLock, make_private, opened
from driftgauge.composition.states import WITHOUT_FILES
from driftgauge.state.slot import StateUnavailable

from tests.examples import Example
from tests.served import served
from tests.writers import store_in

ANOTHER_USER = 54_321
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.usefixtures("umask")
def test_files_and_folders_are_for_their_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    root = tmp_path / "state"
    folder = root / "churn" / "1"
    make_private(folder, root)
    store_in(folder).leave()
    assert {_mode(path) for path in (root, root / "churn", folder)} == {0o700}
    found = list(folder.iterdir())
    assert {path.suffix for path in found} == {".log", ".state", ".lock"}
    assert {_mode(path) for path in found} == {0o600}


def test_a_folder_that_others_may_read_goes_on_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    store_in(tmp_path).leave()
    assert _mode(tmp_path) == 0o755


def test_files_that_others_may_read_are_made_this_users_own(tmp_path: Path) -> None:
    store_in(tmp_path).leave()
    for path in tmp_path.iterdir():
        path.chmod(0o666)
    store_in(tmp_path).leave()
    assert {_mode(path) for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_folder_that_everybody_can_write_in_is_refused(mode: int, tmp_path: Path) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(StateUnavailable, match=rf"^{tmp_path}: everybody can write in it \(mode {mode:04o}\)"):
        store_in(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_root_where_others_cannot_rename_what_is_not_theirs_may_be_written_by_all(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    make_private(tmp_path / "churn" / "1", tmp_path)
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="everybody can write in it"):
        make_private(tmp_path / "churn" / "1", tmp_path)


@pytest.mark.parametrize("name", ["churn", "churn/1"])
def test_a_folder_below_the_root_is_no_link(name: str, tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (root / name).parent.mkdir(parents=True)
    (root / name).symlink_to(elsewhere)
    with pytest.raises(PermissionError, match="it is not a folder"):
        make_private(root / "churn" / "1", root)
    assert list(elsewhere.iterdir()) == []


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    make_private(tmp_path / "state" / "churn" / "1", tmp_path / "state")
    assert (tmp_path / "elsewhere" / "churn" / "1").is_dir()


@AS_ROOT
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, ANOTHER_USER, -1)
    with pytest.raises(
        StateUnavailable, match=f"^{tmp_path}: it belongs to user {ANOTHER_USER}, and this process runs as 0"
    ):
        store_in(tmp_path)


@AS_ROOT
@pytest.mark.parametrize("name", ["evaluation.lock", "checkpoint.state", "0.lock", "0.log"])
def test_a_file_of_another_user_is_refused(name: str, tmp_path: Path) -> None:
    store_in(tmp_path).leave()
    os.chown(tmp_path / name, ANOTHER_USER, -1)
    with pytest.raises(StateUnavailable, match=f"{name}: it belongs to user {ANOTHER_USER}"):
        store_in(tmp_path)


def _link(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"not ours")
    path.symlink_to(other)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link": (_link, "it is a symbolic link"),
    "a link to nothing": (lambda path: path.symlink_to("/nowhere/at/all"), "it is a symbolic link"),
    "a pipe": (os.mkfifo, "it is not a regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "it is a symbolic link"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", ["evaluation.lock", "checkpoint.state", "0.lock", "0.log"])
def test_what_is_no_file_is_refused_and_left_alone(name: str, wrong: str, tmp_path: Path) -> None:
    make, why = WRONG[wrong]
    make(tmp_path / name)
    with pytest.raises(StateUnavailable, match=rf"^{tmp_path}/{name}: {why}"):
        store_in(tmp_path)
    if (tmp_path / "other").exists():
        assert (tmp_path / "other").read_bytes() == b"not ours"


def test_a_file_of_40_gigabytes_is_not_read(tmp_path: Path) -> None:
    store_in(tmp_path).leave()
    size = (tmp_path / "0.log").stat().st_size
    os.truncate(tmp_path / "0.log", 40_000_000_000)
    store = store_in(tmp_path)
    assert [recovery.reason for recovery in store.recoveries] == ["state_truncated"]
    assert (tmp_path / "0.log").stat().st_size == size
    store.leave()


def test_programs_that_are_started_do_not_get_the_files(tmp_path: Path) -> None:
    descriptor = opened(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    try:
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


def test_a_lock_that_is_a_link_is_not_acquired(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "other")
    with pytest.raises(PermissionError, match="symbolic link"):
        FileLock(tmp_path / "lock").acquire()
    assert not (tmp_path / "other").exists()


def test_a_server_that_finds_such_a_folder_keeps_its_state_in_memory_and_says_so(
    binary: Example, tmp_path: Path
) -> None:
    root = tmp_path / "state"
    root.mkdir()
    root.chmod(0o777)
    with served(binary, state_dir=root) as running:
        assert running.predict({"instances": binary.rows(3)}).status_code == 200
        why = "everybody can write in it (mode 0777): take that right away (chmod o-w)"
        log = root / "predictions" / "log.sqlite3"
        assert running.problems(2) == [
            f"prediction_log_failed: PredictionLogError: cannot open the prediction log {log}: {why}",
            f"state_in_memory: {root}: {why}. {WITHOUT_FILES}",
        ]
        assert running.metric("model_state_persistent") == 0
    assert list(root.iterdir()) == []
