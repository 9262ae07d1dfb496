"""Large bodies on the event loop: surveyed a slice at a time, and refused before anything is parsed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from app.edges.formats.structure import SLICE_BYTES, Structure

SURVEYED_BYTES: Final = 65_536
"""Bodies up to this size are parsed at once: it takes a millisecond or so."""


async def surveyed(body: bytes, check: Callable[[Structure], None]) -> Structure:
    """Return the structure of a body, of which `check` may raise at any time; others have their turns meanwhile."""
    structure = Structure()
    for first in range(0, len(body), SLICE_BYTES):
        structure.feed(body[first : first + SLICE_BYTES])
        check(structure)
        await asyncio.sleep(0)
    return structure
