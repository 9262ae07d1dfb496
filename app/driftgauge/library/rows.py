"""Rows that a program hands over, read as the columns of a baseline.

A row is a mapping by name or a list in the baseline's order; several rows are a list of these, a two-dimensional
array, or a DataFrame of pandas or polars or a table of pyarrow.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import numpy as np

from driftgauge.common.quoting import NAMED, named, shortened
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS, RESERVED, Baseline
from driftgauge.errors import Reason, Refused
from driftgauge.library.cells import cells_of, type_name


class RowReader:
    """Reads rows and predictions for a baseline: all rows of a call are accepted, or none."""

    def __init__(self, baseline: Baseline) -> None:
        self._names: Final = tuple(name for name in baseline.names if name not in RESERVED)
        self._width: Final = len(baseline.names)
        self._positions: Final = [baseline.names.index(name) for name in self._names]
        self._cells: Final = [cells_of(column) for column in baseline.columns if column.name not in RESERVED]
        self._scores: Final = {
            name: (baseline.names.index(name), cells_of(baseline.columns[baseline.names.index(name)]))
            for name in RESERVED
            if name in baseline.names
        }
        self._in_order: Final = self._positions == list(range(len(self._names)))
        numbers = all(column.kind == "numeric" and not column.of_text for column in baseline.columns)
        self._is_plain: Final = numbers and self._in_order and PREDICTION_CLASS not in self._scores
        """Whether a row is numbers and then the prediction, which has a short way."""
        self._has_score: Final = PREDICTION in self._scores
        self._values: Final = _getter(self._names)

    def read(self, rows: Any, prediction: Any = None, prediction_class: Any = None) -> FloatArray:
        """Return the monitored values in the baseline's order, shape [n, columns].

        Raises Refused, naming the field and the row.
        """
        if self._is_plain and prediction_class is None:
            quick = self._quick(rows, prediction)
            if quick is not None:
                return quick
        features, count, single = self._features(rows)
        columns = np.empty((count, self._width))
        for position, cells, values in zip(self._positions, self._cells, features, strict=True):
            columns[:, position] = cells.of(values)
        given = {PREDICTION: prediction, PREDICTION_CLASS: prediction_class}
        for name, value in given.items():
            self._add_scores(columns, name, value, single=single)
        return columns

    def _quick(self, rows: Any, prediction: Any) -> FloatArray | None:
        """Return finite numbers, of one row or of an array; None for everything else."""
        if type(rows) is dict:
            if len(rows) != len(self._names) or (prediction is None) is self._has_score:
                return None
            try:
                values = self._values(rows)
                numbers = array("d", (*values, prediction) if self._has_score else values)
            except (KeyError, TypeError, OverflowError):
                return None
            return np.frombuffer(numbers).reshape(1, -1) if math.isfinite(sum(numbers)) else None
        if type(rows) is np.ndarray and rows.dtype.kind in "fiu":
            return self._quick_array(rows, prediction)
        return None

    def _quick_array(self, rows: FloatArray, prediction: Any) -> FloatArray | None:
        matrix = rows.reshape(1, -1) if rows.ndim == 1 else rows
        if matrix.ndim != 2 or matrix.shape[1] != len(self._names) or (prediction is None) is self._has_score:
            return None
        columns = np.empty((len(matrix), self._width))
        columns[:, : len(self._names)] = matrix
        if self._has_score:
            scores = np.asarray(prediction)
            fits = scores.shape == (len(matrix),) or (scores.shape == () and len(matrix) == 1)
            if not fits or scores.dtype.kind not in "fiu":
                return None
            columns[:, -1] = scores
        return columns if math.isfinite(columns.sum()) or not np.isinf(columns).any() else None

    # ------------------------------------------------------------ shapes

    def _features(self, rows: Any) -> tuple[list[Sequence[Any]], int, bool]:
        """Return the values of each feature, the number of rows, and whether a single row was given."""
        if isinstance(rows, Mapping):
            return [[value] for value in self._from_mapping(rows, 0)], 1, True
        if hasattr(rows, "columns") or hasattr(rows, "column_names"):
            return (*self._from_table(rows), False)
        if isinstance(rows, np.ndarray):
            return self._from_array(rows)
        if isinstance(rows, str | bytes) or not isinstance(rows, Sequence):
            raise Refused(
                Reason.UNKNOWN_SHAPE,
                f"the rows are {type_name(rows)}: give a dict by name, a list of dicts, a DataFrame or an array",
                {"field": "rows"},
            )
        if (rows and not isinstance(rows[0], Mapping | Sequence | np.ndarray)) or (rows and isinstance(rows[0], str)):
            self._require_width(len(rows), 0)
            return [[value] for value in rows], 1, True
        lists = [self._list(row, index) for index, row in enumerate(rows)]
        return list(zip(*lists, strict=True)) or [[] for _ in self._names], len(lists), False

    def _list(self, row: Any, index: int) -> Sequence[Any]:
        if isinstance(row, Mapping):
            return self._from_mapping(row, index)
        if isinstance(row, str | bytes) or not isinstance(row, Sequence | np.ndarray):
            raise Refused(
                Reason.WRONG_TYPE,
                f"row {index} is {type_name(row)}: give a dict by name, or a list in the baseline's order",
                {"row": index},
            )
        self._require_width(len(row), index)
        return row.tolist() if isinstance(row, np.ndarray) else row

    def _from_mapping(self, row: Mapping[str, Any], index: int) -> Sequence[Any]:
        try:
            values: Sequence[Any] = self._values(row)
        except KeyError:
            missing = next(name for name in self._names if name not in row)
            self._refuse_unknown(row, {"row": index})
            raise self._missing(missing, index) from None
        if len(row) != len(self._names):
            self._refuse_unknown(row, {"row": index})
        return values

    def _from_table(self, table: Any) -> tuple[list[Sequence[Any]], int]:
        names = [str(name) for name in (table.column_names if hasattr(table, "column_names") else table.columns)]
        self._refuse_unknown(dict.fromkeys(names), {})
        for name in self._names:
            if name not in names:
                raise self._missing(name)
        return [_values_of(table[name]) for name in self._names], len(table)

    def _from_array(self, rows: Any) -> tuple[list[Sequence[Any]], int, bool]:
        if rows.dtype.names:
            self._refuse_unknown(dict.fromkeys(rows.dtype.names), {})
            for name in self._names:
                if name not in rows.dtype.names:
                    raise self._missing(name)
            rows = np.atleast_1d(rows)
            return [rows[name] for name in self._names], len(rows), False
        if rows.ndim not in (1, 2):
            raise Refused(
                Reason.UNKNOWN_SHAPE,
                f"the array has shape {rows.shape}: give one row of shape [{len(self._names)}], or rows of shape "
                f"[n, {len(self._names)}]",
                {"field": "rows"},
            )
        matrix = np.atleast_2d(rows)
        self._require_width(matrix.shape[1], 0)
        return list(matrix.T), len(matrix), rows.ndim == 1

    # ------------------------------------------------------------ predictions

    def _add_scores(self, columns: FloatArray, name: str, given: Any, *, single: bool) -> None:
        if name not in self._scores:
            return
        if given is None:
            raise Refused(
                Reason.MISSING_FEATURE,
                f"{name} is missing, but the baseline has such a column: give observe(rows, {name}=…)",
                {"field": name, "row": 0},
            )
        position, cells = self._scores[name]
        values = _values_of(given)
        if np.ndim(values) == 0 or isinstance(values, str):
            values = [given] if single or len(columns) == 1 else None
        if values is None or len(values) != len(columns):
            many = "one value" if values is None else f"{len(values)} values"
            raise Refused(
                Reason.WRONG_FEATURE_COUNT,
                f"{name} has {many} for {len(columns)} rows: give one for each row",
                {"field": name, "expected": len(columns)},
            )
        columns[:, position] = cells.of(values)

    # ------------------------------------------------------------ refusals

    def _require_width(self, given: int, index: int) -> None:
        if given != len(self._names):
            raise Refused(
                Reason.WRONG_FEATURE_COUNT,
                f"row {index} has {given} values, the baseline has {len(self._names)} columns: {self._known()}",
                {"row": index, "expected": len(self._names), "given": given},
            )

    def _missing(self, name: str, row: int | None = None) -> Refused:
        return Refused(
            Reason.MISSING_FEATURE,
            f"{shortened(name)} is absent: give it, with None for a missing value",
            {"field": name, **({} if row is None else {"row": row})},
        )

    def _refuse_unknown(self, given: Mapping[str, Any], where: Mapping[str, object]) -> None:
        unknown = [str(name) for name in given if name not in self._known_names]
        if unknown:
            what = "is not a column" if len(unknown) == 1 else "are not columns"
            raise Refused(
                Reason.UNKNOWN_FEATURE,
                f"{named(unknown)} {what} of the baseline; it has {self._known()}",
                {"field": shortened(unknown[0]), **where},
            )

    @property
    def _known_names(self) -> frozenset[str]:
        return frozenset(self._names)

    def _known(self) -> str:
        more = f" and {len(self._names) - NAMED} more" if len(self._names) > NAMED else ""
        return f"{named(self._names)}{more}" if not more else named(self._names)


def _getter(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    if len(names) == 1:
        return lambda row: (row[names[0]],)
    return itemgetter(*names)


def _values_of(values: Any) -> Any:
    """Return a column of any library as an array or list."""
    if isinstance(values, np.ndarray | list | tuple):
        return values
    if hasattr(values, "to_pylist"):  # pyarrow
        return values.to_pylist()
    if hasattr(values, "to_numpy") and hasattr(values, "dtype"):  # pandas, polars
        array = values.to_numpy()
        return array if array.dtype.kind in "fiub" else values.to_list() if hasattr(values, "to_list") else array
    return values
