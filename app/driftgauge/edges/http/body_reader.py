"""Reads request bodies; large ones in pieces and within a budget of bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from driftgauge.edges.http.body_thread import BodyThread
from driftgauge.edges.http.encodings import Coding, inflated
from driftgauge.errors import Reason, Refused

INLINE_BYTES: Final = 16_384
"""Bodies up to this size are decoded on the event loop, which takes about a millisecond."""
SURVEYED_BYTES: Final = 65_536
"""Bodies up to this size are parsed in one call, which takes about a millisecond."""
ROW_SIZE_DECAY: Final = 0.5
"""Factor on the remembered row size with each large body, because one huge row says nothing about others."""
TURN_SECONDS: Final = 0.001
"""A body is inflated for this long before other tasks get a turn."""


class Pending:
    """The bytes and rows of one large body that have arrived so far."""

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self.bytes = 0
        self.rows = 0
        """Known minimum of its rows, or an estimate from the bytes so far and the size of other rows."""

    def add(self, count: int, whole: int = 0) -> None:
        """Count received bytes of a body of `whole` or more; raises Refused without room.

        A body takes up room only as it arrives. If many arrive at once, those for which there is room continue.
        """
        reader = self._reader
        self.bytes += count
        reader.pending_bytes += count
        self._count_rows(reader.rows_of(self.bytes))
        reader.refuse_bytes(0)
        self.refuse(whole)

    def refuse(self, whole: int = 0) -> None:
        """Raise Refused if a body of `whole` or more bytes adds too many rows."""
        reader = self._reader
        reader.refuse_rows(reader.rows_of(max(self.bytes, whole)), reader.pending_rows - self.rows)

    def expect(self, rows: int) -> None:
        """Count the minimum number of its rows.

        Refused if all large bodies together have too many; a single one may have any number.
        """
        reader = self._reader
        reader.row_bytes = reader.row_bytes or self.bytes / rows  # until the first body is decoded
        reader.refuse_rows(rows, reader.pending_rows - self.rows)
        self._count_rows(rows)

    def learn_row_size(self, rows: int) -> None:
        """Remember the size of its rows; called for decoded requests only, so that hostile bodies do not count."""
        self._reader.row_bytes = max(self._reader.row_bytes * ROW_SIZE_DECAY, self.bytes / rows)

    def _count_rows(self, rows: int) -> None:
        self._reader.pending_rows += rows - self.rows
        self.rows = rows


class BodyReader:
    """Reads bodies for all endpoints of a server."""

    def __init__(
        self,
        max_body_bytes: int,
        max_pending_bytes: int,
        max_pending_rows: int = 50_000,
        *,
        max_inflated_bytes: int | None = None,
    ) -> None:
        """`max_inflated_bytes` bounds a body once it is decompressed, by default as the body itself."""
        self.max_body_bytes: Final = max_body_bytes
        self.max_inflated_bytes: Final = max_inflated_bytes or max_body_bytes
        self.inline_bytes: Final = min(INLINE_BYTES, max_body_bytes)
        """Bodies up to this size are decoded on the event loop."""
        self.max_pending_bytes: Final = max_pending_bytes
        self.max_pending_rows: Final = max_pending_rows
        self.pending_bytes = 0
        """Bytes of large bodies that are being read or decoded."""
        self.pending_rows = 0
        """Minimum number of rows of these bodies."""
        self.row_bytes = 0.0
        """Largest bytes per row of recent large bodies; 0 before the first."""
        self.thread: Final = BodyThread()

    @contextmanager
    def pending(self) -> Iterator[Pending]:
        """Account for a large body until it is decoded."""
        pending = Pending(self)
        try:
            yield pending
        finally:
            self.pending_bytes -= pending.bytes
            self.pending_rows -= pending.rows

    async def rest(self, message: Message, scope: Scope, receive: Receive, pending: Pending) -> bytes:
        """Return a whole body, given the message with its first piece.

        Raises Refused as soon as it is known to be too large, and ClientDisconnect if it is not sent to its end.
        """
        stated = stated_length(scope)
        if stated > self.max_body_bytes:
            raise self._too_large()
        self.admit(scope)
        body = bytearray()
        while True:
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece: bytes = message.get("body", b"")
            body += piece
            if len(body) > self.max_body_bytes:
                raise self._too_large()
            pending.add(len(piece), stated)
            if not message.get("more_body"):
                return bytes(body)
            message = await receive()

    async def inflate(self, body: bytes, coding: Coding, pending: Pending) -> bytes:
        """Return an inflated body; other tasks get their turn meanwhile.

        Raises Refused as soon as it is too large.
        """
        pieces: list[bytes] = []
        count, began = 0, time.perf_counter()
        for piece in inflated(body, coding):
            count += len(piece)
            if count > self.max_inflated_bytes:
                raise self._too_large(self.max_inflated_bytes)
            pending.add(len(piece))
            pieces.append(piece)
            if time.perf_counter() - began > TURN_SECONDS:
                await asyncio.sleep(0)
                began = time.perf_counter()
        pending.add(-len(body))
        return b"".join(pieces)

    def admit(self, scope: Scope) -> None:
        """Raise Refused if there is no room for a large body, judged by its `Content-Length`.

        The body itself takes up room only as it arrives, because its client may never send it.
        """
        length = stated_length(scope)
        if length > INLINE_BYTES:
            self.refuse_bytes(length)
            self.refuse_length(length)

    def refuse_bytes(self, more: int) -> None:
        """Raise Refused if this many more bytes of large bodies exceed the budget."""
        together = self.pending_bytes + more
        if together > self.max_pending_bytes:
            raise Refused(
                Reason.OVERLOADED,
                f"requests of {together} bytes are being read, more than max_pending_bytes: try again in a moment",
                {"pending_bytes": together},
            )

    def refuse_length(self, length: int) -> None:
        """Raise Refused for a body with too many rows, estimated from the row size of recent bodies."""
        self.refuse_rows(self.rows_of(length), self.pending_rows)

    def rows_of(self, length: int) -> int:
        """Estimate the rows of a body of this length from recent bodies; 0 if there was none."""
        return int(length / self.row_bytes) if self.row_bytes else 0

    def refuse_rows(self, rows: int, others: int) -> None:
        """Raise Refused if rows exceed the budget together with `others`; without others any number is allowed."""
        if others and others + rows > self.max_pending_rows:
            raise Refused(
                Reason.OVERLOADED,
                f"requests with at least {others} rows are already being read: try again in a moment",
                {"pending_rows": others},
            )

    def _too_large(self, limit: int | None = None) -> Refused:
        most = limit or self.max_body_bytes
        return Refused(
            Reason.BODY_TOO_LARGE,
            f"the body is larger than {most} bytes: send fewer rows per request",
            {"limit": most},
        )


def headers_of(scope: Scope) -> Mapping[bytes, bytes]:
    """Return a request's headers by lower-case name."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return dict(headers)


def stated_length(scope: Scope) -> int:
    """Return the `Content-Length` of a request; 0 without a valid one."""
    stated = headers_of(scope).get(b"content-length", b"")
    return int(stated) if stated.isdigit() else 0


def is_whole(message: Any, limit_bytes: int) -> bool:
    """Say whether a message holds a whole body of at most this many bytes."""
    whole = message["type"] == "http.request" and not message.get("more_body")
    return whole and len(message.get("body", b"")) <= limit_bytes
