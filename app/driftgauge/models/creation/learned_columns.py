"""What the parts of a fitted estimator learned about their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline

from driftgauge.models.bundle import Missing

_PASSED_ON: Final = ("passthrough", "drop", None)


@dataclass(frozen=True)
class LearnedColumn:
    """What an estimator learned about one column."""

    categories: tuple[Any, ...] = ()
    """The categories of the column's encoder, without missing values."""
    missing: Missing | None = None
    """The missing value of the column's encoder or imputer."""
    is_text: bool = False
    """Whether a vectoriser reads the column."""
    by_dtype: bool = False
    """Whether the estimator treats it as categorical because of its dtype."""

    @property
    def has_texts(self) -> bool:
        """Whether all its categories are texts."""
        return bool(self.texts) and len(self.texts) == len(self.categories)

    @property
    def texts(self) -> tuple[str, ...]:
        """The categories that are texts."""
        return tuple(category for category in self.categories if isinstance(category, str))


NOTHING_LEARNED: Final = LearnedColumn()


def learned_columns(model: Any, names: Sequence[str]) -> dict[str, LearnedColumn]:
    """Return what an estimator learned about each column, in the order of `names`."""
    learned: dict[str, LearnedColumn] = {}
    for part, columns in parts_with_columns(model, names):
        for index, name in enumerate(columns):
            learned[name] = _with_part(learned.get(name, NOTHING_LEARNED), part, index, len(columns))
    return learned


def takes_only_texts(part: Any) -> bool:
    """Return whether an estimator is fitted on a list of texts, because its first step is a vectoriser."""
    if isinstance(part, Pipeline):
        steps = [step for _, step in part.steps if step not in _PASSED_ON]
        return bool(steps) and takes_only_texts(steps[0])
    if isinstance(part, ColumnTransformer):
        return False
    if isinstance(part, FeatureUnion):
        return any(takes_only_texts(transformer) for _, transformer in part.transformer_list)
    return _is_vectoriser(part) or any(map(takes_only_texts, _fitted_inside(part)))


def parts_with_columns(model: Any, names: Sequence[str]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Yield each part that reads columns unchanged or imputed, with the names of these columns."""
    for part, columns in _walk(model, tuple(names), set()):
        if not isinstance(part, Pipeline | ColumnTransformer | FeatureUnion):
            yield part, columns


def _walk(part: Any, names: tuple[str, ...], seen: set[int]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    if not isinstance(part, BaseEstimator) or id(part) in seen:
        return
    seen.add(id(part))
    yield part, names
    if isinstance(part, Pipeline):
        for _, step in part.steps:
            if step in _PASSED_ON:
                continue
            yield from _walk(step, names, seen)
            if not _keeps_columns(step, names):
                break
    elif isinstance(part, ColumnTransformer):
        for _, transformer, columns in getattr(part, "transformers_", ()):
            yield from _walk(transformer, _selected(columns, names), seen)
    elif isinstance(part, FeatureUnion):
        for _, transformer in part.transformer_list:
            yield from _walk(transformer, names, seen)
    else:
        for inner in _fitted_inside(part):
            if getattr(inner, "n_features_in_", len(names)) == len(names):
                yield from _walk(inner, names, seen)


def _fitted_inside(part: Any) -> Iterator[Any]:
    """Yield the fitted estimators inside a search, a calibration, an ensemble or a preprocessor."""
    for name, value in vars(part).items():
        if not (name.endswith("_") or name == "_preprocessor"):
            continue  # a parameter, not a fitted attribute
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, BaseEstimator):
                yield one
            elif isinstance(inner := getattr(one, "estimator", None), BaseEstimator):  # of a calibration
                yield inner


def _keeps_columns(step: Any, names: Sequence[str]) -> bool:
    """Return whether a step keeps its columns: an imputer that neither drops nor adds one."""
    filled = getattr(step, "statistics_", None)
    return (
        isinstance(step, SimpleImputer) and filled is not None and len(filled) == len(names) and not step.add_indicator
    )


def _selected(columns: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the columns that a ColumnTransformer selects."""
    if isinstance(columns, str):
        return (columns,) if columns in names else ()
    if isinstance(columns, int | np.integer):
        return (names[columns],)
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            first = 0 if columns.start is None else names.index(columns.start)
            last = len(names) if columns.stop is None else names.index(columns.stop) + 1
            return names[first:last]
        return names[columns]
    if callable(columns):
        return ()
    selection = np.asarray(columns)
    if selection.dtype == np.bool_:
        return tuple(name for name, is_selected in zip(names, selection.tolist(), strict=False) if is_selected)
    return tuple(str(one) if isinstance(one, str) else names[one] for one in selection.tolist())


def _with_part(known: LearnedColumn, part: Any, index: int, count: int) -> LearnedColumn:
    categories, missing = _encoder_categories(part, index, count)
    if isinstance(part, SimpleImputer):
        missing = "empty" if part.missing_values == "" else missing_kind(part.missing_values)
    return LearnedColumn(
        categories=known.categories or categories,
        missing=known.missing or missing,
        is_text=known.is_text or (count == 1 and _is_vectoriser(part)),
        by_dtype=known.by_dtype or _by_dtype(part, index),
    )


def _encoder_categories(part: Any, index: int, count: int) -> tuple[tuple[Any, ...], Missing | None]:
    """Return the categories of one column of an encoder, and its missing value."""
    lists = getattr(part, "categories_", None)
    if not isinstance(lists, list) or len(lists) != count:
        return (), None
    values = np.asarray(lists[index], dtype=object).tolist()
    missing = [missing_kind(value) for value in values]
    present = tuple(value for value, gap in zip(values, missing, strict=True) if gap is None)
    first = next((gap for gap in missing if gap is not None), None)
    return present, first or ("empty" if "" in present else None)


def missing_kind(value: Any) -> Missing | None:
    """Return the kind of a missing value, None for any other value."""
    if value is None:
        return "none"
    if type(value).__name__ == "NAType":  # without importing pandas
        return "na"
    if isinstance(value, str):
        return None
    return "nan" if isinstance(value, float | np.floating) and np.isnan(value) else None


def _is_vectoriser(part: Any) -> bool:
    return isinstance(part, CountVectorizer | HashingVectorizer)


def _by_dtype(part: Any, index: int) -> bool:
    is_categorical = getattr(part, "is_categorical_", None)
    return (
        getattr(part, "categorical_features", None) == "from_dtype"
        and is_categorical is not None
        and bool(is_categorical[index])
    )
