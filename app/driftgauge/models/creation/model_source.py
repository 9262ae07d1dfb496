"""Finding a model: a file, a folder, an import string or an object, and the format that it has."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

from pydantic import ValidationError

from driftgauge.common.safe_files import open_bounded
from driftgauge.errors import BundleError
from driftgauge.models.creation.estimator import classes_of
from driftgauge.models.creation.foreign import ForeignModel
from driftgauge.models.formats import python
from driftgauge.models.formats.files import MOST_BYTES
from driftgauge.models.formats.mlflow import TRUSTED_AS, is_model, local_folder
from driftgauge.models.formats.python import PREFIX
from driftgauge.models.formats.registry import SelfDescribing, format_of
from driftgauge.models.formats.spec import FormatName, ModelSpec, OutputRole
from driftgauge.models.model_file import load_model

_HEAD_BYTES: Final = 64
FILES: Final[Mapping[FormatName, str]] = {
    "onnx": "model.onnx",
    "xgboost": "model.ubj",
    "lightgbm": "model.txt",
    "catboost": "model.cbm",
    "mlflow": "model",
}
"""Name of the model in a bundle, by format."""
_OBJECTS: Final[Mapping[tuple[str, str], FormatName]] = {
    ("xgboost", "Booster"): "xgboost",
    ("lightgbm", "Booster"): "lightgbm",
    ("catboost", "CatBoost"): "catboost",
    ("catboost", "CatBoostClassifier"): "catboost",
    ("catboost", "CatBoostRegressor"): "catboost",
}
"""Objects in memory that are saved in their library's format, by package and class."""


@dataclass(frozen=True)
class ModelSource:
    """What a bundle is made from: an estimator, or the place of a model; and what the user states about it."""

    given: Any
    trusted_types: tuple[str, ...] = ()
    onnx_outputs: Mapping[str, str] | None = None
    trust_pickle: bool = False
    """Whether a model of MLflow may be loaded."""

    def load(self) -> Any:
        """Return a fitted estimator, or a ForeignModel; BundleError if there is none."""
        if not isinstance(self.given, str | Path):
            kind = type(self.given)
            own = _OBJECTS.get((kind.__module__.partition(".")[0], kind.__name__))
            return _estimator(_copied(self.given)) if own is None else self._saved(own)
        if str(self.given).startswith(PREFIX):
            return self._imported(str(self.given).removeprefix(PREFIX))
        if is_model(self.given):
            return self._of_mlflow()
        path = Path(self.given)
        name = _format_of_file(path)
        if name == "sklearn":
            return _estimator(load_model(path, self.trusted_types))
        return self._foreign(name, path)

    @property
    def trusted(self) -> tuple[str, ...]:
        """What the bundle may load: the trusted types, and what the user named as the model."""
        given = str(self.given) if isinstance(self.given, str | Path) else ""
        return (
            *self.trusted_types,
            *([given] if given.startswith(PREFIX) else []),
            *([TRUSTED_AS] if self.trust_pickle else []),
        )

    def _imported(self, name: str) -> ForeignModel:
        """Import an object that the user names."""
        try:
            spec = ModelSpec(format="python", file=None, object=name)
        except ValidationError as error:
            raise BundleError(f"python:{name}: write python:MODULE:OBJECT") from error
        model = python.load(Path(), spec, self.trusted)
        description = python.described(model, spec)
        return ForeignModel(model, description, _no_file, description.classes)

    def _of_mlflow(self) -> ForeignModel:
        """Load a model of MLflow from a folder or a registry."""
        if not self.trust_pickle:
            raise BundleError(
                f"{self.given} is a model of MLflow, which is a pickle in most cases. Loading one can run any code. If "
                "you made it yourself, or trust who did: --trust-pickle"
            )
        format_of("mlflow")  # names its extra if it is not installed
        return self._foreign("mlflow", local_folder(str(self.given)))

    def _saved(self, name: FormatName) -> ForeignModel:
        """Save an object in its library's format, and load it from there."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / FILES[name]
            try:
                self.given.save_model(str(path))
            except Exception as error:  # of a model that is not fitted
                raise BundleError(f"the model cannot be saved ({type(error).__name__}: {error})") from error
            content = path.read_bytes()
            return replace(self._foreign(name, path), saved=lambda to: _write(content, to))

    def _foreign(self, name: FormatName, path: Path) -> ForeignModel:
        outputs = cast("Mapping[OutputRole, str]", {role: output for output, role in (self.onnx_outputs or {}).items()})
        file = "model.json" if name == "xgboost" and path.suffix == ".json" else FILES[name]
        spec = ModelSpec(format=name, file=file, outputs=outputs)
        described = cast("SelfDescribing", format_of(name))
        model = described.load(path, spec, self.trusted)
        description = described.described(model, spec)
        return ForeignModel(model, description, lambda to: _copy(path, to), description.classes)


def _estimator(model: Any) -> Any:
    """Return an estimator; BundleError unless it is fitted."""
    classes_of(model)
    return model


def _copied(estimator: Any) -> Any:
    """Return a copy: the bundle's model forgets its feature names, the caller's must not."""
    try:
        return copy.deepcopy(estimator)
    except Exception as error:  # a part may raise anything when it is copied
        raise BundleError(
            f"the estimator cannot be copied ({type(error).__name__}), so it cannot be saved: leave out or replace the "
            "part that holds open files, locks, generators or the like"
        ) from error


def _format_of_file(path: Path) -> FormatName:
    """Return the format of a model file by its first bytes, and by its name where they do not tell."""
    try:
        with open_bounded(path, MOST_BYTES) as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise BundleError(f"cannot read the model {path}: {error.strerror or error}") from error
    if path.suffix == ".onnx" and head[:1] == b"\x08":  # the first field of every ONNX model: its version
        return "onnx"
    if head.startswith(b"CBM1"):
        return "catboost"
    if head.startswith(b"tree\n"):
        return "lightgbm"
    if head.startswith(b"{") and b"learner" in head:
        return "xgboost"
    return "sklearn"  # which refuses any other file


def _write(content: bytes, to: Path) -> None:
    to.write_bytes(content)


def _copy(path: Path, to: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, to)
    else:
        shutil.copyfile(path, to)


def _no_file(to: Path) -> None:
    raise BundleError(f"an imported model has no file at {to}")
