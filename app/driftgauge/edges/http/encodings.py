"""Content encodings: gzip and deflate of request bodies, gzip of answers."""

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
"""Accepted codings of request bodies, as sent in `Accept-Encoding` with a 415 (RFC 9110, 15.5.16)."""
_NAMES: Final[dict[str, Coding]] = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
_GZIP_BITS: Final = 31
_ZLIB_BITS: Final = 15
_DEFLATE: Final = 8
_IN_BYTES: Final = 16_384
"""Compressed bytes per step; small, because the bytes after one gzip member are copied for the next."""
_EMPTY_MEMBERS: Final = 16
"""Allowed number of empty gzip members; some programs append one, and each costs microseconds."""
_OUT_BYTES: Final = 65_536
"""Inflated bytes per step, about a fifth of a millisecond."""
_LEVEL: Final = 1
"""Compression level; metrics are so repetitive that a higher level gains little."""
_THREAD_BYTES: Final = 131_072
"""Bytes compressed per call in a thread, about a millisecond; zlib releases the interpreter meanwhile."""

Headers = Iterable[tuple[bytes, bytes]]


# ---------------------------------------------------------------- request bodies


def coding_of(headers: Headers) -> Coding | None:
    """Return the compression of a body, None without one; Refused for an unsupported one."""
    sent = None
    for name, value in headers:
        if name == b"content-encoding":
            sent = value if sent is None else sent + b"," + value
    return None if sent is None else _coding(sent.decode("latin-1"))


def _coding(sent: str) -> Coding | None:
    codings = [coding for part in sent.split(",") if (coding := part.strip().lower()) not in ("", "identity")]
    if not codings:
        return None
    if len(codings) == 1 and codings[0] in _NAMES:
        return _NAMES[codings[0]]
    raise Refused(
        Reason.UNSUPPORTED_ENCODING,
        f"the Content-Encoding {shortened(sent)!r} is not supported: use one of {READ}, or send the body uncompressed",
        {"field": "content-encoding"},
    )


def inflated(body: bytes, coding: Coding) -> Iterator[bytes]:
    """Yield an inflated body in small pieces; raises Refused if it is damaged."""
    try:
        position = empty = 0
        while position < len(body) or position == 0:
            inflater = zlib.decompressobj(_window_bits(body, coding))
            is_empty = True
            while not inflater.eof:
                given = inflater.unconsumed_tail
                if not given:
                    given = body[position : position + _IN_BYTES]
                    position += len(given)
                piece = inflater.decompress(given, _OUT_BYTES)
                if not piece and not given:
                    raise _damaged(coding, "it is truncated")
                is_empty = is_empty and not piece
                yield piece
            empty += is_empty
            if empty > _EMPTY_MEMBERS:
                raise _damaged(coding, "it has too many empty members")
            position -= len(inflater.unused_data)
            if coding == "deflate" or body[position : position + 1] == b"\0":
                break
    except zlib.error as error:
        raise _damaged(coding, "it is damaged, or has another format") from error
    if body[position:].strip(b"\0"):
        raise _damaged(coding, "other data follows it")


def _window_bits(body: bytes, coding: Coding) -> int:
    """Return zlib's window bits for a body; some programs send `deflate` without zlib's header."""
    if coding == "gzip":
        return _GZIP_BITS
    framed = len(body) > 1 and body[0] & 15 == _DEFLATE and (body[0] << 8 | body[1]) % 31 == 0
    return _ZLIB_BITS if framed else -_ZLIB_BITS


def _damaged(coding: Coding, what: str) -> Refused:
    return Refused(
        Reason.DAMAGED_ENCODING,
        f"the body is not valid {coding}, as its Content-Encoding claims: {what}",
        {"field": "content-encoding"},
    )


# ---------------------------------------------------------------- answers


def wants_gzip(accept: str | None) -> bool:
    """Say whether to compress an answer, given the request's `Accept-Encoding` (RFC 9110, 12.5.3).

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
            Reason.NOT_ACCEPTABLE, "the Accept-Encoding excludes every available encoding: allow gzip or identity"
        )
    return gzip > 0.0 and gzip >= (plain or 0.0)


def _weight(part: str) -> tuple[str, float]:
    """Return a coding and its weight; an invalid weight counts as 0."""
    coding, _, parameter = part.partition(";")
    name, _, value = parameter.partition("=")
    try:
        weight = float(value) if name.strip() == "q" else 1.0
    except ValueError:
        weight = 0.0
    return coding.strip(), weight if 0.0 <= weight <= 1.0 else 0.0


def negotiated(is_gzip: bool) -> dict[str, str]:
    """Return the headers of an answer whose media type and encoding were negotiated."""
    return {"vary": "Accept, Accept-Encoding", **({"content-encoding": "gzip"} if is_gzip else {})}


class Plain:
    """Collects an answer's pieces without compression."""

    def __init__(self) -> None:
        self._done: list[bytes] = []

    async def add(self, piece: bytes) -> None:
        """Add a piece."""
        self._done.append(piece)

    def finish(self) -> bytes:
        """Return the whole answer."""
        return b"".join(self._done)


class Gzip:
    """Compresses an answer's pieces in a thread, so that the event loop keeps running."""

    def __init__(self, executor: Executor) -> None:
        """Compress in a thread of `executor`."""
        self._executor = executor
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_BITS)
        self._pending: list[bytes] = []
        self._bytes = 0
        self._done: list[bytes] = []

    async def add(self, piece: bytes) -> None:
        """Add a piece."""
        self._pending.append(piece)
        self._bytes += len(piece)
        if self._bytes >= _THREAD_BYTES:
            given, self._pending, self._bytes = b"".join(self._pending), [], 0
            self._done.append(await self._in_thread(given))

    async def _in_thread(self, given: bytes) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._compressor.compress, given)

    def finish(self) -> bytes:
        """Return the whole compressed answer."""
        last = self._compressor.compress(b"".join(self._pending))
        return b"".join([*self._done, last, self._compressor.flush()])


def gzipped(body: bytes) -> bytes:
    """Return a compressed answer."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_BITS)
    return compressor.compress(body) + compressor.flush()
