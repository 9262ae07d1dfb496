"""Several tables read as one, each without the rows that were read before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from driftgauge.tables.stream import Part, TableSource


class JoinedTable:
    """The rows of several tables, one after the other; a column is there if all of them have it."""

    path: Final[Path | None] = None

    def __init__(self, label: str, tables: Sequence[TableSource], skipped: Sequence[int] = ()) -> None:
        """`skipped` are the rows at the beginning of each table that are left out, by default none."""
        self.label: Final = label
        self.name: Final = label
        self.bytes: Final = sum(table.bytes for table in tables)
        self._tables: Final = tables
        self._skipped: Final = [*skipped] or [0] * len(tables)
        self.rows: Final = [0] * len(tables)
        """The rows that each table was found to have, those left out included; known once it is read."""
        common = set(tables[0].column_names).intersection(*(table.column_names for table in tables))
        self.column_names: Final = tuple(name for name in tables[0].column_names if name in common)

    def require(self, columns: Sequence[str]) -> None:
        """Raise TableError unless each table has each of these columns exactly once."""
        for table in self._tables:
            table.require(columns)

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Yield rows of some columns in order; TableError if a table cannot be read."""
        before = first = 0
        for index, (table, skipped) in enumerate(zip(self._tables, self._skipped, strict=True)):
            rows = 0
            for part in table.parts(columns):
                left_out = min(max(0, skipped - rows), part.table.num_rows)
                rows += part.table.num_rows
                kept = part.table.slice(left_out)
                if kept.num_rows:
                    yield Part(kept, first + 1, before + part.bytes_read, part.written)
                    first += kept.num_rows
            self.rows[index] = rows
            before += table.bytes
