"""The type of each column in training: its dtype, values and missing value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.columns import Categories
from driftgauge.models.bundle import Feature, Missing, Values
from driftgauge.models.categories import CategoryNames, other_names
from driftgauge.models.creation.learned_columns import LearnedColumn, missing_kind
from driftgauge.models.frames import NULLABLE
from driftgauge.tables.cells import is_text, number_of
from driftgauge.tables.table import column as column_of
from driftgauge.tables.table import is_csv


@dataclass(frozen=True)
class TableSource:
    """A table with the types that its source states."""

    table: pa.Table
    as_written: bool = False
    """Whether it comes from a csv file, where text may spell numbers."""
    dtypes: Mapping[str, str] = field(default_factory=dict)
    """The pandas dtype of each column; empty if the source has none."""
    missing: Mapping[str, Missing] = field(default_factory=dict)
    """The missing value in each object column of a DataFrame."""

    @classmethod
    def of(cls, source: Any, table: pa.Table) -> TableSource:
        """Describe a table that was read from a source."""
        return cls(table, is_csv(source), pandas_dtypes(source), missing_kinds(source))

    def type_of(self, name: str) -> pa.DataType:
        """Return the Arrow type of a column, of a dictionary the type of its values."""
        return _plain_type(self.table, name)


def pandas_dtypes(source: Any) -> dict[str, str]:
    """Return the pandas dtype of each column, from a DataFrame or a file's metadata."""
    if _is_frame(source):
        return {str(name): str(dtype) for name, dtype in source.dtypes.items()}
    if isinstance(source, str | Path):
        path = Path(source)
        path = next(iter(sorted(path.rglob("*.parquet"))), path) if path.is_dir() else path
        described = pyarrow.parquet.read_schema(path).pandas_metadata if path.suffix == ".parquet" else None
    else:
        described = source.schema.pandas_metadata if isinstance(source, pa.Table) else None
    return {
        str(one.get("field_name") or one["name"]): "category"
        if one["pandas_type"] == "categorical"
        else str(one["numpy_type"])
        for one in (described or {}).get("columns", ())
    }


def _is_frame(source: Any) -> bool:
    return hasattr(source, "dtypes") and hasattr(source, "isna")


def missing_kinds(source: Any) -> dict[str, Missing]:
    """Return the missing value in each object column of a DataFrame; empty for other sources."""
    if not _is_frame(source):
        return {}
    objects = [(str(name), source[name]) for name, dtype in source.dtypes.items() if str(dtype) == "object"]
    return {name: missing_kind(cells[cells.isna()].iloc[0]) or "nan" for name, cells in objects if cells.isna().any()}


def with_column_type(feature: Feature, source: TableSource, known: LearnedColumn, encoded: Collection[str]) -> Feature:
    """Return a feature without the author's codes, with the type of its column in training.

    `encoded` are the texts that any encoder of the estimator knows.
    """
    if known.is_text:
        feature = Feature(name=feature.name, kind="text", values="text")
    elif feature.kind == "numeric" and source.as_written and known.has_texts:
        feature = Feature(name=feature.name, kind="categorical", categories=known.texts)
    if feature.kind == "categorical":
        feature = _with_categories(feature, source, known, encoded)
    dtype = _dtype(feature, source, known)
    missing = _missing(feature, dtype, source, known)
    update: dict[str, Any] = {"dtype": dtype, "missing": missing}
    if feature.kind == "categorical" and missing == "empty":
        update["categories"] = tuple(sorted({"", *feature.categories}))
    if feature.kind == "numeric" and dtype == "object":
        update["values"] = _values_of_type(source.type_of(feature.name))
    return feature.model_copy(update=update)


def _with_categories(feature: Feature, source: TableSource, known: LearnedColumn, encoded: Collection[str]) -> Feature:
    """Return a categorical feature with the type of its categories: text, number or boolean."""
    values = _values_of_type(source.type_of(feature.name))
    if values == "text" and source.as_written:
        values = _values_of_texts(feature, known, encoded)
        if values == "text" and known.has_texts:
            feature = _respelled(feature, known)
    elif known.has_texts and source.as_written:
        values, feature = "text", _respelled(feature, known)
    codes: tuple[float, ...] | None = None
    if values == "boolean":
        codes = tuple(float(category == "true") for category in feature.categories)
    elif values in ("number", "integer"):
        codes = tuple(number_of(category) or 0.0 for category in feature.categories)
    return feature.model_copy(update={"values": values, "codes": codes})


def _values_of_type(of: pa.DataType) -> Values:
    if pa.types.is_boolean(of):
        return "boolean"
    if pa.types.is_integer(of):
        return "integer"
    return "number" if pa.types.is_floating(of) else "text"


def _values_of_texts(feature: Feature, known: LearnedColumn, encoded: Collection[str]) -> Values:
    """Return the type that the texts of a csv file stand for."""
    if known.has_texts or (not known.categories and not set(feature.categories).isdisjoint(encoded)):
        return "text"
    if known.categories and all(isinstance(category, bool) for category in known.categories):
        return "boolean"
    numbers = [number_of(category) for category in feature.categories]
    spelled = [number for number in numbers if number is not None]
    if len(spelled) < len(numbers) or not spelled:
        return "text"
    fractions = any(isinstance(category, float) for category in known.categories)
    return "integer" if not fractions and all(number.is_integer() for number in spelled) else "number"


def _respelled(feature: Feature, known: LearnedColumn) -> Feature:
    """Return a feature with its categories spelled as the estimator learned them: 1.0, not 1."""
    spelled = {**other_names(known.categories), **{name: name for name in known.texts}}
    names = tuple(sorted({spelled.get(category, category) for category in feature.categories}))
    return feature.model_copy(update={"categories": names})


def _dtype(feature: Feature, source: TableSource, known: LearnedColumn) -> str:
    """Return the dtype of a column that pandas stored, or would infer."""
    dtype = "category" if known.by_dtype else source.dtypes.get(feature.name)
    if dtype is not None:
        return dtype
    if pa.types.is_dictionary(source.table.schema.field(feature.name).type):
        return "category"
    of, has_gaps = source.type_of(feature.name), source.table[feature.name].null_count > 0
    if feature.values == "text":
        return "str"
    if pa.types.is_boolean(of) or feature.values == "boolean":
        return "object" if has_gaps else "bool"
    if feature.values == "integer" or pa.types.is_integer(of):
        return "float64" if has_gaps else "int64"
    return "float64"


def _missing(feature: Feature, dtype: str, source: TableSource, known: LearnedColumn) -> Missing:
    """Return the missing value of a column: by its dtype, else as the estimator or DataFrame has it."""
    column = source.table[feature.name]
    if feature.kind == "text":  # a vectoriser itself takes nothing but text
        return known.missing or ("empty" if column.null_count or "" in column.unique().to_pylist() else "nan")
    if feature.values == "text" and known.missing == "empty":
        return "empty"
    if dtype in NULLABLE or dtype == "string":
        return "na"
    if dtype != "object":
        has_gaps = column.null_count > 0
        return "empty" if feature.values == "text" and "" in feature.categories and not has_gaps else "nan"
    seen = source.missing.get(feature.name)
    if known.missing is not None or seen is not None:
        return known.missing or seen or "nan"
    has_gaps = column.null_count > 0
    if "" in feature.categories and not has_gaps:
        return "empty"
    return "none" if has_gaps and not source.as_written else "nan"


# ---------------------------------------------------------------- cells


def feature_cells(table: pa.Table, feature: Feature, *, as_written: bool) -> FloatArray | Categories:
    """Return the cells of a feature: numbers, or categories by the model's names."""
    cells = column_of(table, feature.name, feature.watched_as)
    if not isinstance(cells, Categories):
        return cells
    plain = as_written or not is_text(_plain_type(table, feature.name))
    return rename_categories(cells, CategoryNames(feature).of_table([*cells.names, None], as_written=plain))


def _plain_type(table: pa.Table, name: str) -> pa.DataType:
    of = table.schema.field(name).type
    return of.value_type if pa.types.is_dictionary(of) else of


def rename_categories(cells: Categories, names: Sequence[str | None]) -> Categories:
    """Return categories under new names; equal names are merged, the last stands for missing."""
    kept = tuple(sorted({name for name in names if name is not None}.difference(_unused(cells, names))))
    index = {name: i for i, name in enumerate(kept)}
    codes = np.array([-1 if name is None else index.get(name, -1) for name in names], dtype=np.int64)
    return Categories(codes[cells.codes], kept)


def _unused(cells: Categories, names: Sequence[str | None]) -> set[str]:
    """Return the name of the missing category if no cell is missing."""
    last = names[-1]
    return set() if last is None or last in names[:-1] or (cells.codes < 0).any() else {last}
