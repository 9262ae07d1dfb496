"""How hard a property test tries: all its examples in `make test-all`, a part of them in `make test`."""

from __future__ import annotations

from hypothesis import settings

USUAL = 100
"""Examples of a test that asks for no number of its own, with every example."""


def examples(count: int) -> int:
    """Return how many of a test's examples the profile in force runs, at least five."""
    return max(count * settings().max_examples // USUAL, min(count, 5))
