from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from driftgauge.errors import LedgerError, LedgerUnavailable
from driftgauge.registry.following import Following, FollowingFile, Held


def test_what_is_known_is_shared_by_all_that_open_the_file(tmp_path: Path) -> None:
    first, second = FollowingFile(tmp_path), FollowingFile(tmp_path)
    known = Following(
        "3", "run", 7.0, 5.0, 2, {"alias_not_found": 1}, "gone", "2", 4, 9.0, Held("3", "2", "r", "w", 1.0)
    )
    assert first.update("m", "models:/m@a", lambda _: known) == known
    assert second.read("m", "models:/m@a") == known
    assert second.read("m", "models:/m@b") == Following()
    second.update("m", "models:/m@a", lambda own: replace(own, polls=own.polls + 1))
    assert first.read("m", "models:/m@a").polls == 3
    first.close()
    second.close()


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    file = FollowingFile(tmp_path)

    def fails(known: Following) -> Following:
        raise KeyError(known)

    with pytest.raises(KeyError):
        file.update("m", "a", fails)
    assert file.update("m", "a", lambda own: replace(own, polls=1)).polls == 1
    file.close()


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    FollowingFile(tmp_path).close()
    (tmp_path / "@registry" / "following.db").write_bytes(b"damaged" * 1_000)
    with pytest.raises(LedgerError, match="without the file, the server asks the registry again"):
        FollowingFile(tmp_path)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "@registry").write_text("a file")
    with pytest.raises(LedgerUnavailable, match="cannot use"):
        FollowingFile(tmp_path)


def test_content_of_another_version_says_what_to_do(tmp_path: Path) -> None:
    file = FollowingFile(tmp_path)
    file.update("m", "a", lambda own: own)
    with sqlite3.connect(file.path) as other:
        other.execute("""update following set content = '{"seen": 1}'""")
    other.close()
    with pytest.raises(LedgerError, match=r"cannot be read .*seen.*the server asks the registry again"):
        file.read("m", "a")
    file.close()
