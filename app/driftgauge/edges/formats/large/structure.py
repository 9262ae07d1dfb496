"""The brackets, commas and quotes of a large body, looked at a slice at a time without parsing it.

A JSON parser holds the interpreter from the first byte to the last, so nobody else is served
meanwhile. A `Structure` says what a body would cost before it is parsed, and where it can be cut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

SLICE_BYTES: Final = 131_072
"""What is looked at, and parsed, at once: a millisecond or so. With less, threads that change would take longer."""
DEPTH: Final = 1_024
"""How many lists and objects may be in each other: as many as the parser takes."""

_QUOTE, _COMMA, _OPENING, _CLOSING = 1, 2, 3, 4
_KINDS: Final = bytes(
    {34: _QUOTE, 44: _COMMA, 91: _OPENING, 123: _OPENING, 93: _CLOSING, 125: _CLOSING}.get(byte, 0)
    for byte in range(256)
)
_STEPS: Final = np.array([0, 0, 0, 1, -1])
"""What a mark does to the depth, by its kind."""

Endpoints = NDArray[np.int64]


class Opened(NamedTuple):
    """A list or an object that is open somewhere in a body."""

    member: int
    """Where its entry begins: in an object, its key."""
    place: int
    """Of its bracket."""


class Cut(NamedTuple):
    """A comma at which a body can be cut."""

    place: int
    opened: tuple[Opened, ...]
    """What is open there, outermost first."""


class Structure:
    """What brackets, commas and quotes say of a body that is fed in order.

    What it finds holds for JSON. A body that is not JSON may be taken for anything, but its pieces
    are then not all JSON either. Behind a bracket that makes it no JSON, or too deep, nothing is
    looked at any more.
    """

    def __init__(self) -> None:
        self.bytes = 0
        """How many were fed."""
        self.commas = 0
        self.openings = 0
        """Lists and objects that begin."""
        self.deepest = 0
        """How many of them are in each other at most."""
        self.cuts: list[Cut] = []
        """At most one in a slice, and none in what is one value."""
        self.is_torn = False
        """Whether a bracket closes what was not opened, or something follows the end: then it is no JSON."""
        self._opened: tuple[Opened, ...] = ()
        self._in_text = False
        self._escaped = False
        """Whether the next byte stands behind a backslash."""
        self._member = 0
        """Where the entry begins that is not over yet."""

    def feed(self, piece: bytes) -> None:
        """Look at the next bytes, best `SLICE_BYTES` of them."""
        if self.is_torn or self.is_too_deep:
            self.bytes += len(piece)
            return
        kinds, places = self._marks(piece)
        depths = len(self._opened) + np.cumsum(_STEPS[kinds])
        members = np.concatenate(([self._member], places[:-1] + 1)) if len(places) else places
        commas = np.flatnonzero(kinds == _COMMA)
        self.commas += len(commas)
        self.openings += int(np.count_nonzero(kinds == _OPENING))
        self.bytes += len(piece)
        if not len(places):
            return
        self.deepest = max(self.deepest, int(depths.max()))
        self.is_torn = self.is_torn or bool(depths.min() < 0) or bool((depths[commas] == 0).any())
        if self.is_torn or self.is_too_deep:
            return
        if len(commas):
            # The last one of those that are least deep: between rows, rather than inside of one.
            outermost = depths[commas]
            at = int(commas[np.flatnonzero(outermost == outermost.min())[-1]])
            self.cuts.append(Cut(int(places[at]), self._left_open(kinds[:at], depths[:at], places, members)))
        self._opened = self._left_open(kinds, depths, places, members)
        self._member = int(places[-1]) + 1

    @property
    def is_too_deep(self) -> bool:
        """Whether more lists and objects are in each other than may be."""
        return self.deepest > DEPTH

    def _marks(self, piece: bytes) -> tuple[NDArray[np.intp], Endpoints]:
        """Return the kinds and places of the commas and brackets that are not in a text."""
        if self._escaped:
            piece = b"_" + piece[1:]
        if b"\\" in piece:
            piece = piece.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        self._escaped = piece.endswith(b"\\")
        all_kinds = np.frombuffer(piece.translate(_KINDS), dtype=np.uint8)
        places = np.flatnonzero(all_kinds != 0)  # of booleans it is quicker
        kinds = all_kinds[places]
        quotes = kinds == _QUOTE
        if self._in_text or quotes.any():
            in_text = np.logical_xor.accumulate(quotes) ^ self._in_text
            if len(in_text):
                self._in_text = bool(in_text[-1])
            outside = ~in_text & ~quotes
            kinds, places = kinds[outside], places[outside]
        return kinds.astype(np.intp), places + self.bytes

    def _left_open(
        self, kinds: NDArray[np.intp], depths: Endpoints, places: Endpoints, members: Endpoints
    ) -> tuple[Opened, ...]:
        """Return what is open behind these marks."""
        brackets = np.flatnonzero(kinds != _COMMA)
        if not len(brackets):
            return self._opened
        depths = depths[brackets]
        lowest = np.minimum.accumulate(depths[::-1])[::-1]  # from here to the end
        stays = brackets[(kinds[brackets] == _OPENING) & (depths <= lowest)]
        kept = self._opened[: min(len(self._opened), int(lowest[0]))]
        return (*kept, *map(Opened, members[stays].tolist(), places[stays].tolist()))


def survey(body: bytes, check: Callable[[Structure], None] = lambda structure: None) -> Structure:
    """Return the structure of a whole body, unless `check` raises on what is known of it after a slice."""
    structure = Structure()
    for first in range(0, len(body), SLICE_BYTES):
        structure.feed(body[first : first + SLICE_BYTES])
        check(structure)
    return structure
