"""Parses a large JSON body in pieces, with the same result as parsing it at once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import orjson

from driftgauge.edges.formats.large.structure import DEPTH, Cut, Opened, Structure
from driftgauge.errors import DriftgaugeError

TOO_DEEP: Final = f"lists and objects are nested more than {DEPTH:,} deep"


class NotJson(DriftgaugeError, ValueError):
    """A body that is not JSON; the message says where."""


class _Seams:
    """Prefix and suffix that make a piece valid JSON: its open brackets, and placeholder entries for the rest.

    The parser itself then finds an extra or missing comma at a cut. The placeholders have random keys that a body
    cannot contain.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        random_key = secrets.token_hex(16)
        self.before: Final = f"{random_key}-"
        self.behind: Final = f"{random_key}+"

    def is_list(self, opened: Opened) -> bool:
        """Say whether an open bracket is a list rather than an object."""
        return self._body[opened.position] == ord("[")

    def prefix(self, opened: Sequence[Opened]) -> bytes:
        """Return the opening brackets, followed by a placeholder."""
        texts = ["[" if self.is_list(own) else f'{{"{self.before}":' for own in opened]
        return ("".join(texts) + "0,").encode() if texts else b""

    def suffix(self, opened: Sequence[Opened]) -> bytes:
        """Return the closing brackets, preceded by a placeholder."""
        if not opened:
            return b""
        entry = ",0" if self.is_list(opened[-1]) else f',"{self.behind}":0'
        return (entry + "".join("]" if self.is_list(own) else "}" for own in reversed(opened))).encode()

    def key(self, opened: Opened) -> str:
        """Return the key of a list or object inside an object."""
        entry: dict[str, int] = orjson.loads(b"{" + self._body[opened.member : opened.position] + b"0}")
        return next(iter(entry))


class _Whole:
    """The value parsed so far."""

    def __init__(self, seams: _Seams) -> None:
        self._seams = seams
        self.value: Any = None
        self._open: list[Any] = []
        """Its open lists and objects, outermost first."""

    def add(self, value: Any, before: Sequence[Opened], behind: Sequence[Opened], kept: int) -> None:
        """Add a piece's value, given what is open before and behind it; the first `kept` are the same."""
        if before:
            self._continue(value, max(kept - 1, 0))
        else:
            self.value = value
        del self._open[kept:]
        for own in behind[kept:]:
            self._open.append(self._newest(own) if self._open else self.value)
        if behind:
            innermost = self._open[-1]
            if type(innermost) is list:
                innermost.pop()
            else:
                del innermost[self._seams.behind]

    def _continue(self, value: Any, outermost: int) -> None:
        """Add the piece's entries to the open lists and objects."""
        for own in self._open[outermost:]:
            if type(own) is list:
                further = value[0]
                own += value[1:]
            else:
                further = value.pop(self._seams.before)
                own.update(value)
            value = further

    def _newest(self, opened: Opened) -> Any:
        parent = self._open[-1]
        return parent[-1] if type(parent) is list else parent[self._seams.key(opened)]


def parsed(body: bytes, structure: Structure) -> Any:
    """Return the JSON value of a body with this structure; raises NotJson.

    Each call of the parser is short, so other threads can run in between.
    """
    if structure.is_torn:
        raise NotJson("its brackets do not match, or data follows its end")
    if structure.is_too_deep:
        raise NotJson(TOO_DEEP)
    seams = _Seams(body)
    whole = _Whole(seams)
    for first, last, before, behind in _spans(structure):
        kept = _same(before, behind)
        outermost = max(kept - 1, 0)  # further out there are no entries in this piece
        prefix = seams.prefix(before[outermost:])
        try:
            value = orjson.loads(prefix + body[first:last] + seams.suffix(behind[outermost:]))
        except orjson.JSONDecodeError as error:
            near = min(last, first + max(0, error.pos - len(prefix)))
            raise NotJson(f"{error.msg} near byte {near}") from error
        whole.add(value, before, behind, kept)
    return whole.value


def _spans(structure: Structure) -> Iterator[tuple[int, int, Sequence[Opened], Sequence[Opened]]]:
    """Yield the start and end of each piece, and what is open at both."""
    cuts = [Cut(-1, ()), *structure.cuts, Cut(structure.bytes, ())]
    for cut, following in pairwise(cuts):
        yield cut.position + 1, following.position, cut.opened, following.opened


def _same(before: Sequence[Opened], behind: Sequence[Opened]) -> int:
    """Return how many lists and objects are open at both ends."""
    for index, (one, other) in enumerate(zip(before, behind, strict=False)):
        if one != other:
            return index
    return min(len(before), len(behind))
