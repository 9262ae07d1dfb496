"""Models of other libraries than scikit-learn, described for a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.common.quoting import listed, named
from driftgauge.drift.bins import FloatArray, category_name
from driftgauge.errors import BundleError
from driftgauge.models.bundle import BundleInfo, Feature, FeatureKind, Label
from driftgauge.models.formats.description import Description, ModelColumn
from driftgauge.tables.stream import require_columns

MOST_CLASSES: Final = 1000
"""Most distinct values of a target whose values are taken for classes."""
_ANY_COLUMN: Final = ModelColumn()


@dataclass(frozen=True)
class ForeignModel:
    """A loaded model, with what it says about itself.

    The names of scikit-learn's attributes are kept, because the rest of the creation asks an estimator for them.
    """

    model: Any
    description: Description
    saved: Callable[[Path], None]
    """Writes the model's file or folder."""
    classes: tuple[Label, ...] = ()
    """The classes in the order of its probabilities; empty of a regression, and until the target is known."""

    @property
    def feature_names_in_(self) -> tuple[str, ...] | None:
        """The names of its columns, if it knows them."""
        return self.description.names

    @property
    def n_features_in_(self) -> int:
        """The number of its columns; AttributeError if it takes any number."""
        if not self.description.columns:
            raise AttributeError("the model does not know its number of columns")
        return len(self.description.columns)

    @property
    def classes_(self) -> Any:
        """The classes as scikit-learn holds them; None if there are none yet."""
        return np.asarray(self.classes) if self.classes else None

    def columns_of(self, names: Sequence[str]) -> dict[str, ModelColumn]:
        """Return what the model says about each feature."""
        return dict(zip(names, self.description.columns or [_ANY_COLUMN] * len(names), strict=False))

    def texts(self) -> dict[str, tuple[str, ...]]:
        """Return the columns that are read as texts, as far as the model names them; no categories are known."""
        columns = self.columns_of(self.description.names or ())
        return {name: tuple(c.codes or ()) for name, c in columns.items() if c.is_text or c.codes is not None}

    def with_classes(self, table: pa.Table, target: str, stated: Sequence[str]) -> ForeignModel:
        """Return the model with its classes: as stated, as it knows them, or the sorted values of the target."""
        count = self.description.class_count
        if count == 0 and stated and self.description.may_classify:
            count = None
        if count == 0:
            if stated:
                raise BundleError("the model predicts a number, and classes are named: leave out --classes")
            return self
        require_columns(table.column_names, [target], "the reference")
        values = _distinct(table, target)
        classes = _stated(stated, values) or self.description.classes or _of_target(values, count, target)
        if len(classes) < 2 or (count is not None and len(classes) != count):
            raise BundleError(
                f"the model has {count or 'several'} classes, and {len(classes)} are known "
                f"({listed([str(label) for label in classes])}): name them in the order of the model's probabilities "
                "(--classes)"
            )
        return replace(self, classes=classes)

    def codes(self, names: Sequence[str]) -> dict[str, Mapping[str, float]]:
        """Return the numbers of categories that the library saved, by feature."""
        return {name: column.codes for name, column in self.columns_of(names).items() if column.codes is not None}

    def kinds(self, names: Sequence[str]) -> dict[str, FeatureKind]:
        """Return the features that are categories because the model takes them so."""
        columns = self.columns_of(names)
        return {name: "categorical" for name, c in columns.items() if c.is_text or c.is_categorical}

    def refuse_texts(self, features: Sequence[Feature]) -> None:
        """Raise BundleError for a column of texts where the model takes numbers."""
        if self.description.input == "dataframe" or not self.description.columns:
            return
        columns = self.columns_of([feature.name for feature in features])
        for feature in features:
            if feature.kind != "numeric" and feature.codes is None and not columns[feature.name].is_text:
                raise BundleError(
                    f"{feature.name}: the model takes a number, and the reference holds text "
                    f"({named(feature.categories)}): give the number of each category (--category-codes)"
                )

    def with_code(self, feature: Feature) -> Feature:
        """Return a feature whose numbers the library saved; an unseen category is refused or counts as missing."""
        column = self.columns_of(self.description.names or ()).get(feature.name, _ANY_COLUMN)
        is_strict = column.codes is not None and not column.takes_unseen
        return feature.model_copy(update={"values": "text"}) if is_strict else feature

    def with_dtype(self, feature: Feature) -> Feature:
        """Return a number with the dtype that the model states."""
        column = self.columns_of(self.description.names or ()).get(feature.name, _ANY_COLUMN)
        stated = column.dtype if feature.kind == "numeric" else None
        return feature.model_copy(update={"dtype": stated}) if stated is not None else feature


def refuse_wrong_classes(info: BundleInfo, labels: Sequence[Label], scores: FloatArray) -> None:
    """Raise BundleError if the model predicts other classes, or if its two classes are in the wrong order.

    `scores` are the probabilities of the positive class, shape [n].
    """
    advice = "name its classes in the order of its probabilities (--classes)"
    unknown = next((label for label in dict.fromkeys(labels) if info.classes and label not in info.classes), None)
    if unknown is not None:
        raise BundleError(
            f"the model predicts the class {unknown!r}, which is not among {listed([str(c) for c in info.classes])}: "
            f"{advice}"
        )
    positive = np.array([label == info.classes[-1] for label in labels]) if info.task == "binary" else np.array([True])
    if positive.any() and not positive.all() and scores[positive].mean() < scores[~positive].mean():
        raise BundleError(
            f"rows that the model predicts as {info.classes[-1]} have a lower probability of it than others: {advice}"
        )


def _distinct(table: pa.Table, target: str) -> list[Label]:
    """Return the sorted distinct values of the target."""
    values = table[target].unique().drop_null().to_pylist()
    return sorted(values, key=lambda value: (isinstance(value, str), value))


def _of_target(values: Sequence[Label], count: int | None, target: str) -> tuple[Label, ...]:
    """Return the classes that the target holds, in the order in which label encoders number them."""
    if len(values) > MOST_CLASSES:
        raise BundleError(
            f"the model is a classifier, and {target} has {len(values):,} distinct values: name the column that holds "
            "the classes (--target), or the classes themselves (--classes)"
        )
    numbered = count is not None and all(isinstance(v, int) and 0 <= v < count for v in values)
    if numbered and not any(isinstance(value, bool) for value in values):
        return tuple(range(count or 0))
    return tuple(values)


def _stated(stated: Sequence[str], values: Sequence[Label]) -> tuple[Label, ...]:
    """Return the stated classes in the type of the target's values."""
    known = {category_name(value): value for value in values}
    numbers = bool(values) and all(isinstance(value, int | float) for value in values)
    return tuple(known.get(name, int(name) if numbers and name.lstrip("-").isdigit() else name) for name in stated)
