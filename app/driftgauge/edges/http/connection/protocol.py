"""HTTP/1.1 as uvicorn speaks it, with limits that hold whatever a client sends, or does not send.

This module and `flow` alone read and set what is inside of uvicorn's protocol; its tests name each attribute.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from driftgauge.edges.http.connection.connections import REFUSED_KEY, STATE_KEY, Connections, Stage
from driftgauge.edges.http.connection.flow import HeldFlow
from driftgauge.edges.http.connection.refusals import excess, malformed, no_proxy, too_late, too_many, written
from driftgauge.edges.http.connection.transport import GatheringTransport
from driftgauge.edges.http.errors import status_of
from driftgauge.errors import Reason, Refused

SLICE_BYTES: Final = 8_192
"""So much is parsed before the limits are looked at again: a read of the socket may bring 256 KiB."""
TURN_SECONDS: Final = 0.002
"""So long one connection is parsed before others have their turn: 256 KiB may be 40,000 chunks."""
HALF_CLOSE_SECONDS: Final = 0.1
"""A client that ends what it sends so soon after its request still waits for the answer; later it has gone away."""
OFFERS: Final = frozenset({b"upgrade", b"http2-settings"})
"""Header fields that only offer another protocol."""


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which refuses what is too large or too slow, and answers an Upgrade over HTTP/1.1."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        if STATE_KEY not in app_state:  # an application without a lifespan of ours
            app_state[STATE_KEY] = Connections()
        self._all: Final[Connections] = app_state[STATE_KEY]
        self._idle: Final = self._all.idle
        self._limits: Final = self._all.limits
        # Looked at for every request, and an attribute of one's own is found soonest.
        self._max_header_bytes: Final = self._limits.max_header_bytes
        self._max_header_count: Final = self._limits.max_header_count
        self._max_url_bytes: Final = self._limits.max_url_bytes
        self._trailers: Final[list[tuple[bytes, bytes]]] = []
        """Where header fields go that come after a head; between two requests and in a body it stands for `headers`."""
        self.headers = self._trailers
        self.url = b""
        self._slice = 0
        """Bytes that are being parsed."""
        self._dry = 0
        """Bytes since the request began, or since its body went on: of its head, of trailers, of line breaks."""
        self._unfed = b""
        """What came while requests wait for their turn; nothing more is read until it is parsed."""
        self._goes_on = False
        """Whether that is about to be."""
        self._deaf = False
        """Whether what still comes is thrown away."""
        self._ended = False
        """Whether the client has ended what it sends."""
        self._whole_at = 0.0
        """When the last request had come whole, by `time.monotonic`."""
        self._last_words: bytes | None = None
        """The answer after which the connection ends, once those before it are sent."""

    # ------------------------------------------------------------ the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin a connection, or refuse it if there are too many."""
        super().connection_made(GatheringTransport(transport, self.loop, self._lingers))
        self.flow = self._flow = HeldFlow(self.transport)
        if not self._all.admit(self, self.loop):
            self._deaf = True
            self.transport.write(self._written(too_many(self._limits)))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._all.left(self)
        self._deaf, self._unfed = True, b""
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio's own
        """Take the end of what the client sends; says whether the connection stays, to answer what has come whole."""
        if self.transport.is_closing() or self.scheme == "https":  # TLS has no half of a connection
            return False
        self._ended = True
        if self._unfed or self._awaits_answers():
            return True
        self.transport.close()  # behind the last answer, which may not be sent yet
        return False

    def _awaits_answers(self) -> bool:
        """Say whether answers are awaited still, of which the last ends the connection; half a request gets none."""
        cycle = self.cycle
        if self._last_words is not None:
            return True
        is_body = cycle is not None and cycle.more_body
        if is_body and self.pipeline:
            self.pipeline.popleft()
        elif is_body or cycle is None or cycle.response_complete:
            return False
        if time.monotonic() - max(self._whole_at, self._flow.resumed_at) > HALF_CLOSE_SECONDS:
            return False
        self._deaf, self._last_words, self.headers = True, b"", self._trailers
        return True

    def shutdown(self) -> None:
        """Finish what is being answered; what stalls has a last deadline."""
        self._all.stop(self.loop.time())
        super().shutdown()

    def _lingers(self) -> bool:
        """Say whether a connection that is closed still has to be read, since its client may be sending."""
        cycle = self.cycle
        sends = self._last_words is not None or (cycle is not None and cycle.more_body)
        if not sends or self._ended or self._all.stopping:
            return False
        self._deaf, self._unfed = True, b""
        self._flow.release()
        self.flow.resume_reading()
        return True

    # ------------------------------------------------------------ what comes in

    def data_received(self, data: bytes) -> None:
        """Parse what came, in slices: where requests wait for their turn, the rest waits too."""
        if len(data) <= SLICE_BYTES and not (self._deaf or self._unfed or self.pipeline):
            self._feed(data)
        elif not self._deaf:
            self._unfed += data
            if not self._goes_on:
                self._feed_rest()

    def _feed_rest(self) -> None:
        """Parse what came, until a request has to wait for its turn, or others have had to wait for long enough."""
        self._goes_on = False
        view, start, until = memoryview(self._unfed), 0, time.perf_counter() + TURN_SECONDS
        while start < len(view) and not self.pipeline and not self._deaf and time.perf_counter() < until:
            self._feed(view[start : start + SLICE_BYTES])
            start += SLICE_BYTES
        self._unfed = b"" if self._deaf else bytes(view[start:])
        if not self._unfed:
            self._flow.release()
            if self._ended and not self._deaf and not self._awaits_answers():
                self.transport.close()
            return
        self._flow.hold()
        if not self.pipeline:
            self._goes_on = True
            self.loop.call_soon(self._feed_rest)

    def _feed(self, data: bytes | memoryview) -> None:
        self._slice = size = len(data)
        self._dry += size
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._feed_without_upgrade(bytes(data[upgrade.args[0] :]))
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, Refused) else malformed())
        else:
            if self._dry > self._max_header_bytes or self.headers is not self._trailers:
                self._check(self._dry - SLICE_BYTES)  # of which some may be of the request before it

    def _feed_without_upgrade(self, rest: bytes) -> None:
        """Parse a request again without its Upgrade, which a server may ignore (RFC 9110, 7.8); then what follows it.

        The parser takes what follows for another protocol, so a new one gets the same head without that offer.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(no_proxy())
            return
        lines = [b"%s %s HTTP/%s" % (method, self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                value = b", ".join(part for part in _tokens(value) if part.lower() not in OFFERS)
                if not value:
                    continue
            if name not in OFFERS:
                lines.append(b"%s: %s" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        for part in (b"\r\n".join([*lines, b"", b""]), rest):
            if part and not self._deaf:
                self._feed(part)

    # ------------------------------------------------------------ what the parser finds

    def on_headers_complete(self) -> None:
        """Let a request be answered whose head has come; raises Refused, which the parser hands on."""
        if (
            self._dry > self._max_header_bytes
            or len(self.headers) > self._max_header_count
            or len(self.url) > self._max_url_bytes
        ):
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if (found := self._excess(size)) is not None:
                raise found
            self._dry = size
        if self.parser.should_upgrade():
            return  # `_feed` parses it again
        if self.url[:1] != b"/":
            self._name_host()
        HttpToolsProtocol.on_headers_complete(self)  # `super()` would take a tenth of a microsecond
        self.headers = self._trailers  # which are none of the headers that the application has (RFC 9110, 6.5.1)
        self._idle.pop(self, None)
        if self.expect_100_continue and self._states_too_much():
            # Nobody asks for such a body: the application finds an empty piece of it, and the length in the header.
            self.cycle.waiting_for_100_continue = False
            self.cycle.keep_alive = False
            self.cycle.message_event.set()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body, as uvicorn does where no protocol is changed."""
        self._dry = 0
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Take the end of a request; its connection rests if it was answered before."""
        if self.parser.should_upgrade():
            return
        self._dry = self._slice
        self._trailers.clear()
        self._whole_at = time.monotonic()
        cycle = self.cycle
        cycle.more_body = False
        cycle.message_event.set()
        if cycle.response_complete:
            self._idle[self] = self.loop.time()

    def on_response_complete(self) -> None:
        """Go on with the next request, or rest: instead of a timer for each answer, one looks at all connections."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._last_words is not None:
            self._end()
            return
        elif not (self.headers is not self._trailers or self.cycle.more_body):
            self._idle[self] = self.loop.time()
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self._unfed and not self.pipeline and not self._goes_on:
            self._feed_rest()

    def _name_host(self) -> None:
        """Take the host that the target of a request names instead of its header's (RFC 9112, 3.2.2)."""
        scheme, mark, rest = self.url.partition(b"://")
        if mark and scheme.isalpha():
            host = re.split(rb"[/?#]", rest, maxsplit=1)[0]
            self.headers[:] = [*(field for field in self.headers if field[0] != b"host"), (b"host", host)]

    def _states_too_much(self) -> bool:
        stated = dict(self.scope["headers"]).get(b"content-length", b"0")
        return stated.isdigit() and int(stated) > self._limits.max_body_bytes

    # ------------------------------------------------------------ refusals

    def _check(self, size: int) -> None:
        if (found := self._excess(size)) is not None:
            self._refuse(found)

    def _excess(self, size: int) -> Refused | None:
        """Return what is wrong with a head, or trailers, of so many bytes."""
        return excess(self._limits, len(self.url), len(self.headers), size)

    def _refuse(self, refused: Refused) -> None:
        """Read no more, and end the connection with an answer that says why, once those before it are sent."""
        if self._deaf:
            return
        self._deaf, self._unfed = True, b""
        self._last_words = self._written(refused)
        cycle = self.cycle
        is_body = cycle is not None and cycle.more_body and self.headers is self._trailers
        # The application counts the answer to a request that it has.
        self._all.refused(refused.reason, None if is_body else status_of(refused.reason), self.loop.time())
        waits = cycle is not None and not cycle.response_complete
        if is_body and self.pipeline:
            self.pipeline.popleft()  # this request, the last to come: others are answered before it
        elif is_body:
            cycle.scope["state"][REFUSED_KEY] = status_of(refused.reason)
            cycle.disconnected, waits = True, False
            cycle.message_event.set()
            self._last_words = b"" if cycle.response_started else self._last_words
        if not waits:
            self._end()

    def _end(self) -> None:
        self.transport.write(self._last_words or b"")
        self.transport.close()

    def _written(self, refused: Refused) -> bytes:
        return written(refused, self.url, self.server_state.default_headers)

    # ------------------------------------------------------------ what the watch over all connections asks

    def stage(self) -> tuple[Stage, object] | None:
        """Return what the client has still to do."""
        cycle = self.cycle
        if self.transport.get_write_buffer_size():
            return Stage.ANSWER, cycle
        if self.transport.is_closing():
            return Stage.LINGER, self.transport
        if self.pipeline:
            return None
        if self.headers is not self._trailers:
            return (Stage.HEAD, self.scope) if cycle is None or cycle.response_complete else None
        return (Stage.BODY, cycle) if cycle is not None and cycle.more_body else None

    def give_up(self, stage: Stage) -> None:
        """Answer 408 to a request that does not come; cut off a client that does not read, or does not close."""
        answered = self.cycle is not None and self.cycle.response_complete
        if stage is Stage.HEAD or (stage is Stage.BODY and not answered):
            self._refuse(too_late(self._limits, stage))
            return
        if stage is Stage.ANSWER:
            self._all.refused(Reason.ANSWER_NOT_READ, None, self.loop.time())
        self.cut_off()

    def end_idle(self) -> None:
        """Close a connection on which nothing is under way."""
        self.transport.close()

    def cut_off(self) -> None:
        """Close a connection at once."""
        self.transport.abort()


def _tokens(value: bytes) -> list[bytes]:
    return [part for token in value.split(b",") if (part := token.strip())]
