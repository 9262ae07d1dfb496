"""The executions of a schedule, and what each of them has read, in the folder of their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Protocol, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from driftgauge.checks.sagemaker.execution import Execution, Status
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.errors import CheckError

LIST_FILE: Final = "executions.jsonl"
POSITIONS_FILE: Final = "positions.json"
MOST: Final = 10_000
"""Executions that are listed; older ones are forgotten, their files stay."""


class Folder(Protocol):
    """Where the files of executions are written."""

    @property
    def label(self) -> str:
        """What messages call it."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if there is none."""

    def write(self, name: str, content: bytes) -> str:
        """Write a file in place of an earlier one; returns its path or address."""


class Found(Protocol):
    """A file that a schedule watches."""

    @property
    def path(self) -> str:
        """Its path or address."""

    @property
    def identity(self) -> str:
        """Tells it from another file in its place."""

    @property
    def size(self) -> int:
        """Its bytes."""

    @property
    def version(self) -> str:
        """Differs once it was written to."""

    @property
    def is_complete(self) -> bool:
        """Whether it is an object, to which nothing is appended."""


@dataclass(frozen=True)
class Position:
    """How far a file was read."""

    identity: str
    size: int
    version: str
    rows: int

    @classmethod
    def of(cls, file: Found, rows: int) -> Position:
        """Return the position at the end of a file of so many rows."""
        return cls(file.identity, file.size, file.version, rows)


@dataclass(frozen=True)
class Record:
    """An execution in the list."""

    scheduled: str
    start: str
    end: str
    status: Status
    reason: str
    rows: int
    violations: int
    report: str
    """The folder of its files."""


Content = TypeVar("Content")
_RECORD: Final = TypeAdapter(Record)
_POSITIONS: Final = TypeAdapter(dict[str, Position])


def skipped_rows(file: Found, before: Position | None) -> int | None:
    """Return the rows of a file that were read before; None if all of them were.

    A file that was written to has new rows at its end. One that was replaced, and an object that was, is read whole.
    """
    if before is None:
        return 0
    if (file.version, file.identity, file.size) == (before.version, before.identity, before.size):
        return None
    has_grown = not file.is_complete and file.identity == before.identity and file.size >= before.size
    return before.rows if has_grown else 0


class Executions:
    """The list of executions in a folder."""

    def __init__(self, folder: Folder) -> None:
        self._folder: Final = folder

    def records(self) -> Sequence[Record]:
        """Return the listed executions, oldest first; CheckError if the list is damaged."""
        lines = (self._folder.read(LIST_FILE) or b"").splitlines()
        return [self._parsed(line, _RECORD.validate_python, LIST_FILE) for line in lines if line.strip()]

    def positions(self) -> Mapping[str, Position]:
        """Return how far each file was read, by its path; CheckError if that is damaged."""
        content = self._folder.read(POSITIONS_FILE)
        return {} if content is None else self._parsed(content, _POSITIONS.validate_python, POSITIONS_FILE)

    def keep(self, execution: Execution, positions: Mapping[str, Position] | None) -> Record:
        """Write the files of an execution, then how far it read, then its line in the list.

        Without positions the next execution reads the same rows again.
        """
        before = self.records()
        name = self._name(execution.scheduled, {record.report for record in before})
        for file, content in execution.files().items():
            self._folder.write(f"{name}/{file}", content)
        if positions is not None:
            own = {path: asdict(position) for path, position in positions.items()}
            self._folder.write(POSITIONS_FILE, orjson.dumps(own, option=orjson.OPT_INDENT_2) + b"\n")
        record = Record(
            scheduled=rfc3339(execution.scheduled),
            start=rfc3339(execution.start, "milliseconds"),
            end=rfc3339(execution.end, "milliseconds"),
            status=execution.status,
            reason=execution.reason,
            rows=execution.rows,
            violations=len(execution.violations.violations),
            report=f"{self._folder.label}/{name}",
        )
        listed = [*before, record][-MOST:]
        self._folder.write(LIST_FILE, b"".join(orjson.dumps(asdict(own)) + b"\n" for own in listed))
        return record

    def _name(self, scheduled: float, taken: set[str]) -> str:
        """Return the folder of an execution: its hour, as SageMaker has it, with more of its time if that is taken."""
        at = datetime.fromtimestamp(scheduled, UTC)
        names = [at.strftime("%Y/%m/%d/%H"), at.strftime("%Y/%m/%d/%H-%M"), at.strftime("%Y/%m/%d/%H-%M-%S-%f")]
        return next((name for name in names if f"{self._folder.label}/{name}" not in taken), names[-1])

    def _parsed(self, content: bytes, read: Callable[[object], Content], name: str) -> Content:
        try:
            return read(orjson.loads(content))
        except (orjson.JSONDecodeError, ValidationError) as error:
            raise CheckError(
                f"{self._folder.label}/{name} is damaged: correct it, or move it away, and all files are read again"
            ) from error
