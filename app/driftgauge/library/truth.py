"""Ground truth that a program gives for its predictions, as rows that the decoder reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from driftgauge.edges.formats.label_values import LABEL
from driftgauge.edges.formats.labels import ID, OBSERVED_AT, OUTCOMES
from driftgauge.edges.formats.rows.cells import is_missing
from driftgauge.errors import Reason, Refused
from driftgauge.library.ids import prediction_ids
from driftgauge.library.times import event_times

FIELD: Final = "labels"


def truth_rows(ids: Any, labels: Any, at: Any, outcomes: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return a row for each prediction of which anything is known; Refused for lists of another length than `ids`.

    >>> truth_rows(["a", "b"], [1, None], None, {"revenue": [None, 12.5]})
    [{'prediction_id': 'a', 'label': 1}, {'prediction_id': 'b', 'outcomes': {'revenue': 12.5}}]
    """
    keys = prediction_ids(ids)
    values = _values(FIELD, labels, len(keys))
    columns = {name: _values(name, own, len(keys)) for name, own in (outcomes or {}).items()}
    times = event_times(at, len(keys))
    rows = []
    for index, key in enumerate(keys):
        known = {name: cells[index] for name, cells in columns.items() if cells[index] is not None}
        row = {
            ID: key,
            **({} if values[index] is None else {LABEL: values[index]}),
            **({OUTCOMES: known} if known else {}),
            **({} if times is None or np.isnan(times[index]) else {OBSERVED_AT: float(times[index])}),
        }
        if LABEL in row or OUTCOMES in row:
            rows.append(row)
    return rows


def _values(field: str, given: Any, rows: int) -> Sequence[Any]:
    """Return a plain value for each row, None where it is missing; Refused for another number of them."""
    if given is None:
        return [None] * rows
    if hasattr(given, "to_numpy"):
        given = given.to_numpy()
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if not isinstance(given, list | tuple):
        given = [given]
    if len(given) != rows:
        message = f"{field}: there are {len(given)} values for {rows} ids: give one for each"
        raise Refused(Reason.INVALID_LABEL, message, {"field": field})
    return [None if is_missing(value) else value.item() if isinstance(value, np.generic) else value for value in given]
