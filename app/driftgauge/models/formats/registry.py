"""The formats by their names; each module, and the library behind it, is imported when a model needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from driftgauge.errors import BundleError
from driftgauge.models.formats.spec import FormatName, ModelSpec

if TYPE_CHECKING:
    from driftgauge.models.bundle import BundleInfo
    from driftgauge.models.formats.answer import Model
    from driftgauge.models.formats.description import Description

LIBRARIES: Final[dict[FormatName, str]] = {
    "onnx": "onnxruntime",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "mlflow": "mlflow",
}
"""The module that a format needs beyond Driftgauge's own dependencies; its extra has the format's name."""


class Format(Protocol):
    """What the module of a format offers."""

    def load(self, path: Path, spec: ModelSpec, trusted: Iterable[str]) -> Any:
        """Load the library's own object from its file or folder; BundleError if that is not possible.

        `trusted` names what the operator trusts beyond the format's own rules.
        """

    def adapted(self, model: Any, info: BundleInfo) -> Model:
        """Return the adapter of a loaded object."""


class SelfDescribing(Format, Protocol):
    """A format whose files say enough about the model to make a bundle; estimators of scikit-learn are examined."""

    def described(self, model: Any, spec: ModelSpec) -> Description:
        """Return what a loaded object says about itself; BundleError if it cannot be served."""


def format_of(name: FormatName) -> Format:
    """Return a format; BundleError names the extra that is not installed."""
    needed = LIBRARIES.get(name)
    if needed is not None and find_spec(needed) is None:
        raise BundleError(f"the model needs {needed}, which is not installed: pip install 'driftgauge[{name}]'")
    return _FORMATS[name]()


def distribution_of(spec: ModelSpec) -> tuple[str, ...]:
    """Return the installed distribution of the library that a model needs, if it needs one."""
    module = LIBRARIES.get(spec.format)
    return tuple(packages_distributions().get(module, ())[:1]) if module else ()


def load_from(folder: Path, spec: ModelSpec, trusted: Iterable[str]) -> Any:
    """Load the model of a bundle's folder; BundleError if that is not possible."""
    return format_of(spec.format).load(folder / (spec.file or ""), spec, trusted)


def _sklearn() -> Format:
    from driftgauge.models.formats import sklearn

    return sklearn


def _onnx() -> Format:
    from driftgauge.models.formats import onnx

    return onnx


def _xgboost() -> Format:
    from driftgauge.models.formats import xgboost

    return xgboost


def _lightgbm() -> Format:
    from driftgauge.models.formats import lightgbm

    return lightgbm


def _catboost() -> Format:
    from driftgauge.models.formats import catboost

    return catboost


def _python() -> Format:
    from driftgauge.models.formats import python

    return python


def _mlflow() -> Format:
    from driftgauge.models.formats import mlflow

    return mlflow


_FORMATS: Final[dict[FormatName, Callable[[], Format]]] = {
    "sklearn": _sklearn,
    "onnx": _onnx,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
    "python": _python,
    "mlflow": _mlflow,
}
