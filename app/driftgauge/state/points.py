"""Points of a writer's way, at which a test may kill it."""

from __future__ import annotations

from typing import Final

POINTS: Final = (
    *("append.reserved", "append.written", "append.committed"),
    *("digest.binned", "digest.blocks", "digest.bucket", "digest.rows", "digest.copied", "digest.checked"),
    *("digest.finished", "counters.copied", "counters.checked", "counters.published"),
)
"""Where a writer may be killed so that a test can tell what is left behind."""


def go_on(point: str) -> None:
    """Pass a point of the protocol as if it were not there."""
