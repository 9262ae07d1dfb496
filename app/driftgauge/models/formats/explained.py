"""What each feature contributes to a model's answers, as the library that made the model says it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np

from driftgauge.drift.attribution.attributions import Method
from driftgauge.drift.bins import FloatArray

_LINEAR: Final = ("sklearn.linear_model.", "sklearn.discriminant_analysis.")
_KEEPING: Final = frozenset({"StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "SimpleImputer"})
"""Steps of a pipeline that change each column by itself."""


@dataclass(frozen=True)
class Explained:
    """Contributions of the features to answers before their link, such as log-odds."""

    method: Method
    contributions: Callable[[Any], FloatArray]
    """Takes what the model is given; returns shape [n, outputs, features]."""
    is_centred: bool = True
    """Whether contributions are those against an average row; else those of such a row are to be subtracted."""


@runtime_checkable
class Explainable(Protocol):
    """The adapter of a model that may be explained."""

    def explained(self) -> Explained | None:
        """Return how it is explained; None if its library does not say what a feature contributes."""


def without_bias(found: Any, rows: int, features: int) -> FloatArray:
    """Return contributions without the last of each output, which belongs to no feature."""
    return np.asarray(found, dtype=np.float64).reshape(rows, -1, features + 1)[:, :, :-1]


def booster_contributions(booster: Any, iterations: tuple[int, int], inputs: Any) -> FloatArray:
    """Return the contributions that a booster of XGBoost states, on one thread."""
    import xgboost

    types = None if hasattr(inputs, "dtypes") else booster.feature_types
    matrix = xgboost.DMatrix(inputs, nthread=1, feature_types=types, enable_categorical=True)
    options = {"iteration_range": iterations, "pred_contribs": True, "validate_features": False}
    return without_bias(booster.predict(matrix, **options), len(inputs), booster.num_features())


def of_estimator(model: Any) -> Explained | None:
    """Return how an estimator with scikit-learn's interface is explained."""
    steps = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
    first, last = steps[:-1], steps[-1]
    if not all(type(step).__name__ in _KEEPING for step in first) or _adds_columns(first):
        return None

    def prepared(inputs: Any) -> Any:
        for step in first:
            inputs = step.transform(inputs)
        return inputs

    found = _of_last(last)
    if found is None or not first:
        return found
    return Explained(found.method, lambda inputs: found.contributions(prepared(inputs)), found.is_centred)


def _adds_columns(steps: list[Any]) -> bool:
    """Return whether a step leaves columns out, or adds some."""
    return any(getattr(step, "add_indicator", False) or _drops(step) for step in steps)


def _drops(step: Any) -> bool:
    statistics = getattr(step, "statistics_", None)  # an imputer drops a column without any value
    return statistics is not None and any(own != own for own in np.asarray(statistics, dtype=object).tolist())


def _of_last(model: Any) -> Explained | None:
    module = f"{type(model).__module__}."
    if module.startswith(_LINEAR) and isinstance(getattr(model, "coef_", None), np.ndarray):
        coefficients = np.atleast_2d(model.coef_)
        return Explained("linear", lambda inputs: coefficients * np.asarray(inputs)[:, None, :], is_centred=False)
    if module.startswith("lightgbm.") and hasattr(model, "booster_"):
        count = int(model.n_features_in_)
        return Explained(
            "tree_shap",
            lambda inputs: without_bias(model.predict(inputs, pred_contrib=True, num_threads=1), len(inputs), count),
        )
    if module.startswith("xgboost.") and hasattr(model, "get_booster"):
        booster = model.get_booster()
        best = booster.attributes().get("best_iteration")
        iterations = (0, 0 if best is None else int(best) + 1)
        return Explained("tree_shap", lambda inputs: booster_contributions(booster, iterations, inputs))
    return None
