"""The formats by their names; each module, and the library behind it, is imported when a model needs it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

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
    if name in LIBRARIES:
        _require(LIBRARIES[name], name)
    return cast("Format", import_module(f"{__package__}.{name}"))


def distribution_of(spec: ModelSpec) -> tuple[str, ...]:
    """Return the installed distribution of the library that a model needs, if it needs one."""
    module = LIBRARIES.get(spec.format)
    return tuple(packages_distributions().get(module, ())[:1]) if module else ()


def _require(library: str, extra: str) -> None:
    """Import a library; BundleError if it is not installed, or lacks a part of the system."""
    if find_spec(library) is None:
        raise BundleError(f"the model needs {library}, which is not installed: pip install 'driftgauge[{extra}]'")
    try:
        with warnings.catch_warnings(action="ignore"):  # some libraries warn about themselves
            import_module(library)
    except (ImportError, OSError) as error:  # such as LightGBM without the system's OpenMP
        raise BundleError(f"the model needs {library}, which cannot be imported ({error})") from error


def load_from(folder: Path, spec: ModelSpec, trusted: Iterable[str]) -> Any:
    """Load the model of a bundle's folder; BundleError if that is not possible."""
    return format_of(spec.format).load(folder / (spec.file or ""), spec, trusted)


if TYPE_CHECKING:  # whether each module offers what is asked of it
    from driftgauge.models.formats import catboost, lightgbm, mlflow, onnx, python, sklearn, xgboost

    _ESTIMATORS: Format = sklearn
    _OTHERS: tuple[SelfDescribing, ...] = (onnx, xgboost, lightgbm, catboost, python, mlflow)
