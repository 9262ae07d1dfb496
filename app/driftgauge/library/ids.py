"""Prediction ids that a program gives with its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from driftgauge.edges.formats.fields import id_of
from driftgauge.errors import Reason, Refused


def prediction_ids(given: Any) -> Sequence[str]:
    """Return the ids of rows, from a text or one for each row; Refused for one that cannot be an id.

    >>> prediction_ids("order 7"), prediction_ids(("a", "b"))
    (['order 7'], ['a', 'b'])
    """
    if isinstance(given, str):
        return [id_of("ids", given)]
    try:
        values = list(given)
    except TypeError as error:
        message = f"ids is {type(given).__name__}: give a text for a single row, or a list with one for each row"
        raise Refused(Reason.INVALID_PREDICTION_ID, message, {"field": "ids"}) from error
    return [id_of("ids", value if isinstance(value, str) else str(value), row) for row, value in enumerate(values)]


def require_one_each(ids: Sequence[str], rows: int) -> None:
    """Raise Refused unless there is one id for each row."""
    if len(ids) != rows:
        message = f"there are {len(ids)} ids for {rows} rows: give one for each"
        raise Refused(Reason.INVALID_PREDICTION_ID, message, {"field": "ids"})
