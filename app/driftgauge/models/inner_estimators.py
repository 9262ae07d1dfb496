"""The estimators inside an estimator, and the feature names that they keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

_LIBRARIES: Final = ("sklearn.", "lightgbm.sklearn", "xgboost.sklearn")
"""Libraries whose estimators are searched for inner estimators."""


def strip_feature_names(model: Any) -> Any:
    """Remove the feature names of an estimator, so that it accepts a matrix without a warning."""
    for part in parts(model):
        vars(part).pop("feature_names_in_", None)
        if "_fitted_with_feature_names" in vars(part):  # LightGBM's own mark of feature names
            part._fitted_with_feature_names = False
    return model


def parts(model: Any) -> Iterator[Any]:
    """Yield an estimator and its inner ones: steps, members of an ensemble, encoders."""
    return _parts(model, set())


def _parts(value: Any, seen: set[int]) -> Iterator[Any]:
    if id(value) in seen:
        return
    seen.add(id(value))
    inner: Iterable[Any] = ()
    if isinstance(value, list | tuple):
        inner = value
    elif isinstance(value, dict):
        inner = list(value.values())
    elif type(value).__module__.startswith(_LIBRARIES) and hasattr(value, "__dict__"):
        inner = list(vars(value).values())
        yield value
    for part in inner:
        yield from _parts(part, seen)
