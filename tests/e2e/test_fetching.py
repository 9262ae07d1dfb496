"""Objects of a server that speaks S3, fetched as files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from driftgauge.edges.files.fetching import fetched
from driftgauge.errors import IngestError

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
