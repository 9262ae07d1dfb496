"""Several tables as one."""

from __future__ import annotations

import pytest
from driftgauge.errors import TableError
from driftgauge.tables.joined import JoinedTable
from driftgauge.tables.memory import MemoryTable, open_table


def joined(*skipped: int) -> JoinedTable:
    tables = [MemoryTable({"a": [1, 2, 3], "b": [0, 0, 0]}, 8), MemoryTable({"b": [0, 0], "a": [4, 5]}, 8)]
    return JoinedTable("two tables", tables, skipped)


def cells(table: JoinedTable) -> list[tuple[int, int]]:
    """Return the number of each row with its cell."""
    return [
        (part.first + index, cell)
        for part in table.parts(["a"])
        for index, cell in enumerate(part.table["a"].to_pylist())
    ]


def test_rows_follow_each_other_and_are_numbered() -> None:
    table = joined()
    assert cells(table) == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]
    assert (table.column_names, table.rows) == (("a", "b"), [3, 2])
    assert open_table(table) is table


@pytest.mark.parametrize(
    ("skipped", "expected"),
    [((1, 0), [2, 3, 4, 5]), ((3, 1), [5]), ((3, 2), []), ((9, 0), [4, 5])],
)
def test_rows_that_were_read_before_are_left_out(skipped: tuple[int, int], expected: list[int]) -> None:
    table = joined(*skipped)
    assert cells(table) == list(enumerate(expected, 1))
    assert table.rows == [3, 2]


def test_a_column_that_one_of_them_lacks_is_none() -> None:
    table = JoinedTable("both", [MemoryTable({"a": [1], "b": [1]}), MemoryTable({"a": [1]})])
    assert table.column_names == ("a",)
    with pytest.raises(TableError, match="has no column b"):
        table.require(["b"])
