"""Large bodies on the event loop: surveyed a slice at a time, and refused before anything is parsed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from app.edges.formats.structure import SLICE_BYTES, Structure

SURVEYED_BYTES: Final = 65_536
"""Bodies up to this size are parsed at once: it takes a millisecond or so."""
TURN_SECONDS: Final = 0.001
"""How long all surveys together hold the event loop before others have their turn."""


class Surveys:
    """Surveys of the bodies of a server, which share its event loop."""

    def __init__(self) -> None:
        self._going_on = 0

    async def survey(self, body: bytes, check: Callable[[Structure], None]) -> Structure:
        """Return the structure of a body, of which `check` may raise at any time."""
        structure = Structure()
        self._going_on += 1
        try:
            began = time.perf_counter()
            for first in range(0, len(body), SLICE_BYTES):
                structure.feed(body[first : first + SLICE_BYTES])
                check(structure)
                if time.perf_counter() - began > TURN_SECONDS / self._going_on:
                    await asyncio.sleep(0)
                    began = time.perf_counter()
        finally:
            self._going_on -= 1
        return structure
