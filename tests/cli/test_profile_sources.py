from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.checks.profile_files import write_profile
from driftgauge.cli.profile_sources import profile_files, read_profiles, required_profiles
from driftgauge.drift.profile.profile_bytes import MOST_BYTES
from driftgauge.errors import IngestError, ProfileError

from tests.checks.test_profile_check import PARTITIONS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with profiles of two hours and what Spark leaves beside them."""
    monkeypatch.chdir(tmp_path)
    for index, own in enumerate(PARTITIONS[:4]):
        file = tmp_path / "hours" / f"h={index % 2}" / f"{index}.profile"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_profile(own, file)
    (tmp_path / "hours" / "_SUCCESS").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "count"),
    [(["hours"], 4), (["hours/h=0"], 2), (["hours/*/*.profile"], 4), (["hours/h=1/1.profile", "hours/h=*"], 4)],
    ids=str,
)
def test_files_folders_and_globs_name_profiles_each_once(folder: Path, arguments: list[str], count: int) -> None:
    files = required_profiles(arguments)
    assert len(files) == count
    assert len(list(read_profiles(files))) == count


@pytest.mark.parametrize("argument", ["t.csv", "nothing", "tables", "s3://bucket/t.parquet", "*.csv"])
def test_other_arguments_are_tables(folder: Path, argument: str) -> None:
    (folder / "tables").mkdir()
    assert profile_files([argument]) is None
    with pytest.raises(ProfileError, match="there is no profile"):
        required_profiles([argument])


def test_large_files_are_not_read(folder: Path) -> None:
    with (folder / "large.profile").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(IngestError, match="at most 16,777,216 are read"):
        list(read_profiles(required_profiles(["large.profile"])))
