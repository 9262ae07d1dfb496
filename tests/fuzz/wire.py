"""Requests as bytes on a connection: from honest ones to what is no HTTP."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

from tests.fuzz.bodies import FRAGMENTS, damaged, encoded

Header = tuple[bytes, bytes]

FRAMING: Final = (b"Length", b"Transfer-Encoding", b"Host", b"Upgrade", b"Expect", b"Connection")
METHODS: Final = (b"POST", b"POST", b"POST", b"GET", b"HEAD", b"PUT", b"OPTIONS", b"DELETE", b"PATCH")
STRANGE_METHODS: Final = (b"CONNECT", b"TRACE", b"PRI", b"get", b"", b"M-SEARCH", b"A" * 300)
PLACES: Final = (
    *(b"..", b"%2e%2e", b"%00", b"%ff", b"%zz", b"*", b"\xc3\xa9", b"{name}", b"a" * 300, b"%2F", b";", b" ", b"\\"),
    *(b"?model=x", b"?windows=a,b&feature=%00", b"?since=1e999", b"#x", b"//", b"?format=html&format=json", b"?%"),
)
VALUES: Final = (
    *(b"", b"a", b"0", b"-1", b"1e3", b"99999999999999999999", b"\x00", b"\xff\xfe", b"close", b"keep-alive", b"*/*"),
    *(
        b"chunked",
        b"gzip, chunked",
        b"identity",
        b"100-continue",
        b"h2c",
        b"websocket",
        b"Bearer x",
        b"Bearer ",
        b"Basic !",
    ),
    *(b"application/json", b"text/html", b"gzip;q=0, *;q=0", b"http://evil.example", b"null", b"x" * 3000, b"a, b, c"),
    *(b"127.0.0.1", b"127.0.0.1, 10.0.0.1", b"for=_x", b"https", b"evil.example:99999", b"q=1;q=2;;", b"\t", b'"'),
)
NAMES: Final = (
    *(
        b"Host",
        b"Host",
        b"Content-Length",
        b"Content-Length",
        b"Transfer-Encoding",
        b"Connection",
        b"Expect",
        b"Upgrade",
    ),
    *(
        b"Accept",
        b"Accept-Encoding",
        b"Content-Type",
        b"Content-Encoding",
        b"Origin",
        b"Authorization",
        b"TE",
        b"Trailer",
    ),
    *(
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Forwarded-Prefix",
        b"Forwarded",
        b"Sec-Fetch-Site",
        b"HTTP2-Settings",
    ),
    *(
        b"Access-Control-Request-Method",
        b"Inference-Header-Content-Length",
        b"X-Request-Id",
        b"",
        b" x",
        b"\xff",
        b"x:y",
    ),
)
PLAIN_NAMES: Final = tuple(
    name for name in NAMES if name.isascii() and name.replace(b"-", b"").isalnum() and not name.endswith(FRAMING)
)
PLAIN_VALUES: Final = tuple(value for value in VALUES if value.isascii() and value.decode().isprintable())
"""Fields that are valid HTTP, and do not say where the request ends."""
BREAKS: Final = (b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\n\r\n", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/9.9", b"0\r\n\r\n")


def targets(paths: Sequence[str]) -> st.SearchStrategy[bytes]:
    """Targets of requests: known paths, some with a strange piece."""
    known = st.sampled_from([path.encode() for path in paths])
    strange = st.tuples(known, st.sampled_from(PLACES) | st.binary(max_size=6), st.integers(0, 40)).map(
        lambda parts: parts[0][: parts[2]] + parts[1] + parts[0][parts[2] :]
    )
    return known | known | strange | st.sampled_from([b"*", b"", b"//", b"http://a/predict", b"evil:80"])


fields = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | st.binary(max_size=8)), max_size=5)


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """A body in chunks, whose sizes may lie."""
    cut = draw(st.integers(0, len(body)))
    sizes = [(b"%x" % len(piece), piece) for piece in (body[:cut], body[cut:]) if piece]
    if sizes and draw(st.integers(0, 3)) == 0:
        wrong = draw(st.sampled_from([b"", b"-1", b"0x5", b"f" * 17, b"1;x=y", b"1 ", b"g", b"00000001"]))
        sizes[0] = (wrong, sizes[0][1])
    end = draw(st.sampled_from([b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\n", b""]))
    return b"".join(b"%s\r\n%s\r\n" % size for size in sizes) + end


@st.composite
def tame(draw: st.DrawFn, paths: Sequence[str], bodies: st.SearchStrategy[bytes]) -> bytes:
    """A request that is HTTP, whatever its body and its fields say."""
    body, own = draw(encoded(bodies))
    method = draw(st.sampled_from(METHODS))
    path = draw(st.sampled_from(paths)).encode()
    more = draw(st.lists(st.tuples(st.sampled_from(PLAIN_NAMES), st.sampled_from(PLAIN_VALUES)), max_size=3))
    framing = (b"Content-Length", b"%d" % len(body))
    if body and draw(st.booleans()):
        framing, body = (b"Transfer-Encoding", b"chunked"), b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    fields = [(b"Host", b"127.0.0.1"), framing, *own, *more]
    head = [b"%s %s HTTP/1.1" % (method, path), *(b"%s: %s" % field for field in fields)]
    return b"\r\n".join([*head, b"", body])


@st.composite
def wild(draw: st.DrawFn, paths: Sequence[str], bodies: st.SearchStrategy[bytes]) -> bytes:
    """A request that may be no HTTP."""
    method = draw(st.sampled_from(METHODS) if draw(st.integers(0, 9)) else st.sampled_from(STRANGE_METHODS))
    body, own = draw(encoded(bodies)) if method not in (b"GET", b"HEAD") else (b"", [])
    more = draw(fields) if draw(st.integers(0, 2)) == 0 else []
    framing = draw(st.integers(0, 9))
    if framing >= 4:
        own.append((b"Content-Length", b"%d" % len(body)))
    elif framing >= 2:
        own.append((b"Transfer-Encoding", b"chunked"))
        body = draw(chunked(body))
    elif framing == 1:
        own += [(b"Content-Length", b"%d" % (len(body) + 1)), (b"Transfer-Encoding", b"chunked")]
    lines = [
        b"%s %s HTTP/1.1" % (method, draw(targets(paths))),
        *(b"%s: %s" % field for field in [(b"Host", b"127.0.0.1"), *own, *more]),
    ]
    whole = b"\r\n".join([*lines, b"", body])
    return whole if draw(st.integers(0, 4)) else draw(damaged(whole, (*FRAGMENTS, *BREAKS)))


def conversations(paths: Sequence[str], bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    """What one client sends on one connection: requests one after the other, without waiting."""
    one = tame(paths, bodies)
    return st.lists(one | one | one | wild(paths, bodies), min_size=1, max_size=6)


def varied(chance: random.Random, whole: bytes) -> bytes:
    """Return bytes with one of them changed, removed or doubled; cheaper than drawing another request."""
    at = chance.randrange(len(whole) + 1)
    piece = chance.choice([b"", bytes([chance.randrange(256)]), whole[at : at + 1] * 2])
    return whole[:at] + piece + whole[at + 1 :]
