"""A text that several processes share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from driftgauge.common import shared_text
from driftgauge.common.private_files import FileLock, LockTimeout
from driftgauge.common.shared_text import SharedText


def test_readers_have_the_newest_text(tmp_path: Path) -> None:
    one, other = SharedText(tmp_path, "x"), SharedText(tmp_path, "x")
    assert one.read() == other.read() == ""
    for text in ("a", "b", "\u00e4" * 10_000, ""):
        one.replace(lambda text=text: text)  # type: ignore[misc]
        assert one.read() == other.read() == SharedText(tmp_path, "x").read() == text
    other.replace(lambda: "c")
    assert one.read() == "c"


def test_without_a_folder_it_is_in_memory() -> None:
    own = SharedText()
    own.replace(lambda: "a")
    assert own.read() == "a"
    assert SharedText().read() == ""


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = SharedText(tmp_path, "x"), SharedText(tmp_path, "x")
    one.replace(lambda: "a")
    assert other.read() == "a"

    def unreadable(path: Path, flags: int) -> int:
        raise AssertionError(path)

    monkeypatch.setattr(shared_text, "opened", unreadable)
    assert one.read() == other.read() == "a"


def test_a_file_that_is_gone_or_no_text_leaves_what_was_known(tmp_path: Path) -> None:
    one, other = SharedText(tmp_path, "x"), SharedText(tmp_path, "x")
    one.replace(lambda: "a")
    assert other.read() == "a"
    file = tmp_path / "shared-x.json"
    file.write_bytes(b"\xff")
    assert other.read() == "a"
    file.unlink()
    assert other.read() == "a"
    one.replace(lambda: "b")
    assert other.read() == "b"


def test_what_is_replaced_is_made_under_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, lock = SharedText(tmp_path, "x"), FileLock(tmp_path / "shared-x.lock")

    def made() -> str:
        assert not lock.is_free()
        return "a"

    own.replace(made)
    monkeypatch.setattr(shared_text, "LOCK_SECONDS", 0.0)
    with lock.held(1.0), pytest.raises(LockTimeout):
        own.replace(lambda: "b")
    assert own.read() == "a"


def test_a_process_that_cannot_write_goes_on_with_its_own_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = SharedText(tmp_path, "x"), SharedText(tmp_path, "x")
    one.replace(lambda: "a")
    assert other.read() == "a"

    def full(before: Path, after: Path) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            one.replace(lambda: "b")
    assert (one.read(), other.read()) == ("b", "a")
    other.replace(lambda: "c")
    assert one.read() == "c"
