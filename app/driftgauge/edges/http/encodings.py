"""`Content-Encoding` of what comes in, `Accept-Encoding` of what goes out: gzip, and deflate for what comes in."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from typing import Final, Literal

from driftgauge.common.quoting import shortened
from driftgauge.errors import Reason, Refused

Coding = Literal["gzip", "deflate"]
READ: Final = "gzip, deflate"
"""The codings of bodies that are read, as `Accept-Encoding` says it beside a 415 (RFC 9110, 15.5.16)."""
_NAMES: Final[dict[str, Coding]] = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
_GZIP_BITS: Final = 31
_ZLIB_BITS: Final = 15
_DEFLATE: Final = 8
_IN_BYTES: Final = 16_384
"""Compressed bytes that are looked at together: what follows one gzip member is copied for the next."""
_EMPTY_MEMBERS: Final = 16
"""What gzip members without content a body may have: some programs end with one, and each costs some microseconds."""
_OUT_BYTES: Final = 65_536
"""A step of inflating: a fifth of a millisecond or so."""
_LEVEL: Final = 1
"""Of compressing: metrics repeat themselves so much that more effort gains little."""
_THREAD_BYTES: Final = 131_072
"""What is compressed at once in a thread, a millisecond or so; zlib lets the event loop run meanwhile."""

Headers = Iterable[tuple[bytes, bytes]]


# ---------------------------------------------------------------- what comes in


def coding_of(headers: Headers) -> Coding | None:
    """Return how a body is compressed, None if it is not; Refused for what cannot be read."""
    told = None
    for name, value in headers:
        if name == b"content-encoding":
            told = value if told is None else told + b"," + value
    return None if told is None else _coding(told.decode("latin-1"))


def _coding(told: str) -> Coding | None:
    codings = [coding for part in told.split(",") if (coding := part.strip().lower()) not in ("", "identity")]
    if not codings:
        return None
    if len(codings) == 1 and codings[0] in _NAMES:
        return _NAMES[codings[0]]
    raise Refused(
        Reason.UNSUPPORTED_ENCODING,
        f"the Content-Encoding {shortened(told)!r} is not read here: send one of {READ}, or the body as it is",
        {"field": "content-encoding"},
    )


def inflated(body: bytes, coding: Coding) -> Iterator[bytes]:
    """Yield what a body holds in small pieces, so that who reads can stop; raises Refused if it is damaged."""
    try:
        place = empty = 0
        while place < len(body) or place == 0:
            inflater = zlib.decompressobj(_window_bits(body, coding))
            is_empty = True
            while not inflater.eof:
                given = inflater.unconsumed_tail
                if not given:
                    given = body[place : place + _IN_BYTES]
                    place += len(given)
                piece = inflater.decompress(given, _OUT_BYTES)
                if not piece and not given:
                    raise _damaged(coding, "it ends too early")
                is_empty = is_empty and not piece
                yield piece
            empty += is_empty
            if empty > _EMPTY_MEMBERS:
                raise _damaged(coding, "it is many times nothing")
            place -= len(inflater.unused_data)
            if coding == "deflate" or body[place : place + 1] == b"\0":
                break
    except zlib.error as error:
        raise _damaged(coding, "it is damaged, or something else") from error
    if body[place:].strip(b"\0"):
        raise _damaged(coding, "something else follows it")


def _window_bits(body: bytes, coding: Coding) -> int:
    """Return how zlib is to read a body: `deflate` is zlib's format, but some programs send it without its frame."""
    if coding == "gzip":
        return _GZIP_BITS
    framed = len(body) > 1 and body[0] & 15 == _DEFLATE and (body[0] << 8 | body[1]) % 31 == 0
    return _ZLIB_BITS if framed else -_ZLIB_BITS


def _damaged(coding: Coding, what: str) -> Refused:
    return Refused(
        Reason.DAMAGED_ENCODING,
        f"the body cannot be read as {coding}, which its Content-Encoding says: {what}",
        {"field": "content-encoding"},
    )


# ---------------------------------------------------------------- what goes out


def wants_gzip(accept: str | None) -> bool:
    """Say whether an answer is to be compressed, by its request's `Accept-Encoding` (RFC 9110, 12.5.3).

    Raises Refused if neither gzip nor the plain answer is acceptable.
    """
    if not accept:
        return False
    weights = dict(map(_weight, accept.lower().split(",")))
    rest = weights.get("*", 0.0)
    gzip = weights.get("gzip", weights.get("x-gzip", rest))
    plain = weights.get("identity", None if "*" not in weights else rest)
    if gzip == 0.0 and plain == 0.0:
        raise Refused(
            Reason.NOT_ACCEPTABLE, "the Accept-Encoding leaves nothing to answer with: allow gzip or identity"
        )
    return gzip > 0.0 and gzip >= (plain or 0.0)


def _weight(part: str) -> tuple[str, float]:
    """Return a coding and its weight; one that is no number is none."""
    coding, _, parameter = part.partition(";")
    name, _, value = parameter.partition("=")
    try:
        weight = float(value) if name.strip() == "q" else 1.0
    except ValueError:
        weight = 0.0
    return coding.strip(), weight if 0.0 <= weight <= 1.0 else 0.0


def negotiated(is_gzip: bool) -> dict[str, str]:
    """Return the headers of an answer that is compressed or not, as its request wants it."""
    return {"vary": "Accept-Encoding", **({"content-encoding": "gzip"} if is_gzip else {})}


class Plain:
    """An answer that comes in pieces, as it is."""

    def __init__(self) -> None:
        self._done: list[bytes] = []

    async def add(self, piece: bytes) -> None:
        """Take one more piece."""
        self._done.append(piece)

    def finish(self) -> bytes:
        """Return all of it."""
        return b"".join(self._done)


class Gzip:
    """Compresses an answer that comes in pieces; the event loop goes on meanwhile."""

    def __init__(self, executor: Executor) -> None:
        """`executor` is where it is done."""
        self._executor = executor
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_BITS)
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._done: list[bytes] = []

    async def add(self, piece: bytes) -> None:
        """Take one more piece."""
        self._waiting.append(piece)
        self._bytes += len(piece)
        if self._bytes >= _THREAD_BYTES:
            given, self._waiting, self._bytes = b"".join(self._waiting), [], 0
            self._done.append(await self._in_thread(given))

    async def _in_thread(self, given: bytes) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._compressor.compress, given)

    def finish(self) -> bytes:
        """Return all of it compressed."""
        last = self._compressor.compress(b"".join(self._waiting))
        return b"".join([*self._done, last, self._compressor.flush()])


def gzipped(body: bytes) -> bytes:
    """Return a whole answer compressed."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_BITS)
    return compressor.compress(body) + compressor.flush()
