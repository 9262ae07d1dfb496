"""Sends head and body of an answer in one system call.

uvicorn writes them separately, and a system call costs as much as a row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

JOINED_BYTES: Final = 65_536
"""Larger answers are written without joining, which would copy them."""


class GatheringTransport(asyncio.Transport):
    """Transport that joins all writes of one turn of the event loop.

    Closing while the client is still sending would reset the connection, and the client would lose its answer. If
    `lingers` returns true, the first `close` only half-closes, and reading continues until the client closes.
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
        """Send data at the end of this turn of the loop; it counts as buffered immediately."""
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
        """Send pending data and close, or only half-close if the client is still sending."""
        self._send()
        if not self.is_closing() and self._transport.can_write_eof() and self._lingers():
            self._half_closed = True
            self._transport.write_eof()
        else:
            self._transport.close()

    def abort(self) -> None:
        """Close without sending pending data."""
        self._written.clear()
        self._transport.abort()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection to another protocol, after sending pending data."""
        self._send()
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol of the connection."""
        return self._transport.get_protocol()

    def is_closing(self) -> bool:
        """Say whether it is closed or closing."""
        return self._half_closed or self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """Return the number of bytes not sent yet."""
        return self._transport.get_write_buffer_size() + sum(map(len, self._written))

    def pause_reading(self) -> None:
        """Stop receiving."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Resume receiving."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return information on the connection."""
        return self._transport.get_extra_info(name, default)
