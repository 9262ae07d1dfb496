"""The file of a bundle with the attributions of its features on rows of the reference."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from driftgauge.common.schema_errors import explain
from driftgauge.drift.attribution.attributions import Attributions, Method
from driftgauge.errors import BundleError
from driftgauge.models.beside import read_text

ATTRIBUTIONS_FILE: Final = "attributions.json"
"""Bundles of earlier versions, and of models whose rows cannot be explained, have none."""
_AGAIN: Final = "create the bundle again with `driftgauge bundle create`, or remove the file"

_Number = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class _Feature(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: _Number
    spread: _Number
    share_spread: _Number


class _AttributionsText(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    method: Method
    rows: Annotated[int, Field(strict=True, ge=1)]
    features: dict[str, _Feature]


def dumps(own: Attributions) -> str:
    """Return the content of the file."""
    numbers = zip(own.means, own.spreads, own.share_spreads, strict=True)
    features = [{"mean": mean, "spread": spread, "share_spread": share} for mean, spread, share in numbers]
    content = {
        "schema_version": 1,
        "method": own.method,
        "rows": own.rows,
        "features": dict(zip(own.features, features, strict=True)),
    }
    return json.dumps(content, indent=1) + "\n"


def loads(text: str, features: Sequence[str]) -> Attributions:
    """Read the content of the file of a model with these features; BundleError says what is wrong and what to do."""
    try:
        found = _AttributionsText.model_validate_json(text)
    except ValidationError as error:
        raise BundleError(f"the attributions are malformed ({explain(error)}): {_AGAIN}") from error
    if set(found.features) != set(features):
        raise BundleError(f"the attributions are those of other features than the model's: {_AGAIN}")
    own = [found.features[name] for name in features]
    return Attributions(
        found.method,
        found.rows,
        tuple(features),
        tuple(one.mean for one in own),
        tuple(one.spread for one in own),
        tuple(one.share_spread for one in own),
    )


def read(folder: Path, features: Sequence[str]) -> Attributions | None:
    """Read the attributions of a bundle's features; None if its folder has none."""
    return read_text(folder / ATTRIBUTIONS_FILE, lambda text: loads(text, features), _AGAIN)
