"""The entry `model` of `bundle.json`: the format of the model, and where it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

FormatName = Literal["sklearn", "onnx", "xgboost", "lightgbm", "catboost", "python", "mlflow"]
OutputRole = Literal["label", "probabilities", "value"]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=128)]
ImportString = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$", max_length=300)]
"""MODULE:OBJECT, as gunicorn and uvicorn spell it."""

SKOPS_FILE: Final = "model.skops"


class ModelSpec(BaseModel):
    """The format of a bundle's model, and where it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: FormatName = "sklearn"
    file: FileName | None = SKOPS_FILE
    """Name of the model's file or folder in the bundle; None if it is imported."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """Hash of the file, of formats whose libraries crash on a damaged one."""
    object: ImportString | None = None
    """The imported object, of the format `python`."""
    outputs: Mapping[OutputRole, str] = {}
    """Names of an ONNX model's outputs: label and probabilities of a classifier, or the value of a regression."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> ModelSpec:
        if (self.object is None) == (self.file is None) or (self.object is not None) != (self.format == "python"):
            raise ValueError("a model is either a file of the bundle, or an object of the format python")
        return self
