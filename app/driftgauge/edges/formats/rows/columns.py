"""Columns and tables of other libraries, as arrays of numbers or lists of Python values."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from driftgauge.drift.bins import FloatArray


def column_of(values: Any) -> Any:
    """Return a column of any library as an array or list; a single value, and what is no column, as it is.

    Masked values are NaN or None. A matrix or frame of one column is that column.
    """
    if isinstance(values, list | tuple):
        return values
    return _flat(_array_of(values))


def matrix_of(rows: Any) -> Any:
    """Return an array of a subclass, such as a masked array, as a plain one; others as they are."""
    return _unmasked(rows) if isinstance(rows, np.ma.MaskedArray) else np.asarray(rows)


def labels_of(table: Any) -> Mapping[str, Any]:
    """Return the columns' labels by name. ValueError for a name that several columns have."""
    labels = list(table.column_names if hasattr(table, "column_names") else table.columns)
    named = {str(label): label for label in labels}
    if len(named) < len(labels):
        names = [str(label) for label in labels]
        raise ValueError(next(name for name in names if names.count(name) > 1))
    return named


def numbers_of(rows: Sequence[Sequence[Any]], width: int) -> FloatArray | None:
    """Return lists of `width` finite numbers as a matrix, None if there is anything else in them."""
    flat = array("d")
    try:
        for row in rows:
            flat.fromlist(row if type(row) is list else list(row))
    except (TypeError, OverflowError):
        return None
    found = np.frombuffer(flat).reshape(len(rows), width)
    return found if math.isfinite(found.sum()) or not np.isinf(found).any() else None


def _array_of(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        return matrix_of(values)
    if isinstance(values, np.generic):
        return values
    try:
        if hasattr(values, "to_numpy"):
            return _converted(values)
        if hasattr(values, "__array__"):  # tensors
            return np.asarray(values)
    except Exception:  # it is on another device, or it has no numbers: its type is refused
        return values
    return values


def _converted(values: Any) -> Any:
    """Return a column of pandas, polars or pyarrow."""
    options = {"zero_copy_only": False} if hasattr(values, "to_pylist") and not hasattr(values, "chunks") else {}
    array = values.to_numpy(**options)
    if array.dtype.kind in "fiub":
        return array
    for listing in ("to_pylist", "to_list"):  # of pyarrow; of pandas and polars
        if hasattr(values, listing):
            return getattr(values, listing)()
    return array


def _flat(values: Any) -> Any:
    is_column = isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == 1
    return values[:, 0] if is_column else values


def _unmasked(values: Any) -> FloatArray:
    """Return a masked array as numbers with NaN, or as objects with None."""
    if values.dtype.kind in "fiub":
        return np.asarray(values.astype(np.float64).filled(np.nan))
    if values.dtype.names:
        return np.array(values.tolist(), dtype=[(name, object) for name in values.dtype.names])
    return np.asarray(values.astype(object).filled(None))
