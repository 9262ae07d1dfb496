"""Records of a body: a JSON array, JSON lines, or JSON objects one after another."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from typing import Any, Final

import orjson

from driftgauge.edges.formats.fields import unmarked
from driftgauge.edges.formats.large.pieces import NotJson, parsed
from driftgauge.edges.formats.large.structure import survey
from driftgauge.errors import Reason, Refused

MOST_RECORDS: Final = 200_000
"""Records of one request; each may be of one byte. A chunk of Fluent Bit, of 2 MB, has fewer."""
AT_ONCE_BYTES: Final = 1_048_576
"""Bodies up to this size are parsed in one call, which takes a few milliseconds."""
_SPACE: Final = " \t\r\n"


@dataclass(frozen=True)
class Unreadable:
    """Stands for the content of a record that is no JSON."""

    error: Refused


@dataclass(frozen=True)
class Records:
    """The records of a body, in order."""

    contents: Sequence[Any]
    """What each says; an `Unreadable` for one that is no JSON."""
    raws: Sequence[bytes] = field(default=(), repr=False)
    """The bytes of each; empty where the body is one JSON value."""
    first: int = 0
    """The position of the first of them, in a part of a body."""

    @property
    def positions(self) -> range:
        """The positions of the records in their body."""
        return range(self.first, self.first + len(self.contents))

    def at(self, position: int) -> Any:
        """Return what the record at a position says."""
        return self.contents[position - self.first]

    def raw(self, position: int) -> bytes:
        """Return a record as bytes: as it came, or as its content is written."""
        at = position - self.first
        return self.raws[at] if self.raws else json_bytes(self.contents[at])

    def parts(self, size: int) -> Iterator[Records]:
        """Yield the records in parts."""
        for at in range(0, len(self.contents), size):
            part = slice(at, at + size)
            yield Records(self.contents[part], self.raws[part], self.first + at)


def records_of(body: bytes, most: float = math.inf) -> Records:
    """Return the records of a body; what cannot be read is one of them, and costs none of the others.

    Refused if there are more than `most`: the body is then to be sent in parts.
    """
    body = unmarked(body).strip()
    if not body:
        return Records(())
    if body[:1] == b"[" or b"\n" not in body:
        return _of_value(body, most)
    lines = _lines(body, most)
    found = records_of_messages(lines[:1] if len(lines) > most else lines)
    if body[:1] == b"{" and type(found.contents[0]) is Unreadable:  # perhaps an object over several lines
        scanned = _scanned(body, most, is_array=False)
        if Unreadable not in map(type, scanned.contents):
            return scanned
    refuse_more(len(lines), most)
    return found


def refuse_more(records: int, most: float) -> None:
    """Raise Refused for a body of more than `most` records."""
    if records > most:
        message = f"the body has too many records: send at most {most:,} records at once"
        raise Refused(Reason.BODY_TOO_LARGE, message, {"limit": most})


def records_of_messages(messages: Sequence[bytes]) -> Records:
    """Return the record of each message."""
    try:
        return Records(list(map(orjson.loads, messages)), messages)
    except orjson.JSONDecodeError:
        return Records([content_of(message) for message in messages], messages)


def content_of(raw: bytes) -> Any:
    """Return what a record says, an `Unreadable` if it is no JSON; NaN and infinite numbers are read."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        problem = str(error)
    try:
        return _checked(json.loads(raw.decode("utf-8")))
    except UnicodeDecodeError as error:
        return Unreadable(Refused(Reason.NOT_UTF8, f"the record is not UTF-8: {error.reason} at byte {error.start}"))
    except (ValueError, RecursionError):
        return Unreadable(Refused(Reason.NOT_JSON, f"the record is not JSON: {problem}"))


def _checked(content: Any) -> Any:
    """Return a value that Python's parser has read; an `Unreadable` if it holds half a surrogate pair."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return Unreadable(Refused(Reason.NOT_JSON, "the record holds half a surrogate pair, which is no text"))
    return content


def json_bytes(content: Any) -> bytes:
    """Return a value as JSON, whatever it holds."""
    if type(content) is Unreadable:
        return b""
    try:
        return orjson.dumps(content)
    except TypeError:  # an integer of more than 64 bits
        return json.dumps(content).encode()


def _lines(body: bytes, most: float) -> list[bytes]:
    """Return the lines that are not empty, one more than `most` if there are more."""
    if body.count(b"\n") < most:
        return [line for line in body.split(b"\n") if line and not line.isspace()]
    filled = (line.removesuffix(b"\n") for line in BytesIO(body) if not line.isspace())
    return list(filled if most == math.inf else islice(filled, int(most) + 1))


def _of_value(body: bytes, most: float) -> Records:
    """Return the records of a body that is one array, or objects without lines."""
    is_array = body[:1] == b"["
    try:
        content = _value(body, most if is_array else math.inf)
    except (orjson.JSONDecodeError, NotJson):
        return _scanned(body, most, is_array=is_array)
    if not isinstance(content, list):
        return Records([content], [body])
    refuse_more(len(content), most)
    return Records(content)


def _value(body: bytes, most: float) -> Any:
    """Return the value of a body, a large one parsed in pieces; Refused if it has more than `most` entries."""
    if len(body) <= AT_ONCE_BYTES:
        return orjson.loads(body)
    return parsed(body, survey(body, lambda structure: refuse_more(structure.outermost_commas + 1, most)))


def _scanned(body: bytes, most: float, *, is_array: bool) -> Records:
    """Return the values of an array or stream one by one; where it breaks, the rest is an unreadable record."""
    contents: list[Any] = []
    raws: list[bytes] = []
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return Records([content_of(body)], [body])
    position = 0
    try:
        for content, begin, end in _values(text, is_array=is_array):
            refuse_more(len(contents) + 1, most)
            contents.append(_checked(content))
            raws.append(text[begin:end].encode("utf-8", "surrogatepass"))
            position = end
    except (ValueError, RecursionError) as error:
        contents.append(Unreadable(Refused(Reason.NOT_JSON, f"the body is not JSON from here on: {error}")))
        raws.append(text[position:].encode())
    return Records(contents, raws)


def _values(text: str, *, is_array: bool) -> Iterator[tuple[Any, int, int]]:
    """Yield each value with its begin and end; ValueError where the text is no JSON."""
    decode: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().raw_decode
    at = _skipped(text, 1 if is_array else 0)
    while at < len(text):
        content, end = decode(text, at)
        yield content, at, end
        at = _skipped(text, end)
        if is_array:
            mark = text[at : at + 1]
            at = _skipped(text, at + 1)
            if mark == "]" and at >= len(text):
                return
            if mark != ",":
                raise ValueError(f"a comma is missing at character {end}")
    if is_array:
        raise ValueError("the array does not end")


def _skipped(text: str, at: int) -> int:
    """Return the position of the next character that is no space."""
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
