"""The evidence of changed errors as JSON text, so that it outlives the process."""

from __future__ import annotations

import base64
import json
from dataclasses import fields, is_dataclass
from typing import Any, Final, Protocol

import numpy as np

from driftgauge.drift.performance.errors import ErrorEvidence
from driftgauge.drift.reference.baseline import Baseline

_VERSION: Final = 1


class MaturedDetector(Protocol):
    """A detector whose state can be kept."""

    @property
    def reference(self) -> Baseline:
        """What rows are compared with."""

    def start(self) -> ErrorEvidence:
        """Return the state before the first row."""


def dumps(state: ErrorEvidence, detector: MaturedDetector) -> str:
    """Return the state of a detector as JSON text."""
    return json.dumps({"version": _VERSION, "reference": detector.reference.hash, "state": _packed(state)})


def loads(text: str, detector: MaturedDetector) -> ErrorEvidence:
    """Return the state that `dumps` wrote; ValueError if it is damaged or of another reference.

    Begin with `detector.start` then.
    """
    try:
        content = json.loads(text)
        if content["version"] != _VERSION or content["reference"] != detector.reference.hash:
            raise ValueError("it is of another version or reference")
        state: ErrorEvidence = _unpacked(content["state"], detector.start())
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the evidence of errors cannot be used ({error}): it begins again") from error
    return state


def _packed(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _packed(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_packed(item) for item in value]
    if isinstance(value, np.ndarray):
        return base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
    return value


def _unpacked(content: Any, like: Any) -> Any:
    """Return a value of the same types and shapes as another."""
    if is_dataclass(like):
        names = [field.name for field in fields(like)]
        return type(like)(**{name: _unpacked(content[name], getattr(like, name)) for name in names})  # type: ignore[misc]
    if isinstance(like, tuple):
        return tuple(_unpacked(own, item) for own, item in zip(content, like, strict=True))
    if isinstance(like, np.ndarray):
        array = np.frombuffer(base64.b64decode(content, validate=True), dtype=like.dtype)
        return array.reshape(like.shape)
    if like is None:  # no time yet
        return None if content is None else float(content)
    return type(like)(content)
