"""Objects of Python: what imported code offers, and how it is asked."""

from __future__ import annotations

import inspect
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftgauge.errors import BundleError
from driftgauge.models.formats.answer import Answer, Model, answer_of, require_probabilities
from driftgauge.models.formats.description import Description, ModelColumn
from driftgauge.models.formats.sklearn import EstimatorModel
from driftgauge.models.formats.spec import ModelSpec

if TYPE_CHECKING:
    from driftgauge.models.bundle import BundleInfo, Label


class FunctionModel:
    """Asks a function, or the method `predict` of an object."""

    def __init__(self, function: Any, info: BundleInfo) -> None:
        self._function = function
        self._classes: Final = info.classes

    def predict(self, inputs: Any) -> Answer:
        """Answer with the function's own values, or with the classes of its largest probabilities."""
        found = np.asarray(self._function(inputs))
        if self._classes and found.dtype.kind not in "fiub":
            raise ValueError("it answered no probabilities")
        if self._classes:
            require_probabilities(found)
        return answer_of(found, self._classes, len(inputs))


def adapted(model: Any, info: BundleInfo) -> Model:
    """Return the adapter of an object: as an estimator if it has probabilities, else as a function."""
    if hasattr(model, "predict_proba") and info.classes:
        return EstimatorModel(model, info)
    return FunctionModel(getattr(model, "predict", model), info)


def described(model: Any, spec: ModelSpec) -> Description:
    """Describe an object by the attributes that scikit-learn's estimators have; BundleError if it cannot be asked."""
    if not hasattr(model, "predict") and not callable(model):
        raise BundleError(f"{spec.object} is a {type(model).__name__}: it must be callable, or have predict")
    names, count = getattr(model, "feature_names_in_", None), getattr(model, "n_features_in_", 0)
    classes: tuple[Label, ...] = tuple(np.asarray(getattr(model, "classes_", ())).tolist())
    probable = hasattr(model, "predict_proba") or bool(classes)
    takes_matrix = find_spec("pandas") is None or (names is None and count > 0)
    return Description(
        spec=spec,
        columns=(ModelColumn(),) * int(count),
        input="matrix" if takes_matrix else "dataframe",
        names=None if names is None else tuple(map(str, names)),
        class_count=(len(classes) or None) if probable else 0,
        classes=classes,
        may_classify=True,
    )


def made(found: Any) -> Any:
    """Return an object, or what a function without required parameters makes."""
    if not callable(found) or hasattr(found, "predict"):
        return found() if inspect.isclass(found) else found
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # a function of C does not say
        return found
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [p for p in parameters if p.default is p.empty and p.kind not in optional]
    return found if required else found()
