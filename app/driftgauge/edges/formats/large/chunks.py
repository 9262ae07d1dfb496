"""Processes long lists in parts, because a call into C blocks other threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

CHUNK: Final = 32_768
"""Values per part, a millisecond at most."""


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield values in parts of at most `CHUNK`."""
    if len(values) <= CHUNK:
        yield values
        return
    for first in range(0, len(values), CHUNK):
        yield values[first : first + CHUNK]


def joined(lists: Sequence[Sequence[Any]], width: int) -> list[Any]:
    """Return the concatenated values of lists of equal width."""
    if len(lists) * width <= CHUNK:
        return list(chain.from_iterable(lists))
    values: list[Any] = []
    step = max(1, CHUNK // width)
    for first in range(0, len(lists), step):
        values.extend(chain.from_iterable(lists[first : first + step]))
    return values
