"""The file of a bundle that keeps what is known of its held-out rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from driftgauge.common.schema_errors import explain
from driftgauge.drift.performance.error_model import DEPTH, TREES, ErrorModel, Tree
from driftgauge.drift.performance.errors import ERROR_COLUMNS
from driftgauge.drift.performance.estimated import CALIBRATION_BINS, Calibration
from driftgauge.drift.performance.held_out import HeldOut
from driftgauge.drift.reference.baseline import dumps as baseline_text
from driftgauge.errors import BaselineError, BundleError
from driftgauge.models import baseline_file
from driftgauge.models.beside import read_text

HELD_OUT_FILE: Final = "held_out.json"
"""Bundles without an evaluation table, and of earlier versions, have none."""
_AGAIN: Final = "create the bundle again with `driftgauge bundle create --evaluation`"
_MOST_NUMBERS: Final = 1 << 16

_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Count = Annotated[int, Field(strict=True, ge=0, le=1 << 53)]
_Numbers = Annotated[tuple[_Number, ...], Field(max_length=_MOST_NUMBERS)]
_Counts = Annotated[tuple[_Count, ...], Field(max_length=2 * CALIBRATION_BINS)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _CalibrationText(_Part):
    edges: _Numbers
    rows: _Counts
    hits: _Counts
    answered: _Counts
    binary: Annotated[bool, Field(strict=True)]

    def built(self) -> Calibration:
        return Calibration(**dict(self))


class _TreeText(_Part):
    columns: Annotated[tuple[Annotated[int, Field(strict=True, ge=0, le=1 << 20)], ...], Field(max_length=DEPTH)]
    thresholds: Annotated[tuple[_Number | None, ...], Field(max_length=DEPTH)]
    """None asks whether the value is known: JSON has no -inf."""
    values: _Numbers

    def built(self) -> Tree:
        thresholds = tuple(-float("inf") if own is None else own for own in self.thresholds)
        return Tree(self.columns, thresholds, self.values)


class _ErrorModelText(_Part):
    intercept: _Number
    trees: Annotated[tuple[_TreeText, ...], Field(max_length=TREES)]
    categories: dict[Annotated[int, Field(ge=0, le=1 << 20)], _Numbers]

    def built(self) -> ErrorModel:
        return ErrorModel(self.intercept, tuple(tree.built() for tree in self.trees), self.categories)


class _HeldOutText(_Part):
    schema_version: Literal[1]
    calibration: _CalibrationText | None
    error_model: _ErrorModelText | None
    errors: dict[str, Any]

    def built(self) -> HeldOut:
        errors = baseline_file.loads(json.dumps(self.errors))
        if errors.names != ERROR_COLUMNS:
            raise ValueError(f"errors of the columns {', '.join(errors.names)}")
        calibration = None if self.calibration is None else self.calibration.built()
        return HeldOut(errors, calibration, None if self.error_model is None else self.error_model.built())


def dumps(held_out: HeldOut) -> str:
    """Return the content of the file."""
    calibration, model = held_out.calibration, held_out.error_model
    content = {
        "schema_version": 1,
        "calibration": None if calibration is None else _fields(calibration),
        "error_model": None
        if model is None
        else {
            "intercept": model.intercept,
            "trees": [_tree(tree) for tree in model.trees],
            "categories": {str(column): list(numbers) for column, numbers in model.categories.items()},
        },
        "errors": json.loads(baseline_text(held_out.errors)),
    }
    return json.dumps(content) + "\n"


def _fields(calibration: Calibration) -> dict[str, Any]:
    return {name: getattr(calibration, name) for name in ("edges", "rows", "hits", "answered", "binary")}


def _tree(tree: Tree) -> dict[str, Any]:
    thresholds = [None if own == -float("inf") else own for own in tree.thresholds]
    return {"columns": tree.columns, "thresholds": thresholds, "values": tree.values}


def loads(text: str) -> HeldOut:
    """Read the content of the file; BundleError says what is wrong and what to do."""
    try:
        return _HeldOutText.model_validate_json(text).built()
    except ValidationError as error:
        raise BundleError(f"what is kept of the held-out rows is malformed ({explain(error)}): {_AGAIN}") from error
    except (BaselineError, ValueError) as error:
        raise BundleError(f"what is kept of the held-out rows cannot be used ({error}): {_AGAIN}") from error


def read(folder: Path) -> HeldOut | None:
    """Read what a bundle's folder keeps of its held-out rows; None if it keeps nothing."""
    return read_text(folder / HELD_OUT_FILE, loads, _AGAIN)
