"""DataFrames with the dtypes and missing values that an estimator was fitted on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from driftgauge.drift.bins import BoolArray, FloatArray, IntArray
from driftgauge.models.bundle import Feature

NULLABLE: Final = frozenset(
    {*(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)), "Float32", "Float64", "boolean"}
)
"""Dtypes of pandas for numbers and booleans that hold NA."""
Texts = Mapping[int, Sequence[str | None]]
_WHOLE: Final = frozenset({*(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "bool"})


class Frames:
    """Builds DataFrames from batches."""

    def __init__(self, features: Sequence[Feature]) -> None:
        import pandas as pd  # an extra: only estimators that are given a DataFrame need it

        self._pd: Any = pd
        # Before pandas 3 the dtype `str` turns NaN into text.
        self._as_objects: Final = {None, "object", *(["str"] if int(pd.__version__.partition(".")[0]) < 3 else [])}
        self._features: Final = tuple(features)
        self._missing: Final = {"nan": math.nan, "none": None, "na": pd.NA, "empty": ""}
        self._strict: Final = [
            index
            for index, feature in enumerate(features)
            if feature.kind == "numeric" and feature.dtype in (_WHOLE | NULLABLE | {"object"})
        ]

    def of(self, inputs: FloatArray, texts: Texts) -> Iterator[tuple[IntArray | None, Any]]:
        """Yield DataFrames with the positions of their rows, None if one frame holds all.

        `inputs` are numbers and codes, shape [n, features]; `texts` are names by the index of their feature. Rows with
        a cell that does not fit its column's dtype, such as 1.5 among integers, get a frame of their own, so that a
        row is converted alike alone and in a batch.
        """
        fits = self._fitting(inputs)
        if fits is None:
            yield None, self._frame(inputs, texts, None)
            return
        kinds, of_row = np.unique(fits, axis=0, return_inverse=True)
        for kind, which in enumerate(kinds):
            rows = np.flatnonzero(of_row.reshape(-1) == kind)
            unfit = {index for index, fit in zip(self._strict, which.tolist(), strict=True) if not fit}
            own_texts = {index: [names[row] for row in rows.tolist()] for index, names in texts.items()}
            yield rows, self._frame(inputs[rows], own_texts, unfit)

    def _fitting(self, inputs: FloatArray) -> BoolArray | None:
        """Return which cells fit their column's dtype, shape [n, strict columns]; None if all do."""
        if not self._strict:
            return None
        fits = np.column_stack([_fits(inputs[:, index], self._features[index]) for index in self._strict])
        return None if fits.all() else fits

    def _frame(self, inputs: FloatArray, texts: Texts, unfit: set[int] | None) -> Any:
        columns = {}
        for index, feature in enumerate(self._features):
            if index in texts:
                columns[feature.name] = self._named(feature, texts[index], inputs[:, index])
            elif unfit and index in unfit:
                columns[feature.name] = inputs[:, index]
            else:
                columns[feature.name] = self._numbers(feature, inputs[:, index])
        return self._pd.DataFrame(columns)

    def _numbers(self, feature: Feature, cells: FloatArray) -> Any:
        dtype = feature.dtype
        if dtype is None or dtype == "float64":
            return cells
        if dtype in NULLABLE:
            missing = np.isnan(cells)
            array = self._pd.array(np.where(missing, 0.0, cells), dtype=dtype)
            array[missing] = self._pd.NA
            return array
        if dtype == "object":
            return self._objects(
                [None if math.isnan(cell) else _plain(feature, cell) for cell in cells.tolist()], feature
            )
        if dtype == "float32":
            with np.errstate(over="ignore"):  # too large a number becomes infinite, as in the caller's own column
                return cells.astype(dtype)
        return cells.astype(dtype) if dtype in _WHOLE else cells

    def _objects(self, values: Sequence[Any], feature: Feature) -> Any:
        missing = self._missing[feature.missing]
        column = np.empty(len(values), dtype=object)
        column[:] = [missing if value is None else value for value in values]
        return self._pd.Series(column, dtype=object)

    def _named(self, feature: Feature, names: Sequence[str | None], codes: FloatArray) -> Any:
        """Return a column of categories or free text."""
        if feature.values is None:  # a bundle of an earlier version, or the author's codes
            if feature.codes is not None:
                return codes
            known = set(feature.categories)
            values = [name if name in known else None for name in names]
            return self._pd.Categorical(values, categories=list(feature.categories))
        values = [None if name is None else _value(feature, name) for name in names]
        if feature.dtype == "category":
            return self._categorical(feature, values)
        return self._column(feature, values)

    def _categorical(self, feature: Feature, values: Sequence[Any]) -> Any:
        known = [_value(feature, name) for name in feature.categories]
        unseen = dict.fromkeys(value for value in values if value is not None and value not in known)
        return self._pd.Categorical(values, categories=[*known, *unseen])

    def _column(self, feature: Feature, values: Sequence[Any]) -> Any:
        column, dtype = self._objects(values, feature), feature.dtype
        if dtype in self._as_objects:
            return column
        try:
            return column.astype(dtype)
        except (TypeError, ValueError, OverflowError):  # an unseen number that does not fit, or a missing one
            return column.infer_objects()


def _fits(cells: FloatArray, feature: Feature) -> BoolArray:
    """Return which cells the dtype of their column can hold."""
    dtype = feature.dtype or "float64"
    missing = np.isnan(cells)
    if dtype == "object" or dtype.startswith("Float"):
        whole = feature.values in ("integer", "boolean") and dtype == "object"
        fits: BoolArray = missing | (cells == np.floor(cells)) if whole else np.ones(len(cells), dtype=np.bool_)
        return fits & (missing | (cells == 0) | (cells == 1)) if feature.values == "boolean" else fits
    if dtype in ("bool", "boolean"):
        fits = (cells == 0) | (cells == 1)
    else:
        limits = np.iinfo(dtype.lower())
        fits = (cells == np.floor(cells)) & (cells >= limits.min) & (cells < float(limits.max) + 1.0)
    return fits | missing if dtype in NULLABLE else fits


def _plain(feature: Feature, cell: float) -> Any:
    if feature.values == "boolean":
        return bool(cell)
    return int(cell) if feature.values == "integer" else cell


def _value(feature: Feature, name: str) -> Any:
    """Return the value of a category in the column that the estimator was fitted on."""
    if feature.values == "boolean":
        return name == "true"
    if feature.values in ("number", "integer"):
        return int(name) if feature.values == "integer" and name.lstrip("-").isdigit() else float(name)
    return name
