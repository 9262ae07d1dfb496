"""The list of executions, and what each of them has read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from driftgauge.checks.sagemaker.execution import Execution
from driftgauge.checks.sagemaker.executions import LIST_FILE, POSITIONS_FILE, Executions, Position, skipped_rows
from driftgauge.errors import CheckError

from tests.checks.sagemaker.tables import NOW


class MemoryFolder:
    """A folder in memory."""

    label = "out"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        return self.files.get(name)

    def write(self, name: str, content: bytes) -> str:
        self.files[name] = content
        return f"out/{name}"


@dataclass(frozen=True)
class File:
    path: str = "a.csv"
    identity: str = "inode:1"
    size: int = 10
    version: str = "1"
    is_complete: bool = False


def execution(**changed: Any) -> Execution:
    return Execution(**{"status": "Completed", "scheduled": NOW, "start": NOW, "end": NOW + 1.5, "rows": 7, **changed})


def test_executions_are_listed_with_the_folder_of_their_hour() -> None:
    folder = MemoryFolder()
    executions = Executions(folder)
    executions.keep(execution(), {"a.csv": Position.of(File(), 7)})
    executions.keep(execution(status="Failed", reason="no rows", scheduled=NOW + 60.0), None)
    first, second = executions.records()
    assert (first.status, first.rows, first.report) == ("Completed", 7, "out/2026/11/30/00")
    assert (first.scheduled, first.end) == ("2026-11-30T00:53:20Z", "2026-11-30T00:53:21.500Z")
    assert (second.reason, second.report) == ("no rows", "out/2026/11/30/00-54")
    assert "2026/11/30/00-54/execution_summary.json" in folder.files
    assert executions.positions() == {"a.csv": Position("inode:1", 10, "1", 7)}


def test_three_executions_of_a_minute_have_folders_of_their_own() -> None:
    executions = Executions(MemoryFolder())
    reports = {executions.keep(execution(scheduled=NOW + part), None).report for part in (0.0, 0.25, 0.5)}
    assert len(reports) == 3


@pytest.mark.parametrize("name", [LIST_FILE, POSITIONS_FILE])
def test_a_damaged_file_is_named(name: str) -> None:
    folder = MemoryFolder()
    folder.files[name] = orjson.dumps({"a": 1})
    with pytest.raises(CheckError, match=f"out/{name} is damaged"):
        (Executions(folder).records if name == LIST_FILE else Executions(folder).positions)()


def test_new_rows_are_those_after_the_last_that_was_read() -> None:
    file = File()
    before = Position.of(file, 3)
    assert skipped_rows(file, None) == 0
    assert skipped_rows(file, before) is None
    assert skipped_rows(replace(file, size=20, version="2"), before) == 3
    assert skipped_rows(replace(file, size=5, version="2"), before) == 0
    assert skipped_rows(replace(file, identity="inode:2", version="2"), before) == 0
    assert skipped_rows(replace(file, size=20, version="2", is_complete=True), before) == 0
