from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.common.replacing import replacing


def test_two_that_replace_a_file_at_once_do_not_mix_their_contents(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as first:
        first.write_text("first")
        with replacing(path) as second:
            second.write_text("the second one")
        assert path.read_text() == "the second one"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("earlier")

    def fail() -> None:
        with replacing(path) as new:
            new.write_text("half")
            raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        fail()
    assert [(own, own.read_text()) for own in tmp_path.iterdir()] == [(path, "earlier")]
