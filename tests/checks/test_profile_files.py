from __future__ import annotations

import os
from pathlib import Path

import pytest
from driftgauge.checks.profile_files import profiles_of, read_profile, write_profile
from driftgauge.errors import ProfileError

from tests.checks.test_profile_check import PARTITIONS


def test_a_written_profile_is_read_from_its_file_and_from_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a.profile"
    write_profile(PARTITIONS[0], file)
    assert read_profile(file) == read_profile(str(file)) == read_profile(file.read_bytes()) == PARTITIONS[0]
    assert os.listdir(tmp_path) == ["a.profile"]


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"cannot read .*none\.profile: No such file"):
        read_profile(tmp_path / "none.profile")
    with pytest.raises(ProfileError, match=r"cannot read .*, not a regular file"):
        read_profile(tmp_path)
    with pytest.raises(ProfileError, match=r"cannot write .*: No such file"):
        write_profile(PARTITIONS[0], tmp_path / "none" / "a.profile")
    (tmp_path / "t.profile").write_text("a,b\n1,2\n")
    with pytest.raises(ProfileError, match=r"t\.profile: this is no profile"):
        read_profile(tmp_path / "t.profile")


def test_sources_of_profiles_are_told_from_tables(tmp_path: Path) -> None:
    (tmp_path / "hours").mkdir()
    for index, own in enumerate(PARTITIONS[:3]):
        write_profile(own, tmp_path / "hours" / f"{index}.profile")
    first = str(tmp_path / "hours" / "0.profile")
    for source, expected in (
        (PARTITIONS[0], 1),
        (PARTITIONS[:2], 2),
        (tuple(PARTITIONS[:2]), 2),
        (first, 1),
        (Path(first), 1),
        (tmp_path, 3),
        ([first, PARTITIONS[1], tmp_path / "hours"], 5),
    ):
        found = profiles_of(source)
        assert found is not None
        assert len(list(found)) == expected
    (tmp_path / "tables").mkdir()
    for table in ({"age": [1.0]}, "t.csv", tmp_path / "tables", [], [PARTITIONS[0], "t.csv"], [1, 2]):
        assert profiles_of(table) is None
