"""Ids of the rows of a request that has one id."""

from __future__ import annotations

from driftgauge.edges.formats.fields import id_of
from driftgauge.errors import Refused


def row_id(id_: str, row: int, rows: int) -> str:
    """Return the prediction id of a row; an empty text if the request's id cannot be one.

    >>> row_id("a", 0, 1), row_id("a", 1, 2)
    ('a', 'a:1')
    """
    try:
        return id_of("id", id_ if rows == 1 else f"{id_}:{row}") if id_ else ""
    except Refused:
        return ""


def row_ids(id_: str, rows: int) -> list[str]:
    """Return the prediction ids of all rows of a request.

    >>> row_ids("a", 1), row_ids("a", 2)
    (['a'], ['a:0', 'a:1'])
    """
    if rows > 1 and row_id(id_, rows - 1, rows):  # the longest of them
        return [f"{id_}:{row}" for row in range(rows)]
    return [row_id(id_, row, rows) for row in range(rows)]
