"""How bodies come in: small ones at once, large ones in pieces and within a budget of bytes."""

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
"""Bodies up to this size are understood on the event loop: it takes a millisecond or so."""
SURVEYED_BYTES: Final = 65_536
"""Bodies up to this size are parsed at once: it takes a millisecond or so."""
FORGOTTEN: Final = 0.5
"""What is left, with each large body, of the size that the largest row had: one huge row says nothing of others."""

TURN_SECONDS: Final = 0.001
"""So long a body is inflated at a time while others wait."""


class Pending:
    """The bytes of one large body, as far as they came."""

    def __init__(self, intake: BodyReader) -> None:
        self._intake = intake
        self.bytes = 0
        self.rows = 0
        """As many as it is known to have at least, or as what came of it has if they are as large as others."""

    def add(self, count: int, whole: int = 0) -> None:
        """Count bytes that came of a body that has `whole` of them at least; raises Refused if there is no room.

        A body takes up room only as it comes: of many that come at once those go on for which there is room.
        """
        intake = self._intake
        self.bytes += count
        intake.pending_bytes += count
        self._count_rows(intake.rows_of(self.bytes))
        intake.refuse_bytes(0)
        self.refuse(whole)

    def refuse(self, whole: int = 0) -> None:
        """Raise Refused if the rows of a body of at least `whole` bytes are too many beside the others'."""
        intake = self._intake
        intake.refuse_rows(intake.rows_of(max(self.bytes, whole)), intake.pending_rows - self.rows)

    def expect(self, rows: int) -> None:
        """Count rows that it has at least.

        Refused if all large bodies together have too many; alone it may have any number.
        """
        intake = self._intake
        intake.row_bytes = intake.row_bytes or self.bytes / rows  # until one is understood, which may take a while
        intake.refuse_rows(rows, intake.pending_rows - self.rows)
        self._count_rows(rows)

    def understood(self, rows: int) -> None:
        """Remember how large its rows are, now that it is known to be a request; hostile bodies have none."""
        self._intake.row_bytes = max(self._intake.row_bytes * FORGOTTEN, self.bytes / rows)

    def _count_rows(self, rows: int) -> None:
        self._intake.pending_rows += rows - self.rows
        self.rows = rows


class BodyReader:
    """Reads bodies for all operations of a server."""

    def __init__(self, max_body_bytes: int, max_pending_bytes: int, max_pending_rows: int = 50_000) -> None:
        self.max_body_bytes: Final = max_body_bytes
        self.inline_bytes: Final = min(INLINE_BYTES, max_body_bytes)
        """Bodies up to this size are neither large nor too large."""
        self.max_pending_bytes: Final = max_pending_bytes
        self.max_pending_rows: Final = max_pending_rows
        self.pending_bytes = 0
        """Bytes of large bodies that are being read or understood."""
        self.pending_rows = 0
        """Rows that these have at least."""
        self.row_bytes = 0.0
        """The most bytes a row that a large body had of late; 0 before the first."""
        self.lane: Final = BodyThread()

    @contextmanager
    def pending(self) -> Iterator[Pending]:
        """Account for a large body until it is understood."""
        pending = Pending(self)
        try:
            yield pending
        finally:
            self.pending_bytes -= pending.bytes
            self.pending_rows -= pending.rows

    async def rest(self, message: Message, scope: Scope, receive: Receive, pending: Pending) -> bytes:
        """Return a body of which the first piece has come, refused as soon as it is known to be longer than it may.

        Raises Refused, and ClientDisconnect if it does not come to its end.
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

    async def inflated(self, body: bytes, coding: Coding, pending: Pending) -> bytes:
        """Return what a compressed body holds, refused as soon as that is too much; others have their turns meanwhile.

        Raises Refused.
        """
        pieces: list[bytes] = []
        count, began = 0, time.perf_counter()
        for piece in inflated(body, coding):
            count += len(piece)
            if count > self.max_body_bytes:
                raise self._too_large()
            pending.add(len(piece))
            pieces.append(piece)
            if time.perf_counter() - began > TURN_SECONDS:
                await asyncio.sleep(0)
                began = time.perf_counter()
        pending.add(-len(body))
        return b"".join(pieces)

    def admit(self, scope: Scope) -> None:
        """Raise Refused for a large body for which there is no room now, by the length that its head states.

        It takes up room only as it comes: its client may never send it.
        """
        length = stated_length(scope)
        if length > INLINE_BYTES:
            self.refuse_bytes(length)
            self.refuse_length(length)

    def refuse_bytes(self, more: int) -> None:
        """Raise Refused if large bodies of so many bytes more are too many."""
        together = self.pending_bytes + more
        if together > self.max_pending_bytes:
            raise Refused(
                Reason.OVERLOADED,
                f"requests of {together} bytes are being read, which is more than may be: try again in a moment",
                {"pending_bytes": together},
            )

    def refuse_length(self, length: int) -> None:
        """Raise Refused for a body that has too many rows if they are as large as the largest of late."""
        self.refuse_rows(self.rows_of(length), self.pending_rows)

    def rows_of(self, length: int) -> int:
        """Return how many rows so many bytes have if they are as large as the largest of late; 0 if none is known."""
        return int(length / self.row_bytes) if self.row_bytes else 0

    def refuse_rows(self, rows: int, others: int) -> None:
        """Raise Refused if a body of so many rows is too much beside `others`; alone it may have any number."""
        if others and others + rows > self.max_pending_rows:
            raise Refused(
                Reason.OVERLOADED,
                f"requests with {others} rows or more are being read already: try again in a moment",
                {"pending_rows": others},
            )

    def _too_large(self) -> Refused:
        return Refused(
            Reason.BODY_TOO_LARGE,
            f"the body is larger than {self.max_body_bytes} bytes: send fewer rows at once",
            {"limit": self.max_body_bytes},
        )


def headers_of(scope: Scope) -> Mapping[bytes, bytes]:
    """Return a request's headers by their names in small letters."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return dict(headers)


def stated_length(scope: Scope) -> int:
    """Return the length of a body as its head states it; 0 if it does not."""
    stated = headers_of(scope).get(b"content-length", b"")
    return int(stated) if stated.isdigit() else 0


def is_whole(message: Any, limit_bytes: int) -> bool:
    """Say whether a message brings a whole body of at most so many bytes."""
    whole = message["type"] == "http.request" and not message.get("more_body")
    return whole and len(message.get("body", b"")) <= limit_bytes
