"""Models in CatBoost's own format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftgauge.drift.bins import FloatArray
from driftgauge.errors import BundleError
from driftgauge.models.formats.answer import Answer, answer_of
from driftgauge.models.formats.description import Description, ModelColumn
from driftgauge.models.formats.explained import Explained, without_bias
from driftgauge.models.formats.files import content_of, reading, refuse_truncated
from driftgauge.models.formats.spec import ModelSpec

if TYPE_CHECKING:
    from driftgauge.models.bundle import BundleInfo, Label

_SIZE: Final = slice(4, 8)
"""Where a file states the bytes of its trees, which follow."""


# ---------------------------------------------------------------- loading


def load(path: Path, spec: ModelSpec, trusted: Iterable[str]) -> Any:
    """Load a model; BundleError for a file that CatBoost does not accept."""
    import catboost

    content = content_of(path, spec)
    size = int.from_bytes(content[_SIZE], "little")
    refuse_truncated(path, is_whole=len(content) >= _SIZE.stop + size)
    with reading(path, "catboost"):
        model = catboost.CatBoost()
        model.load_model(blob=content)
        return model


# ---------------------------------------------------------------- description


def described(model: Any, spec: ModelSpec) -> Description:
    """Describe a model; BundleError for one that takes embeddings."""
    if model.get_embedding_feature_indices():
        raise BundleError("the model takes embeddings, and rows are numbers and texts")
    texts = {*model.get_cat_feature_indices(), *model.get_text_feature_indices()}
    names = [str(name) for name in model.feature_names_]
    classes: tuple[Label, ...] = tuple(np.asarray(model.classes_).tolist())
    return Description(
        spec=spec,
        columns=tuple(ModelColumn(is_text=index in texts) for index in range(len(names))),
        input="columns" if texts else "matrix",
        names=None if names == [str(index) for index in range(len(names))] else tuple(names),
        class_count=len(classes),
        classes=classes,
    )


# ---------------------------------------------------------------- prediction


class CatboostModel:
    """Asks a model for probabilities or values, on one thread."""

    def __init__(self, model: Any, info: BundleInfo) -> None:
        self._model = model
        self._classes: Final = info.classes
        self._booleans: Final = frozenset(
            index for index, feature in enumerate(info.features) if feature.values == "boolean"
        )
        self._texts: Final = frozenset(model.get_cat_feature_indices()) | frozenset(model.get_text_feature_indices())

    def predict(self, inputs: Any) -> Answer:
        """Answer with the model's own numbers."""
        rows = self._rows(inputs)
        kind = {"prediction_type": "Probability"} if self._classes else {}  # a regression has its own default
        return answer_of(self._model.predict(rows, thread_count=1, **kind), self._classes, len(rows))

    def explained(self) -> Explained:
        """Explain answers by TreeSHAP."""

        def contributions(inputs: Any) -> FloatArray:
            import catboost

            model, rows = self._model, self._rows(inputs)
            categories, texts = model.get_cat_feature_indices(), model.get_text_feature_indices()
            pool = catboost.Pool(rows, cat_features=categories, text_features=texts)
            found = model.get_feature_importance(pool, type="ShapValues", thread_count=1)
            return without_bias(found, len(rows), rows.shape[1])

        return Explained("tree_shap", contributions)

    def _rows(self, inputs: Any) -> Any:
        return inputs if isinstance(inputs, np.ndarray) else self._cells(inputs)

    def _cells(self, columns: Sequence[Any]) -> Any:
        """Return numbers and texts in one table; ValueError for a missing category, which CatBoost does not know."""
        cells = np.empty((len(columns[0]), len(columns)), dtype=object)
        for index, column in enumerate(columns):
            cells[:, index] = self._named(column, index) if index in self._texts else column
        return cells

    def _named(self, column: Any, index: int) -> list[str]:
        """Return categories as CatBoost spells them: whole numbers without a point, booleans capitalised."""
        if isinstance(column, list):
            if None in column:
                raise ValueError("a category is missing")
            return column
        numbers = column.tolist()
        if not all(float(number).is_integer() for number in numbers):
            raise ValueError("a category is missing or no whole number")
        return [str(bool(number)) if index in self._booleans else str(int(number)) for number in numbers]


adapted = CatboostModel
