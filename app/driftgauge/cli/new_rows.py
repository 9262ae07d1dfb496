"""The rows that files have got since an earlier execution, as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Final

from driftgauge.checks.sagemaker.executions import Position, skipped_rows
from driftgauge.common.quoting import listed
from driftgauge.edges.files.fetching import fetched
from driftgauge.edges.files.sources import SourceFile, source_of
from driftgauge.errors import CheckError
from driftgauge.tables.joined import JoinedTable
from driftgauge.tables.stream import TableStream


class NewRows:
    """Finds and opens the new rows of paths, folders, globs and addresses."""

    def __init__(
        self, sources: Sequence[str], before: Mapping[str, Position], bytes_at_once: int, stack: ExitStack
    ) -> None:
        """`before` is how far each file was read; copies of objects are kept until the stack is closed."""
        self._sources: Final = sources
        self._before: Final = before
        self._bytes_at_once: Final = bytes_at_once
        self._stack: Final = stack
        self._files: list[SourceFile] = []
        self._new: list[SourceFile] = []
        self._table: JoinedTable | None = None

    def open(self) -> Sequence[JoinedTable]:
        """Return the new rows as one table; CheckError if there are none, IngestError if a file cannot be read."""
        found = [file for source in self._sources for file in source_of(source).files() if file.size]
        self._files = sorted({file.path: file for file in found}.values(), key=lambda file: file.order)
        rows = {file.path: skipped_rows(file, self._before.get(file.path)) for file in self._files}
        self._new = [file for file in self._files if rows[file.path] is not None]
        if not self._new:
            raise CheckError(f"{listed(self._sources)}: there are no new rows since the last execution")
        paths = self._stack.enter_context(fetched([file.path for file in self._new]))
        streams = [TableStream(path, self._bytes_at_once) for path in paths]
        self._table = JoinedTable(listed(self._sources), streams, [rows[file.path] or 0 for file in self._new])
        return [self._table]

    def positions(self) -> Mapping[str, Position]:
        """Return how far each file is read once the table was; files that are gone are forgotten."""
        kept = {file.path: self._before[file.path] for file in self._files if file.path in self._before}
        rows = self._table.rows if self._table is not None else []
        return {**kept, **{file.path: Position.of(file, own) for file, own in zip(self._new, rows, strict=True)}}
