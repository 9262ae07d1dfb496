"""The file of a bundle with the importances of its features."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from driftgauge.common.safe_files import read_bounded
from driftgauge.common.schema_errors import explain
from driftgauge.drift.diagnosis.importances import Importances
from driftgauge.errors import BundleError

IMPORTANCES_FILE: Final = "importances.json"
"""Bundles of earlier versions have none."""
MOST_BYTES: Final = 64 << 20
"""Largest file that is read."""
SUM_TOLERANCE: Final = 1e-6
_AGAIN: Final = "create the bundle again with `driftgauge bundle create`, or remove the file"

_Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


class _ImportancesText(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    method: Literal["permutation"]
    metric: Literal["brier", "accuracy", "mean_absolute_error", "score"]
    shares: dict[str, _Share]

    @field_validator("shares")
    @classmethod
    def _sum_is_one(cls, shares: dict[str, float]) -> dict[str, float]:
        if abs(math.fsum(shares.values()) - 1.0) > SUM_TOLERANCE:
            raise ValueError(f"their sum is {math.fsum(shares.values()):g}, and not 1")
        return shares


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
    return Importances(found.method, found.metric, {name: found.shares[name] for name in features})


def read(folder: Path, features: Sequence[str]) -> Importances | None:
    """Read the importances of a bundle's features; None if its folder has none."""
    path = folder / IMPORTANCES_FILE
    try:
        return loads(read_bounded(path, MOST_BYTES).decode("utf-8"), features)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"cannot read {path} ({error}): {_AGAIN}") from error
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error
