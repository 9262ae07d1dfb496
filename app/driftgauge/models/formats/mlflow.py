"""Models that MLflow saved, loaded as pyfunc only if the operator trusts their pickles."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from driftgauge.errors import BundleError
from driftgauge.models.formats import imported
from driftgauge.models.formats.answer import Model
from driftgauge.models.formats.description import Description, ModelColumn
from driftgauge.models.formats.files import reading
from driftgauge.models.formats.spec import ModelSpec
from driftgauge.models.model_file import UntrustedTypes

if TYPE_CHECKING:
    from driftgauge.models.bundle import BundleInfo

TRUSTED_AS: Final = "mlflow.pyfunc"
"""How the operator trusts the models of MLflow."""
_DTYPES: Final[Mapping[str, str]] = {
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "boolean": "bool",
}
"""The dtype of a column by its type in a signature."""


_TELEMETRY_OFF: Final = "MLFLOW_DISABLE_TELEMETRY"
"""The variable that keeps MLflow from reporting its use."""
_SCHEMES: Final = ("models:/", "runs:/")
_DESCRIPTION: Final = "MLmodel"


# ---------------------------------------------------------------- loading


def is_model(place: str | Path) -> bool:
    """Return whether a place is a model of MLflow: an address in a registry or run, or a folder with `MLmodel`."""
    return str(place).startswith(_SCHEMES) or (Path(place) / _DESCRIPTION).is_file()


def local_folder(place: str) -> Path:
    """Return a model's folder, fetched from its registry if it is there; BundleError if it cannot be fetched."""
    if not place.startswith(_SCHEMES):
        return Path(place)
    os.environ.setdefault(_TELEMETRY_OFF, "true")
    with reading(Path(place), "mlflow"), warnings.catch_warnings(action="ignore"):
        import mlflow.artifacts
    try:
        with warnings.catch_warnings(action="ignore"):
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=place))
    except Exception as error:  # MLflow and its stores raise anything
        said = next(iter(str(error).strip().splitlines()), "")[:200]
        raise BundleError(
            f'cannot fetch the model {place} ({type(error).__name__}: "{said}"): check the address, and that MLflow '
            "answers at MLFLOW_TRACKING_URI"
        ) from error


def load(path: Path, spec: ModelSpec, trusted: Iterable[str]) -> Any:
    """Load a model as pyfunc; BundleError if the operator does not trust it, or MLflow cannot load it."""
    if TRUSTED_AS not in set(trusted):
        raise UntrustedTypes(f"{path}, a model of MLflow and probably a pickle,", [TRUSTED_AS])
    with reading(path, "mlflow"), warnings.catch_warnings(action="ignore"):  # MLflow warns about itself
        os.environ.setdefault(_TELEMETRY_OFF, "true")
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(str(path), suppress_warnings=True)


def _own(model: Any) -> Any:
    """Return the estimator inside a model if it has probabilities, else the model itself."""
    try:
        raw = model.get_raw_model()
    except NotImplementedError:  # a PythonModel
        return model
    return raw if hasattr(raw, "predict_proba") else model


# ---------------------------------------------------------------- description


def described(model: Any, spec: ModelSpec) -> Description:
    """Describe a model by its signature, and by its estimator if it has one."""
    found = imported.described(_own(model), spec)
    schema = model.metadata.get_input_schema()
    if schema is None:
        return found
    if schema.is_tensor_spec():
        shapes = [tuple(given.shape) for given in schema.inputs]
        if len(shapes) != 1 or len(shapes[0]) != 2:
            raise BundleError(f"the model takes tensors of the shapes {shapes}, and rows are one matrix")
        return Description(
            found.spec, (ModelColumn(),) * max(shapes[0][1], 0), "matrix", None, found.class_count, found.classes, True
        )
    columns = tuple(_columns(schema))
    names = tuple(str(name) for name in schema.input_names())
    return Description(found.spec, columns, "dataframe", names, found.class_count, found.classes, True)


def _columns(schema: Any) -> Iterator[ModelColumn]:
    """Yield the columns of a signature; BundleError for one that is neither a number nor a text."""
    for given in schema.inputs:
        kind = getattr(given.type, "name", str(given.type))
        if kind not in (*_DTYPES, "string"):
            raise BundleError(f"{given.name}: the model takes a {kind}, and rows are numbers and texts")
        yield ModelColumn(is_text=kind == "string", dtype=_DTYPES.get(kind))


# ---------------------------------------------------------------- prediction


def adapted(model: Any, info: BundleInfo) -> Model:
    """Return the adapter of a model: of its estimator if it has probabilities, else of pyfunc."""
    return imported.adapted(_own(model), info)
