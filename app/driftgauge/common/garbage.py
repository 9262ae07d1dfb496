"""Garbage: work that makes many objects at once, all of them freed without Python's search for cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """Search for no cycles meanwhile: with thousands of objects in the making that takes longer than making them.

    Threads may be in it at the same time; the search is on again once the first of them has left.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
