"""The file of a bundle with the importances of its features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from driftgauge.common.schema_errors import explain
from driftgauge.drift.diagnosis.importances import Importances
from driftgauge.errors import BundleError
from driftgauge.models.beside import read_text

IMPORTANCES_FILE: Final = "importances.json"
"""Bundles of earlier versions have none."""
_AGAIN: Final = "create the bundle again with `driftgauge bundle create`, or remove the file"

_Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


class _ImportancesText(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    method: Literal["permutation"]
    metric: Literal["brier", "accuracy", "mean_absolute_error", "score"]
    shares: dict[str, _Share]


def dumps(importances: Importances) -> str:
    """Return the content of the file."""
    content = {
        "schema_version": 1,
        "method": importances.method,
        "metric": importances.metric,
        "shares": dict(importances.shares),
    }
    return json.dumps(content, indent=1) + "\n"


def loads(text: str, features: Sequence[str]) -> Importances:
    """Read the content of the file of a model with these features; BundleError says what is wrong and what to do."""
    try:
        found = _ImportancesText.model_validate_json(text)
    except ValidationError as error:
        raise BundleError(f"the importances are malformed ({explain(error)}): {_AGAIN}") from error
    if set(found.shares) != set(features):
        raise BundleError(f"the importances are those of other features than the model's: {_AGAIN}")
    try:
        return Importances(found.method, found.metric, {name: found.shares[name] for name in features})
    except ValueError as error:
        raise BundleError(f"the importances cannot be used ({error}): {_AGAIN}") from error


def read(folder: Path, features: Sequence[str]) -> Importances | None:
    """Read the importances of a bundle's features; None if its folder has none."""
    return read_text(folder / IMPORTANCES_FILE, lambda text: loads(text, features), _AGAIN)
