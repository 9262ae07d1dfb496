"""The files that paths, folders, globs and addresses mean."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from driftgauge.edges.files.sources import LocalFiles, SourceFile, source_of
from driftgauge.errors import SettingsError


def write(path: Path, at: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}\n")
    os.utime(path, (at, at))
    return path


def paths(text: object) -> list[str]:
    return [own.path for own in source_of(str(text)).files()]


def test_a_path_a_folder_and_a_glob_are_files(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.log"), write(tmp_path / "in" / "b.log")
    write(tmp_path / ".hidden")
    assert paths(first) == paths(f"file://{first}") == [str(first)]
    assert paths(tmp_path) == [str(first), str(second)]
    assert paths(tmp_path / "*.log") == [str(first)]
    assert paths(tmp_path / "**" / "*.log") == [str(first), str(second)]
    assert paths(tmp_path / "i*") == [str(second)]
    assert paths(tmp_path / "absent") == paths(tmp_path / "absent*") == []


def test_files_are_in_the_order_of_the_hours_of_their_folders_then_of_their_last_change(tmp_path: Path) -> None:
    late = write(tmp_path / "endpoint" / "a" / "2026" / "11" / "02" / "00" / "1.jsonl")
    early = write(tmp_path / "endpoint" / "b" / "2026" / "11" / "01" / "23" / "2.jsonl")
    between = write(tmp_path / "x.jsonl", datetime(2026, 11, 1, 23, 30, tzinfo=UTC).timestamp())
    found = sorted(LocalFiles(str(tmp_path)).files(), key=lambda own: own.order)
    assert [own.path for own in found] == [str(early), str(between), str(late)]
    no_date = SourceFile("/x/9999/99/99/99/y", "", 0, 5.0, open)  # type: ignore[arg-type]  # is not opened
    assert no_date.order[0] == 5.0


def test_a_renamed_file_keeps_its_identity_and_is_found_beside_its_source(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log")
    source = LocalFiles(str(path))
    (before,) = source.files()
    path.rename(tmp_path / "a.log.1")
    write(path)
    (now,) = source.files()
    assert now.identity != before.identity
    (renamed,) = source.renamed([before.identity])
    assert (renamed.identity, renamed.path, renamed.is_renamed) == (before.identity, f"{path}.1", True)


def test_an_unknown_kind_of_storage_is_named() -> None:
    with pytest.raises(SettingsError, match="nowhere://bucket"):
        source_of("nowhere://bucket/prefix")


def test_the_password_of_an_address_is_in_no_message() -> None:
    with pytest.raises(SettingsError, match=r"^nowhere://me@host/rows: ") as raised:
        source_of("nowhere://me:se@cret@host/rows")
    assert "cret" not in str(raised.value)
