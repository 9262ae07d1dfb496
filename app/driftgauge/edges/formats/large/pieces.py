"""A large JSON body, parsed a piece at a time into the value that parsing it at once would give."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import orjson

from driftgauge.edges.formats.large.structure import DEPTH, Cut, Opened, Structure
from driftgauge.errors import DriftgaugeError

TOO_DEEP: Final = f"lists and objects are nested more than {DEPTH:,} deep, and a request has no need to"


class NotJson(DriftgaugeError, ValueError):
    """A body that is not JSON; the message says where."""


class _Seams:
    """What is put before and behind a piece to make it JSON: its open brackets, and entries that stand for the rest.

    The parser itself thus finds a comma too many, or one that is missing, at a cut. The keys of
    those entries are of chance, so that a body cannot have them.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        chance = secrets.token_hex(16)
        self.before: Final = f"{chance}-"
        self.behind: Final = f"{chance}+"

    def is_list(self, opened: Opened) -> bool:
        """Say whether it is a list, and not an object."""
        return self._body[opened.place] == ord("[")

    def prefix(self, opened: Sequence[Opened]) -> bytes:
        """Return what opens them, so that a comma may not follow, but an entry has to."""
        texts = ["[" if self.is_list(own) else f'{{"{self.before}":' for own in opened]
        return ("".join(texts) + "0,").encode() if texts else b""

    def suffix(self, opened: Sequence[Opened]) -> bytes:
        """Return what closes them, behind one more entry of the innermost."""
        if not opened:
            return b""
        entry = ",0" if self.is_list(opened[-1]) else f',"{self.behind}":0'
        return (entry + "".join("]" if self.is_list(own) else "}" for own in reversed(opened))).encode()

    def key(self, opened: Opened) -> str:
        """Return the key of a list or an object inside of an object."""
        entry: dict[str, int] = orjson.loads(b"{" + self._body[opened.member : opened.place] + b"0}")
        return next(iter(entry))


class _Whole:
    """The value as far as it is parsed."""

    def __init__(self, seams: _Seams) -> None:
        self._seams = seams
        self.value: Any = None
        self._open: list[Any] = []
        """What is still open of it, outermost first."""

    def add(self, value: Any, before: Sequence[Opened], behind: Sequence[Opened], kept: int) -> None:
        """Take the value of a piece at whose beginning and end so much is open, `kept` of it the same."""
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
        """Give what is open the entries that the piece has of it."""
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
    """Return the JSON value of a body of such a structure; raises NotJson.

    No call of the parser takes long, so other threads run between them.
    """
    if structure.is_torn:
        raise NotJson("its brackets do not match, or something follows its end")
    if structure.is_too_deep:
        raise NotJson(TOO_DEEP)
    seams = _Seams(body)
    whole = _Whole(seams)
    for first, last, before, behind in _spans(structure):
        kept = _same(before, behind)
        outermost = max(kept - 1, 0)  # what is further out has no entry here
        prefix = seams.prefix(before[outermost:])
        try:
            value = orjson.loads(prefix + body[first:last] + seams.suffix(behind[outermost:]))
        except orjson.JSONDecodeError as error:
            near = min(last, first + max(0, error.pos - len(prefix)))
            raise NotJson(f"{error.msg} near byte {near}") from error
        whole.add(value, before, behind, kept)
    return whole.value


def _spans(structure: Structure) -> Iterator[tuple[int, int, Sequence[Opened], Sequence[Opened]]]:
    """Yield where each piece begins and ends, and what is open there."""
    cuts = [Cut(-1, ()), *structure.cuts, Cut(structure.bytes, ())]
    for cut, following in pairwise(cuts):
        yield cut.place + 1, following.place, cut.opened, following.opened


def _same(before: Sequence[Opened], behind: Sequence[Opened]) -> int:
    """Return how many are open at both ends."""
    for place, (one, other) in enumerate(zip(before, behind, strict=False)):
        if one != other:
            return place
    return min(len(before), len(behind))
