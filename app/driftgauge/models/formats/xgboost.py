"""Boosters in XGBoost's own format, JSON or UBJSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

from driftgauge.drift.bins import FloatArray
from driftgauge.errors import BundleError
from driftgauge.models.formats.answer import Answer, answer_of
from driftgauge.models.formats.description import Description, ModelColumn, codes_of, refuse_outputs
from driftgauge.models.formats.explained import Explained, booster_contributions
from driftgauge.models.formats.files import content_of, reading, refuse_truncated
from driftgauge.models.formats.numbers import as_fractions
from driftgauge.models.formats.spec import ModelSpec

if TYPE_CHECKING:
    from driftgauge.models.bundle import BundleInfo

_ESTIMATOR: Final = "scikit_learn"
"""Attribute of a booster that XGBoost's estimators saved."""
_REFUSED: Final[Mapping[str, str]] = {
    "multi:softmax": "multi:softprob",
    "binary:logitraw": "binary:logistic",
    "binary:hinge": "binary:logistic",
}
"""Objectives that answer no probabilities, and those that do."""


# ---------------------------------------------------------------- loading


def load(path: Path, spec: ModelSpec, trusted: Iterable[str]) -> Any:
    """Load a booster of one thread; BundleError for a file that XGBoost does not accept."""
    import xgboost

    content = content_of(path, spec)
    refuse_truncated(path, is_whole=content.rstrip().endswith(b"}"))
    with reading(path, "xgboost"), threadpool_limits(1):
        booster = xgboost.Booster()
        booster.load_model(bytearray(content))
        booster.set_param({"nthread": 1})
        return booster


def _learner(booster: Any) -> Any:
    """Return what a booster says about its training."""
    return json.loads(booster.save_config())["learner"]


# ---------------------------------------------------------------- description


def described(model: Any, spec: ModelSpec) -> Description:
    """Describe a booster; BundleError for one that answers no probabilities, or several outputs."""
    learner = _learner(model)
    parameters, objective = learner["learner_model_param"], learner["objective"]["name"]
    refuse_outputs(int(parameters["num_target"]))
    if objective in _REFUSED:
        raise BundleError(
            f"the model's objective {objective} answers no probabilities: train it with {_REFUSED[objective]}"
        )
    classes = int(parameters["num_class"])
    is_binary = objective.startswith("binary:") or (objective == "reg:logistic" and _is_classifier(model))
    names = model.feature_names
    return Description(
        spec=spec,
        columns=tuple(_columns(model)),
        input="matrix",
        names=tuple(names) if names else None,
        class_count=2 if is_binary else classes,
    )


def _is_classifier(model: Any) -> bool:
    return "classifier" in model.attributes().get(_ESTIMATOR, "")


def _columns(model: Any) -> Iterable[ModelColumn]:
    """Yield the columns, with the categories that the booster knows; it refuses others."""
    count = model.num_features()
    types: Sequence[str] = model.feature_types or [""] * count
    saved = model.get_categories(export_to_arrow=True).to_arrow() if "c" in types else [("", None)] * count
    for kind, (_, categories) in zip(types, saved, strict=True):
        if kind == "c":
            known = None if categories is None else codes_of(categories.to_pylist())
            yield ModelColumn(is_categorical=True, codes=known)
        else:
            yield ModelColumn()


# ---------------------------------------------------------------- prediction


class XgboostModel:
    """Asks a booster for probabilities or values of a matrix."""

    def __init__(self, model: Any, info: BundleInfo) -> None:
        self._model = model
        self._classes: Final = info.classes
        self._is_linear = _learner(model)["gradient_booster"]["name"] == "gblinear"
        best = model.attributes().get("best_iteration") if _ESTIMATOR in model.attributes() else None
        # An estimator stops at its best iteration; a bare booster uses all its trees.
        self._iterations: Final = (0, 0 if best is None else int(best) + 1)

    def predict(self, inputs: Any) -> Answer:
        """Answer with the booster's own numbers, which are of single precision."""
        return answer_of(self._asked(as_fractions(inputs, np.float32)), self._classes, len(inputs))

    def _asked(self, matrix: Any) -> Any:
        if not self._is_linear:
            return self._model.inplace_predict(matrix, iteration_range=self._iterations, validate_features=False)
        import xgboost  # a linear booster takes no plain matrix

        matrix = xgboost.DMatrix(matrix, nthread=1)
        return self._model.predict(matrix, iteration_range=self._iterations, validate_features=False)

    def explained(self) -> Explained:
        """Explain answers by TreeSHAP, or of a linear booster by its terms."""

        def contributions(inputs: Any) -> FloatArray:
            return booster_contributions(self._model, self._iterations, as_fractions(inputs, np.float32))

        return Explained("linear" if self._is_linear else "tree_shap", contributions, is_centred=not self._is_linear)


adapted = XgboostModel
