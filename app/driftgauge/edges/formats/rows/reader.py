"""Rows that a program hands over, read as the columns of a baseline.

A row is a mapping by name or a list in the baseline's order; several rows are a list of these, a two-dimensional
array, or a DataFrame of pandas or polars or a table of pyarrow.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from numbers import Number
from operator import itemgetter
from typing import Any, Final

import numpy as np

from driftgauge.common.quoting import NAMED, named, shortened
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import PREDICTION, PREDICTION_CLASS, RESERVED, Baseline
from driftgauge.edges.formats.rows.cells import CategoryCells, cells_of, is_missing, type_name
from driftgauge.edges.formats.rows.columns import column_of, labels_of, matrix_of, numbers_of
from driftgauge.errors import Reason, Refused

_FLOAT: Final = np.dtype(np.float64)
_OTHER: Final = object()
"""Is no category."""
_KEYS: Final = frozenset({str, int})
"""Types of values that a category is looked up by; values of others, such as True and 1.0, may equal one of them."""


class RowReader:
    """Reads rows and predictions for a baseline: all rows of a call are accepted, or none."""

    def __init__(self, baseline: Baseline) -> None:
        names = baseline.names
        self._names: Final = tuple(name for name in names if name not in RESERVED)
        self._known_names: Final = frozenset(self._names)
        self.width: Final = len(names)
        self._positions: Final = [names.index(name) for name in self._names]
        cells = [cells_of(column) for column in baseline.columns]
        self.cells: Final = [cells[position] for position in self._positions]
        self._scores: Final = {
            name: (names.index(name), cells[names.index(name)]) for name in RESERVED if name in names
        }
        self._values: Final = _getter(self._names)
        self._is_quick: Final = names == (*self._names, *self._scores) and not any(c.of_text for c in baseline.columns)
        """Whether a row is the features and then the scores, each a number or a category, which has a short way."""
        self._has_score: Final = PREDICTION in self._scores
        self._has_class: Final = PREDICTION_CLASS in self._scores
        self._codes: Final = [own.codes if isinstance(own, CategoryCells) else None for own in cells]
        self._is_numeric: Final = not any(self._codes)
        self._has_numeric_features: Final = not any(isinstance(own, CategoryCells) or own.of_text for own in self.cells)

    def row(self, row: Any, prediction: Any, prediction_class: Any = None) -> FloatArray | None:
        """Return the monitored values of a single row that is as usual, shape [columns]; else None.

        The short way for a dict of numbers and known categories, and for an array of the features, or of all columns
        with the prediction.
        """
        if not self._is_quick:
            return None
        if not self._has_score:  # it is not needed
            prediction = None
        if type(row) is dict:
            values = self._of_dict(row, prediction, prediction_class)
        else:
            values = self._of_array(row, prediction)
        # A finite sum has no infinite number in it; it is faster than numpy, and overflows without a warning.
        if values is None or not (math.isfinite(sum(values.tolist())) or not np.isinf(values).any()):
            return None
        return values

    def _of_dict(self, row: Mapping[str, Any], prediction: Any, prediction_class: Any) -> FloatArray | None:
        if len(row) != len(self._names):
            return None
        if (prediction is None) is self._has_score or (prediction_class is None) is self._has_class:
            return None
        scores = [s for s in (prediction, prediction_class) if s is not None]
        try:
            given = (*self._values(row), *scores)
            values = given if self._is_numeric else self._coded(given)
            try:
                return np.frombuffer(array("d", values))
            except TypeError:
                return np.frombuffer(array("d", [math.nan if value is None else value for value in values]))
        except (KeyError, TypeError, ValueError, OverflowError, Warning):
            return None

    def _coded(self, values: Sequence[Any]) -> list[Any]:
        """Return the bin codes of known categories in place of their names; KeyError or TypeError for others."""
        return [
            value if codes is None or value is None else codes[value if type(value) in _KEYS else _OTHER]
            for value, codes in zip(values, self._codes, strict=True)
        ]

    def _of_array(self, row: Any, prediction: Any) -> FloatArray | None:
        if type(row) is not np.ndarray or row.ndim != 1 or row.dtype is not _FLOAT or not self._is_numeric:
            return None
        if len(row) == self.width and prediction is None:
            return row
        one = len(self._scores) == 1 and type(prediction) in (float, np.float64)
        if len(row) != len(self._names) or not one:
            return None
        values = np.empty(self.width)
        values[:-1] = row
        values[-1] = prediction
        return values

    def read(self, rows: Any, prediction: Any = None, prediction_class: Any = None) -> FloatArray:
        """Return the monitored values in the baseline's order, shape [n, columns].

        Raises Refused, naming the field and the row.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # what is infinite is refused
            if type(rows) is np.ndarray and rows.dtype.kind in "fiu" and prediction_class is None:
                quick = self._matrix(rows, prediction)
                if quick is not None:
                    return quick
            return self._columns(rows, prediction, prediction_class)

    def lists(self, rows: Sequence[Any] | FloatArray, scores: Sequence[Any], classes: Sequence[Any]) -> FloatArray:
        """Return the monitored values of lists of features in the baseline's order, all of the right length.

        A matrix holds no infinite numbers. There is one score and one class for each, used if the baseline has such a
        column. Raises Refused.
        """
        given = {PREDICTION: scores, PREDICTION_CLASS: classes}
        columns = np.empty((len(rows), self.width))
        with np.errstate(over="ignore", invalid="ignore"):  # what is infinite is refused
            numbers = None
            if self._has_numeric_features:
                numbers = rows if isinstance(rows, np.ndarray) else numbers_of(rows, len(self._names))
            if numbers is not None:
                columns[:, self._positions] = numbers
            else:
                features: Sequence[Sequence[Any]] = list(zip(*rows, strict=True))
                for position, cells, values in zip(self._positions, self.cells, features, strict=True):
                    columns[:, position] = cells.of(values)
            for name, (position, cells) in self._scores.items():
                columns[:, position] = cells.of(given[name])
        return columns

    def _columns(self, rows: Any, prediction: Any, prediction_class: Any) -> FloatArray:
        features, count, single = self.features(rows)
        columns = np.empty((count, self.width))
        for position, cells, values in zip(self._positions, self.cells, features, strict=True):
            columns[:, position] = cells.of(values)
        given = {PREDICTION: prediction, PREDICTION_CLASS: prediction_class}
        for name, value in given.items():
            self._add_scores(columns, name, value, single=single)
        return columns

    def _matrix(self, rows: FloatArray, prediction: Any) -> FloatArray | None:
        """Return the values of an array of numbers, without one that is infinite; None for everything else."""
        matrix = rows.reshape(1, -1) if rows.ndim == 1 else rows
        if not (self._is_quick and self._is_numeric) or matrix.ndim != 2 or len(self._scores) > 1:
            return None
        if matrix.shape[1] == self.width and (prediction is None or not self._has_score):
            columns = matrix.astype(np.float64, copy=False)
        else:
            try:
                scores = np.asarray(matrix_of(prediction) if isinstance(prediction, np.ndarray) else prediction)
            except ValueError:  # lists of different lengths
                return None
            fits = scores.shape == (len(matrix),) or (scores.shape == () and len(matrix) == 1)
            if matrix.shape[1] != len(self._names) or not fits or scores.dtype.kind not in "fiu":
                return None
            columns = np.empty((len(matrix), self.width))
            columns[:, :-1] = matrix
            columns[:, -1] = scores
        return columns if math.isfinite(columns.sum()) or not np.isinf(columns).any() else None

    # ------------------------------------------------------------ shapes

    def features(self, rows: Any) -> tuple[list[Sequence[Any]], int, bool]:
        """Return the values of each feature, the number of rows, and whether a single row was given."""
        if _is_series(rows):
            rows = _named_values(rows)
        if isinstance(rows, Mapping):
            return [[value] for value in self._from_mapping(rows, 0)], 1, True
        if hasattr(rows, "__len__") and (hasattr(rows, "columns") or hasattr(rows, "column_names")):
            return (*self._from_table(rows), False)
        if isinstance(rows, np.ndarray | np.void):
            return self._from_array(matrix_of(rows))
        if isinstance(rows, str | bytes | bytearray) or not isinstance(rows, Sequence):
            raise Refused(
                Reason.UNKNOWN_SHAPE,
                f"the rows are {type_name(rows)}: give a dict by name, a list of dicts, a DataFrame or an array",
                {"field": "rows"},
            )
        if rows and is_cell(rows[0]):
            self._require_width(len(rows), 0)
            return [[value] for value in rows], 1, True
        lists = [self.listed(row, index) for index, row in enumerate(rows)]
        return list(zip(*lists, strict=True)) or [[] for _ in self._names], len(lists), False

    def listed(self, row: Any, index: int) -> Sequence[Any]:
        """Return the features of one of several rows in order; raises Refused."""
        if _is_series(row):
            row = _named_values(row, index)
        if isinstance(row, Mapping):
            return self._from_mapping(row, index)
        if isinstance(row, str | bytes) or not isinstance(row, Sequence | np.ndarray):
            raise Refused(
                Reason.WRONG_TYPE,
                f"row {index} is {type_name(row)}: give a dict by name, or a list in the baseline's order",
                {"row": index},
            )
        self._require_width(len(row), index)
        return matrix_of(row).tolist() if isinstance(row, np.ndarray) else row

    def _from_mapping(self, row: Mapping[str, Any], index: int) -> Sequence[Any]:
        missing = [name for name in self._names if name not in row]
        if missing or len(row) != len(self._names):
            self._refuse_unknown(row, {"row": index})
        if missing:
            raise self._missing(missing[0], index)
        values: Sequence[Any] = self._values(row)
        return values

    def _from_table(self, table: Any) -> tuple[list[Sequence[Any]], int]:
        try:
            labels = labels_of(table)
        except ValueError as error:
            raise _repeated(str(error)) from None
        self._refuse_unknown(labels, {})
        for name in self._names:
            if name not in labels:
                raise self._missing(name)
        return [column_of(table[labels[name]]) for name in self._names], len(table)

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
        values: Any = column_of(given)
        if getattr(values, "ndim", 0) > 1:
            raise Refused(
                Reason.UNKNOWN_SHAPE,
                f"{name} has shape {values.shape}: give one value for each row, such as proba[:, 1] of probabilities",
                {"field": name},
            )
        if not isinstance(values, list | tuple | np.ndarray) or getattr(values, "ndim", 1) == 0:
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
        if unknown and set(unknown) <= set(self._scores):
            raise Refused(
                Reason.UNKNOWN_FEATURE,
                f"{named(unknown)} is no feature: give observe(rows, {unknown[0]}=…)",
                {"field": unknown[0], **where},
            )
        if unknown:
            what = "is not a column" if len(unknown) == 1 else "are not columns"
            raise Refused(
                Reason.UNKNOWN_FEATURE,
                f"{named(unknown)} {what} of the baseline; it has {self._known()}",
                {"field": shortened(unknown[0]), **where},
            )

    def _known(self) -> str:
        more = f" and {len(self._names) - NAMED} more" if len(self._names) > NAMED else ""
        return f"{named(self._names)}{more}" if not more else named(self._names)


def _getter(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    if len(names) < 2:
        return lambda row: tuple(row[name] for name in names)
    return itemgetter(*names)


def _is_series(row: Any) -> bool:
    """Say whether this is a row of a DataFrame."""
    return hasattr(row, "to_dict") and hasattr(row, "index") and not hasattr(row, "columns")


def _named_values(series: Any, index: int = 0) -> Mapping[str, Any]:
    values: Mapping[Any, Any] = series.to_dict()
    if len(values) != len(series):
        names = list(series.index)
        raise _repeated(str(next(name for name in names if names.count(name) > 1)), {"row": index})
    return {str(name): value for name, value in values.items()}


def is_cell(value: Any) -> bool:
    """Say whether the first value of a list belongs to a row, and is not a row itself."""
    return value is None or isinstance(value, str | bytes | Number | np.generic) or is_missing(value)


def _repeated(name: str, where: Mapping[str, object] | None = None) -> Refused:
    return Refused(
        Reason.UNKNOWN_SHAPE,
        f"several columns are named {shortened(name)}: give each once",
        {"field": shortened(name), **(where or {})},
    )
