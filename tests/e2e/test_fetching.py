"""Objects of a server that speaks S3, fetched as files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from driftgauge.edges.files.fetching import fetched
from driftgauge.errors import IngestError, TableError

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("name", ["../../outside.csv", "deep/../../../outside.csv", "/../../outside.csv", ".."])
def test_an_object_whose_name_leads_out_of_the_folder_is_refused(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    bucket.pipe_file(f"bucket/in/{name}", b"a\n1\n")
    with pytest.raises(IngestError, match="its name leads out of the folder"), fetched(["s3://bucket/in"]):
        raise AssertionError("it was fetched")
    assert list(tmp_path.iterdir()) == []


def test_two_points_in_a_name_are_no_way_out(bucket: Any) -> None:
    bucket.pipe_file("bucket/in/deep/../a..b.csv", b"a\n1\n")
    with fetched(["s3://bucket/in"]) as (folder,):
        assert [path.name for path in Path(folder).glob("*.csv")] == ["a..b.csv"]


def test_objects_of_a_pattern_keep_their_folders(bucket: Any) -> None:
    for day in ("1", "2"):
        bucket.pipe_file(f"bucket/in/day={day}/part.csv", b"a\n1\n")
    with fetched(["s3://bucket/in/*/part.csv"]) as (folder,):
        found = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*.csv"))
    assert found == ["day=1/part.csv", "day=2/part.csv"]


def test_a_folder_is_called_what_its_address_ends_in_and_errors_name_the_address(bucket: Any) -> None:
    bucket.pipe_file("bucket/in/a.csv", b"a\n1\n")
    with fetched(["s3://bucket/in"]) as (path,):
        assert Path(path).name == "in"
    with pytest.raises(TableError, match=r"^s3://bucket/in/a.csv is bad$"), fetched(["s3://bucket/in"]) as (path,):
        raise TableError(f"{path}/a.csv is bad")
