"""One write for a whole answer: uvicorn sends head and body apart, and a call of the system costs as much as a row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

JOINED_BYTES: Final = 65_536
"""What is larger is not worth a copy."""


class GatheringTransport(asyncio.Transport):
    """A transport that sends what was written in one turn of the event loop at once, at its end.

    A client that still sends when it is closed would be reset, and lose its answer: where `lingers` says so,
    the first `close` ends what is sent and goes on to read, until the client or an `abort` closes.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        lingers: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._lingers = lingers
        self._half_closed = False
        self._written: list[bytes | bytearray | memoryview] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send data once this turn of the loop is over; what is still to be sent counts as buffered at once."""
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def _send(self) -> None:
        written, self._written = self._written, []
        if written and not (self._half_closed or self._transport.is_closing()):
            small = len(written[-1]) <= JOINED_BYTES
            for data in [b"".join(written)] if small else written:
                self._transport.write(data)

    def close(self) -> None:
        """Send what was written, and close, or close only what is sent if the client still sends."""
        self._send()
        if not self.is_closing() and self._transport.can_write_eof() and self._lingers():
            self._half_closed = True
            self._transport.write_eof()
        else:
            self._transport.close()

    def abort(self) -> None:
        """Close without sending anything more."""
        self._written.clear()
        self._transport.abort()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Give the connection to another protocol, once what was written is sent."""
        self._send()
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return whose connection it is."""
        return self._transport.get_protocol()

    def is_closing(self) -> bool:
        """Say whether it is closed, or about to be."""
        return self._half_closed or self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """Return the bytes that are still to be sent."""
        return self._transport.get_write_buffer_size() + sum(map(len, self._written))

    def pause_reading(self) -> None:
        """Receive no more for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Receive again."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection."""
        return self._transport.get_extra_info(name, default)
