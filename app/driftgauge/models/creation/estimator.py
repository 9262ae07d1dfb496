"""The features and classes of a fitted estimator, read from it and its table."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from driftgauge.common.quoting import listed
from driftgauge.drift.bins import category_name
from driftgauge.drift.reference.baseline import RESERVED
from driftgauge.errors import BundleError
from driftgauge.models.bundle import Feature, FeatureKind, Label
from driftgauge.models.creation.baseline import column_kinds
from driftgauge.models.creation.foreign import ForeignModel
from driftgauge.models.inner_estimators import parts
from driftgauge.tables.stream import require_columns
from driftgauge.tables.table import categories, infer_kinds, numbers


def features_of(
    model: Any,
    table: pa.Table,
    names: Sequence[str],
    stated: Mapping[str, FeatureKind],
    codes: Mapping[str, Mapping[str, float]],
) -> tuple[Feature, ...]:
    """Return the features in the order of their names, as the table has them.

    `stated` are kinds where inference is wrong, `codes` the author's numbers for categories. Raises BundleError or
    TableError.
    """
    require_columns(table.column_names, names, "the reference")
    reserved = [name for name in names if name in RESERVED]
    if reserved:
        raise BundleError(f"{reserved[0]} is a reserved name, that of the monitored score: rename the feature")
    expected = getattr(model, "n_features_in_", len(names))
    if expected != len(names):
        raise BundleError(
            f"the estimator was fitted on {expected} features, the reference has {len(names)} besides the target "
            f"({listed(names)}): --ignore columns that are not features, or name the features in order (--features)"
        )
    require_columns(table.column_names, list(codes), "the reference")
    texts = [name for name, kind in stated.items() if kind == "text"]
    kinds = infer_kinds(table, names, {**dict.fromkeys(codes, "categorical"), **column_kinds(stated)})
    return tuple(_feature(table, name, "text" if name in texts else kinds[name], codes.get(name)) for name in names)


def _feature(table: pa.Table, name: str, kind: FeatureKind, codes: Mapping[str, float] | None) -> Feature:
    of = table.schema.field(name).type
    if kind == "text":
        return Feature(name=name, kind="text", values="text")
    if kind == "numeric":
        return Feature(name=name, kind="numeric", boolean=pa.types.is_boolean(of))
    data = categories(table, name)
    if codes is None and pa.types.is_boolean(of):
        codes = {"false": 0.0, "true": 1.0}
    if codes is None and (pa.types.is_integer(of) or pa.types.is_floating(of)):
        known = numbers(table, name)
        codes = {category_name(value) or "": float(value) for value in np.unique(known[~np.isnan(known)])}
    if codes is None:
        return Feature(name=name, kind="categorical", categories=data.names)
    strange = [category for category in data.names if category not in codes]
    if strange:
        raise BundleError(f"{name}: the category codes do not cover {', '.join(strange[:5])}")
    return Feature(
        name=name, kind="categorical", categories=tuple(codes), codes=tuple(float(code) for code in codes.values())
    )


def encoded_texts(model: Any) -> frozenset[str]:
    """Return the texts that the encoders of an estimator were fitted on."""
    return frozenset(category for part in parts(model) for category in _encoded_texts(part))


def class_names(model: Any) -> tuple[str, ...] | None:
    """Return the names of a classifier's classes, None if it has no single list of them."""
    classes = getattr(model, "classes_", None)
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:
        return None
    return tuple(category_name(label) or "" for label in classes.tolist())


def _encoded_texts(part: Any) -> list[str]:
    """Return the texts that an encoder was fitted on."""
    try:
        return [category for one in getattr(part, "categories_", ()) for category in one if isinstance(category, str)]
    except TypeError:
        return []


def classes_of(model: Any) -> tuple[Label, ...] | None:
    """Return a classifier's classes, None for a regressor; BundleError for anything else."""
    if isinstance(model, ForeignModel):
        return model.classes or None
    _require_fitted(model)
    refuse_several_outputs(_outputs(model))
    if is_regressor(model):
        return None
    if not is_classifier(model) or not hasattr(model, "classes_"):
        raise BundleError("the estimator is neither a fitted classifier nor a fitted regressor")
    if not hasattr(model, "predict_proba"):
        raise BundleError("the classifier has no predict_proba: wrap it in CalibratedClassifierCV")
    if len(model.classes_) < 2:
        raise BundleError("the classifier knows only one class")
    return tuple(np.asarray(model.classes_).tolist())


def _require_fitted(model: Any) -> None:
    if not type(model).__module__.startswith("sklearn.") or not (is_regressor(model) or is_classifier(model)):
        return  # others may keep what they learned under any name
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise BundleError(
            "the estimator is not fitted (neither a fitted classifier nor a fitted regressor): fit it, then make "
            "the bundle"
        ) from error


def _outputs(model: Any) -> int:
    """Return the number of outputs that the estimator states."""
    classes = getattr(model, "classes_", None)
    if isinstance(classes, list) and classes and isinstance(classes[0], np.ndarray | list):
        return len(classes)
    last = model.steps[-1][1] if getattr(model, "steps", None) else model
    return int(getattr(last, "n_outputs_", 1)) if is_regressor(model) else 1


def refuse_several_outputs(outputs: int) -> None:
    """Raise BundleError unless there is one output for each row."""
    if outputs > 1:
        raise BundleError(
            f"the estimator predicts {outputs} outputs for each row, and a bundle has one: fit an estimator for each "
            "output, and make a bundle of each"
        )


def refuse_several_answers(model: Any, table: pa.Table, names: Sequence[str]) -> None:
    """Raise BundleError if the estimator answers a row of the table with several values."""
    if isinstance(model, ForeignModel):
        return  # its adapter refuses such an answer
    row = table.select(list(names)).slice(0, 1)
    for convert in (row.to_pandas, lambda: np.array([[value[0] for value in row.to_pydict().values()]])):
        try:
            with warnings.catch_warnings(action="ignore"):
                answer = np.asarray(model.predict(convert()))
        except Exception:  # noqa: S112  # the prediction of the whole table says what is wrong
            continue
        refuse_several_outputs(answer.shape[1] if answer.ndim == 2 else 1)
        return


def selects_by_name(model: Any) -> bool:
    """Return whether any part of the estimator selects its columns by name or by a function."""
    lists = [getattr(part, "transformers", None) for part in parts(model)]
    selections = [columns for transformers in lists if isinstance(transformers, list) for *_, columns in transformers]
    return any(_is_by_name(columns) for columns in selections)


def _is_by_name(columns: Any) -> bool:
    if isinstance(columns, slice):
        return isinstance(columns.start, str) or isinstance(columns.stop, str)
    if isinstance(columns, str) or callable(columns):
        return True
    return any(isinstance(column, str) for column in np.asarray(columns, dtype=object).ravel())
