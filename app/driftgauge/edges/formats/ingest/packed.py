"""Records of a body in MessagePack: objects one after another, or events of Fluent Bit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from driftgauge.edges.formats.ingest.records import MOST_RECORDS, Records, Unreadable, refuse_more
from driftgauge.errors import Reason, Refused

MEDIA_TYPES: Final = frozenset({"application/msgpack", "application/x-msgpack", "application/vnd.msgpack"})
DATE: Final = "date"
"""Field that Fluent Bit's JSON has for the time of an event."""
MOST_ITEMS: Final = 1_000_000
"""Items of one list or object: memory for them is taken when their number is read, before they are."""
_EVENT_TIME: Final = 0
"""Type of the time of an event: seconds and nanoseconds, 32 bits each."""
_EVENT_TIME_BYTES: Final = 8
_GROUP_MARKS: Final = (0xFFFF_FFFE, 0xFFFF_FFFF)
"""Seconds of events that begin or end a group, and are no records: -2 and -1."""
_SERVICE: Final = re.compile(rb"\xacservice_name([\xa0-\xbf]|\xd9.)", re.DOTALL)
_SHORT_TEXT: Final = 0xA0


def packed_records(body: bytes) -> Records:
    """Return the records of a body; where it breaks, the rest is an unreadable record.

    Refused if there are more than MOST_RECORDS: the body is then to be sent in parts.
    """
    contents: list[Any] = []
    raws: list[bytes] = []
    for content in _flat(body):
        refuse_more(len(contents) + 1, MOST_RECORDS)
        own, raw = _checked(content)
        contents.append(own)
        raws.append(raw)
    return Records(contents, raws)


def packed_names(body: bytes) -> set[str]:
    """Return the names of services in a body, without reading all of it."""
    found = set()
    for match in _SERVICE.finditer(body):
        head = match[1]
        size = head[0] - _SHORT_TEXT if len(head) == 1 else head[1]
        found.add(body[match.end() : match.end() + size].decode("utf-8", "replace"))
    return found


def _flat(body: bytes) -> Iterator[Any]:
    """Yield records, with the time of an event as their field; an `Unreadable` at the end where the body breaks."""
    for value in _values(body):
        if type(value) is not list:
            yield value
        elif value and all(type(own) is dict for own in value):  # a list of records
            yield from value
        elif _is_event(value):
            seconds, record = _time(value[0]), value[1]
            if seconds is None:
                continue
            yield record if DATE in record else {**record, DATE: seconds}
        else:
            yield value


def _values(body: bytes) -> Iterator[Any]:
    """Yield the values of a body, which stand one after another."""
    import msgpack  # few senders need it

    begin, why = 0, ""
    for hook in (None, _object):  # the second one goes on where the first, which is faster, refuses a name
        unpacker, start = _unpacker(body[begin:], hook), begin
        try:
            while begin < len(body):
                yield unpacker.unpack()
                begin = start + unpacker.tell()
            return
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
            why = "it ends too early" if isinstance(error, msgpack.OutOfData) else str(error) or type(error).__name__
    yield _broken(f"the body is not MessagePack from byte {begin} on: {why}")


def _unpacker(body: bytes, hook: Callable[[list[tuple[Any, Any]]], Any] | None) -> Any:
    import msgpack

    most = min(len(body), MOST_ITEMS)
    unpacker = msgpack.Unpacker(
        max_buffer_size=len(body),
        max_array_len=most,
        max_map_len=most,
        strict_map_key=hook is None,
        object_pairs_hook=hook,
        timestamp=1,  # a number of seconds
        unicode_errors="surrogateescape",
    )
    unpacker.feed(body)
    return unpacker


def _object(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """Return an object; one whose names are no text as an object that JSON cannot hold.

    Other names are not hashed: a sender could choose numbers that collide.
    """
    return dict(pairs) if all(type(name) is str for name, _ in pairs) else {None: pairs}


def _broken(message: str) -> Unreadable:
    return Unreadable(Refused(Reason.UNREADABLE_RECORD, message))


def _is_event(value: list[Any]) -> bool:
    """Say whether a list is an event: its time, or that and further data, before the record."""
    return len(value) == 2 and type(value[1]) is dict


def _time(head: Any) -> float | Any | None:
    """Return the time of an event in seconds since 1970 if it is one; None for the mark of a group."""
    if type(head) is list:
        head = head[0] if head else None
    code, data = getattr(head, "code", None), getattr(head, "data", b"")
    if code != _EVENT_TIME or len(data) != _EVENT_TIME_BYTES:
        return head
    seconds, nanoseconds = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big")
    return None if seconds in _GROUP_MARKS else seconds + nanoseconds / 1e9


def _checked(content: Any) -> tuple[Any, bytes]:
    """Return a record and the same as JSON; an `Unreadable` for one that JSON cannot hold."""
    if type(content) is Unreadable:
        return content, b""
    try:
        return content, orjson.dumps(content)
    except TypeError:
        message = "the record holds text that is not UTF-8, binary data, names that are no text, or too many levels"
        return Unreadable(Refused(Reason.NOT_UTF8, message)), _shown(content)


def _shown(content: Any) -> bytes:
    """Return a record as Python writes it; nothing if it has too many levels for that."""
    try:
        return repr(content).encode("utf-8", "replace")
    except RecursionError:
        return b""
