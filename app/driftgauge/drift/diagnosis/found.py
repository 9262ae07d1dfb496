"""A cause that a signature found, and what it explains."""

from __future__ import annotations

from dataclasses import dataclass

from driftgauge.drift.diagnosis.causes import Cause


@dataclass(frozen=True)
class Found:
    """A cause, and the part of the change of its columns that it explains."""

    cause: Cause
    columns: tuple[int, ...]
    """Columns that it explains."""
    explained: float
    """From 0 to 1."""
