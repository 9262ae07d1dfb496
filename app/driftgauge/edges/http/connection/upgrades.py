"""Requests that offer another protocol, such as HTTP/2: their head without the offer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

OFFERS: Final = frozenset({b"upgrade", b"http2-settings"})
"""Header fields that offer another protocol."""


def head_without_upgrade(method: bytes, url: bytes, version: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a request's head without its offer of another protocol; header names are in lower case."""
    lines = [b"%s %s HTTP/%s" % (method, url, version.encode())]
    for name, value in headers:
        kept = _without_offers(value) if name == b"connection" else value
        if name not in OFFERS and (kept or name != b"connection"):
            lines.append(b"%s: %s" % (name, kept))
    return b"\r\n".join([*lines, b"", b""])


def _without_offers(connection: bytes) -> bytes:
    tokens = [token.strip() for token in connection.split(b",")]
    return b", ".join(token for token in tokens if token and token.lower() not in OFFERS)
