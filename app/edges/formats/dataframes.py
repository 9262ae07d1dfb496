"""Tables as MLflow's clients send them: `dataframe_split`, a list of columns and rows of values.

https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/ (accepted inputs)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.edges.formats.features import json_type
from app.errors import Reason, Refused
from app.naming import shortened

SPLIT: Final = "dataframe_split"
RECORDS: Final = "dataframe_records"
_KEYS: Final = frozenset({"columns", "data", "index"})
_HINT: Final = 'send {"columns": [name, …], "data": [[value, …], …]}, as DataFrame.to_dict("split") makes it'


def split_rows(table: Any) -> list[Any]:
    """Return the rows of a split table as a list, which may be empty; raises Refused if it has none."""
    if not isinstance(table, dict):
        raise _refused(Reason.WRONG_TYPE, f"it is {json_type(table)}: {_HINT}")
    strangers = sorted(table.keys() - _KEYS)
    if strangers:
        raise _refused(Reason.UNKNOWN_SHAPE, f"{shortened(strangers[0])} is not known in it: {_HINT}")
    rows = table.get("data")
    if not isinstance(rows, list):
        raise _refused(Reason.WRONG_TYPE, f"its data is {json_type(rows)}, not a list of rows: {_HINT}")
    return rows


def split_columns(table: Mapping[str, Any], rows: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """Return the values of each column by name; the index says nothing to a model. Raises Refused."""
    names = table.get("columns")
    if not isinstance(names, list) or not all(type(name) is str for name in names):
        raise _refused(Reason.WRONG_TYPE, f"its columns are not a list of names: {_HINT}")
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise _refused(Reason.UNKNOWN_SHAPE, f"the column {shortened(twice)} is there twice: send it once")
    for place, row in enumerate(rows):
        if not isinstance(row, list):
            raise _refused(Reason.WRONG_TYPE, f"row {place} is {json_type(row)}, not a list of values", row=place)
        if len(row) != len(names):
            raise _refused(
                Reason.WRONG_FEATURE_COUNT,
                f"row {place} has {len(row)} values, columns names {len(names)}: send one value for each",
                row=place,
                expected=len(names),
                given=len(row),
            )
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def _refused(reason: Reason, message: str, **detail: object) -> Refused:
    return Refused(reason, f"{SPLIT}: {message}", {"field": SPLIT, **detail})
