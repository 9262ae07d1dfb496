"""Objects of a storage, here in the memory of the process."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from driftgauge.edges.files.sources import source_of

from tests.file_logs import Process, lines


@pytest.fixture
def storage() -> Iterator[Any]:
    fsspec = import_module("fsspec")
    memory = fsspec.filesystem("memory")
    yield memory
    memory.rm("/bucket", recursive=True)


def put(storage: Any, name: str, content: str) -> None:
    storage.pipe(f"/bucket/{name}", content.encode())


def test_objects_below_a_prefix_are_files_and_empty_ones_are_not(storage: Any) -> None:
    put(storage, "p/b.jsonl", lines([1]))
    put(storage, "p/in/a.jsonl", lines([1]))
    put(storage, "p/empty", "")
    put(storage, "other", lines([1]))
    assert [own.path for own in source_of("memory://bucket/p").files()] == [
        "memory:///bucket/p/b.jsonl",
        "memory:///bucket/p/in/a.jsonl",
    ]
    assert len(source_of("memory://bucket/p/*.jsonl").files()) == 1
    assert source_of("memory://bucket/absent").files() == []


def test_an_object_is_read_once_and_again_once_it_has_grown_or_is_another(storage: Any, tmp_path: Path) -> None:
    put(storage, "p/a.jsonl", lines([1, 2])[:-1])
    process = Process(tmp_path)
    process.ingest.sources = [source_of("memory://bucket/p")]
    assert process.look() == (2, 0)
    assert process.look() == (0, 0)
    put(storage, "p/a.jsonl", lines([1, 2, 3]))
    put(storage, "p/b.jsonl", lines([4]))
    assert process.look() == (2, 0)
    put(storage, "p/a.jsonl", lines([5]))
    assert process.look() == (1, 0)
    assert process.intake.ages == [1.0, 2.0, 3.0, 4.0, 5.0]
