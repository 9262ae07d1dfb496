"""A request and its answer as they pass through an ASGI application, kept to be read afterwards."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Message, Receive, Send

from driftgauge.library.exchange import Headers


class Passing:
    """One request: its messages go on unchanged and at once, and bodies are kept up to a number of bytes."""

    def __init__(
        self, headers: Headers, receive: Receive, send: Send, max_bytes: int, timer: Callable[[], float]
    ) -> None:
        self.request_headers = headers
        self.answer_headers: Headers = ()
        self.status: int | None = None
        """Status of the answer, None without one."""
        self.has_failed = False
        """Whether the application raised before it answered."""
        self.seconds = 0.0
        """Time until the answer began."""
        self._receive = receive
        self._send = send
        self._timer = timer
        self._began = timer()
        self._request = _Kept(max_bytes)
        self._answer = _Kept(max_bytes)

    @property
    def request(self) -> bytes | None:
        """The body of the request, None if it is too large."""
        return self._request.body

    @property
    def answer(self) -> bytes | None:
        """The body of the answer, None if it is too large."""
        return self._answer.body

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._request.size + self._answer.size

    async def receive(self) -> Message:
        """Hand on a message of the client."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._request.add(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Hand on a message of the application, which the next in line may change."""
        if message["type"] == "http.response.start":
            self.seconds = self._timer() - self._began
            self.status = message["status"]
            self.answer_headers = tuple(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self._answer.add(message.get("body", b""))
        await self._send(message)

    def fail(self) -> None:
        """Note that the application raised."""
        self.has_failed = self.status is None


class _Kept:
    """Bytes that are kept until they are too many."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._pieces: list[bytes] = []
        self._is_whole = True
        self.size = 0

    def add(self, piece: bytes) -> None:
        if self._is_whole and self.size + len(piece) <= self._max:
            self._pieces.append(bytes(piece))
            self.size += len(piece)
        elif self._is_whole:
            self._is_whole, self.size = False, 0
            self._pieces.clear()

    @property
    def body(self) -> bytes | None:
        return b"".join(self._pieces) if self._is_whole else None
