"""MLflow's `dataframe_split`: a list of columns and rows of values.

https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/ (accepted inputs)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from driftgauge.common.quoting import shortened
from driftgauge.edges.formats.features import FeatureDecoder, json_type
from driftgauge.errors import Reason, Refused, count_all_refused

SPLIT: Final = "dataframe_split"
RECORDS: Final = "dataframe_records"
_KEYS: Final = frozenset({"columns", "data", "index"})
_HINT: Final = 'send {"columns": [name, …], "data": [[value, …], …]}, as DataFrame.to_dict("split") makes it'


def split_rows(table: Any) -> list[Any]:
    """Return the rows of a split table, possibly none; raises Refused without a list of rows."""
    if not isinstance(table, dict):
        raise _refused(Reason.WRONG_TYPE, f"it is {json_type(table)}: {_HINT}")
    stranger = next((name for name in table if name not in _KEYS), None)
    if stranger is not None:
        raise _refused(Reason.UNKNOWN_SHAPE, f"{shortened(stranger)} is not a known key: {_HINT}")
    rows = table.get("data")
    if not isinstance(rows, list):
        raise _refused(Reason.WRONG_TYPE, f"its data is {json_type(rows)}, not a list of rows: {_HINT}")
    return rows


def split_in_order(table: Mapping[str, Any], rows: Sequence[Any], decoder: FeatureDecoder) -> Sequence[list[Any]]:
    """Return the rows with their values in the model's order; the index is ignored. Raises Refused."""
    names = _names(table.get("columns"))
    for index, row in enumerate(rows):
        if not isinstance(row, list):
            raise _refused(Reason.WRONG_TYPE, f"row {index} is {json_type(row)}, not a list of values", row=index)
        if len(row) != len(names):
            raise _refused(
                Reason.WRONG_FEATURE_COUNT,
                f"row {index} has {len(row)} values for {len(names)} columns: send one value for each column",
                row=index,
                expected=len(names),
                given=len(row),
            )
    try:
        positions = decoder.positions(names)
    except Refused as error:
        count_all_refused(error, len(rows))
        raise
    if positions == list(range(len(names))):
        return rows
    # One row at a time, so that other threads can run in between.
    return [[None if index is None else row[index] for index in positions] for row in rows]


def _names(columns: Any) -> Sequence[str]:
    if not isinstance(columns, list) or not all(type(name) is str for name in columns):
        raise _refused(Reason.WRONG_TYPE, f"its columns are not a list of names: {_HINT}")
    seen: set[str] = set()
    for name in columns:
        if name in seen:
            raise _refused(Reason.UNKNOWN_SHAPE, f"the column {shortened(name)} is in columns twice: send it once")
        seen.add(name)
    return columns


def _refused(reason: Reason, message: str, **detail: object) -> Refused:
    return Refused(reason, f"{SPLIT}: {message}", {"field": SPLIT, **detail})
