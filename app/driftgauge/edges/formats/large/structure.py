"""Counts brackets, commas and quotes of a large body in slices, without parsing it.

A JSON parser holds the interpreter from the first byte to the last, and no other request is served meanwhile. A
`Structure` says how expensive a body is before it is parsed, and where it can be cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

SLICE_BYTES: Final = 131_072
"""Bytes per step, about a millisecond; smaller steps would spend more time on thread switches."""
DEPTH: Final = 1_024
"""Maximum nesting depth, the same as the parser's."""

_QUOTE, _COMMA, _OPENING, _CLOSING = 1, 2, 3, 4
_KINDS: Final = bytes(
    {34: _QUOTE, 44: _COMMA, 91: _OPENING, 123: _OPENING, 93: _CLOSING, 125: _CLOSING}.get(byte, 0)
    for byte in range(256)
)
_STEPS: Final = np.array([0, 0, 0, 1, -1])
"""Change of the depth by kind of mark."""

Endpoints = NDArray[np.int64]


class Opened(NamedTuple):
    """A list or object that is open at some position of a body."""

    member: int
    """Position where its entry begins; inside an object, its key."""
    position: int
    """Position of its bracket."""


class Cut(NamedTuple):
    """A comma at which a body can be cut."""

    position: int
    opened: tuple[Opened, ...]
    """Open lists and objects, outermost first."""


class Structure:
    """The structure of a body that is fed in order.

    It is correct for JSON. For other bodies it may be wrong, but then at least one piece is not JSON either. After a
    bracket that makes the body invalid or too deep, the rest is only counted.
    """

    def __init__(self) -> None:
        self.bytes = 0
        """Number of bytes fed."""
        self.commas = 0
        self.outermost_commas = 0
        """Between the entries of the outermost list or object."""
        self.openings = 0
        """Number of lists and objects."""
        self.deepest = 0
        """Largest nesting depth."""
        self.cuts: list[Cut] = []
        """At most one for each slice, and none inside a single value."""
        self.is_torn = False
        """Whether brackets do not match, or data follows the end; then it is not JSON."""
        self._opened: tuple[Opened, ...] = ()
        self._in_text = False
        self._escaped = False
        """Whether the next byte follows a backslash."""
        self._member = 0
        """Position where the current entry begins."""

    def feed(self, piece: bytes) -> None:
        """Add the next bytes, ideally `SLICE_BYTES` of them."""
        if self.is_torn or self.is_too_deep:
            self.bytes += len(piece)
            return
        kinds, positions = self._marks(piece)
        depths = len(self._opened) + np.cumsum(_STEPS[kinds])
        members = np.concatenate(([self._member], positions[:-1] + 1)) if len(positions) else positions
        commas = np.flatnonzero(kinds == _COMMA)
        self.commas += len(commas)
        self.outermost_commas += int(np.count_nonzero(depths[commas] == 1))
        self.openings += int(np.count_nonzero(kinds == _OPENING))
        self.bytes += len(piece)
        if not len(positions):
            return
        self.deepest = max(self.deepest, int(depths.max()))
        self.is_torn = self.is_torn or bool(depths.min() < 0) or bool((depths[commas] == 0).any())
        if self.is_torn or self.is_too_deep:
            return
        if len(commas):
            # The last of the outermost commas: between rows rather than inside one.
            outermost = depths[commas]
            at = int(commas[np.flatnonzero(outermost == outermost.min())[-1]])
            self.cuts.append(Cut(int(positions[at]), self._left_open(kinds[:at], depths[:at], positions, members)))
        self._opened = self._left_open(kinds, depths, positions, members)
        self._member = int(positions[-1]) + 1

    @property
    def is_too_deep(self) -> bool:
        """Whether lists and objects are nested deeper than allowed."""
        return self.deepest > DEPTH

    def _marks(self, piece: bytes) -> tuple[NDArray[np.intp], Endpoints]:
        """Return the kinds and positions of commas and brackets outside of texts."""
        if self._escaped:
            piece = b"_" + piece[1:]
        if b"\\" in piece:
            piece = piece.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        self._escaped = piece.endswith(b"\\")
        all_kinds = np.frombuffer(piece.translate(_KINDS), dtype=np.uint8)
        positions = np.flatnonzero(all_kinds != 0)  # faster on booleans
        kinds = all_kinds[positions]
        quotes = kinds == _QUOTE
        if self._in_text or quotes.any():
            in_text = np.logical_xor.accumulate(quotes) ^ self._in_text
            if len(in_text):
                self._in_text = bool(in_text[-1])
            outside = ~in_text & ~quotes
            kinds, positions = kinds[outside], positions[outside]
        return kinds.astype(np.intp), positions + self.bytes

    def _left_open(
        self, kinds: NDArray[np.intp], depths: Endpoints, positions: Endpoints, members: Endpoints
    ) -> tuple[Opened, ...]:
        """Return the lists and objects that are open after these marks."""
        brackets = np.flatnonzero(kinds != _COMMA)
        if not len(brackets):
            return self._opened
        depths = depths[brackets]
        lowest = np.minimum.accumulate(depths[::-1])[::-1]  # from here to the end
        stays = brackets[(kinds[brackets] == _OPENING) & (depths <= lowest)]
        kept = self._opened[: min(len(self._opened), int(lowest[0]))]
        return (*kept, *map(Opened, members[stays].tolist(), positions[stays].tolist()))


def survey(body: bytes, check: Callable[[Structure], None] = lambda structure: None) -> Structure:
    """Return the structure of a whole body; `check` is called after each slice and may raise."""
    structure = Structure()
    for first in range(0, len(body), SLICE_BYTES):
        structure.feed(body[first : first + SLICE_BYTES])
        check(structure)
    return structure
