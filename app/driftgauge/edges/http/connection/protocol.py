"""uvicorn's HTTP/1.1 protocol with limits on what a client sends and how long it takes.

Only this module and `flow` use internals of uvicorn's protocol; its tests name each attribute.
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
from driftgauge.edges.http.connection.refusals import encoded, excess, malformed, no_proxy, too_late, too_many
from driftgauge.edges.http.connection.transport import GatheringTransport
from driftgauge.edges.http.connection.upgrades import head_without_upgrade
from driftgauge.edges.http.errors import status_of
from driftgauge.errors import Reason, Refused

SLICE_BYTES: Final = 8_192
"""Bytes parsed between two checks of the limits; one read of a socket can return 256 KiB."""
TURN_SECONDS: Final = 0.002
"""Parsing time of one connection before others get a turn; 256 KiB can be 40,000 chunks."""
HALF_CLOSE_SECONDS: Final = 0.1
"""A client that half-closes within this time of its request still waits for the answer; later it has disconnected."""


class LimitedProtocol(HttpToolsProtocol):
    """Refuses requests that are too large or too slow, and answers an Upgrade over HTTP/1.1."""

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
        # Read for every request; an attribute of the instance is the fastest.
        self._max_header_bytes: Final = self._limits.max_header_bytes
        self._max_header_count: Final = self._limits.max_header_count
        self._max_url_bytes: Final = self._limits.max_url_bytes
        self._trailers: Final[list[tuple[bytes, bytes]]] = []
        """Receives header fields after a head; it replaces `headers` in a body and between requests."""
        self.headers = self._trailers
        self.url = b""
        self._slice = 0
        """Size of the slice being parsed."""
        self._head_bytes = 0
        """Bytes of head, trailers and line breaks since the request or the last piece of its body."""
        self._unparsed = b""
        """Bytes received while requests are queued; reading pauses until they are parsed."""
        self._is_scheduled = False
        """Whether parsing them is scheduled."""
        self._discards = False
        """Whether further input is discarded."""
        self._half_closed = False
        """Whether the client has closed its sending side."""
        self._complete_at = 0.0
        """When the last request was complete, by `time.monotonic`."""
        self._final_answer: bytes | None = None
        """The answer after which the connection closes; it is sent after all earlier ones."""

    # ------------------------------------------------------------ the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Start a connection, or refuse it if there are too many."""
        super().connection_made(GatheringTransport(transport, self.loop, self._lingers))
        self.flow = self._flow = HeldFlow(self.transport)
        if not self._all.admit(self, self.loop):
            self._discards = True
            self.transport.write(self._encoded(too_many(self._limits)))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after a connection."""
        self._all.left(self)
        self._discards, self._unparsed = True, b""
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio's own
        """Handle a half-close; returns whether the connection stays open to answer complete requests."""
        if self.transport.is_closing() or self.scheme == "https":  # TLS has no half-close
            return False
        self._half_closed = True
        if self._unparsed or self._awaits_answers():
            return True
        self.transport.close()  # after the last answer, which may still be buffered
        return False

    def _awaits_answers(self) -> bool:
        """Say whether answers are due, the last of which closes the connection; incomplete requests get none."""
        cycle = self.cycle
        if self._final_answer is not None:
            return True
        is_body = cycle is not None and cycle.more_body
        if is_body and self.pipeline:
            self.pipeline.popleft()
        elif is_body or cycle is None or cycle.response_complete:
            return False
        if time.monotonic() - max(self._complete_at, self._flow.resumed_at) > HALF_CLOSE_SECONDS:
            return False
        self._discards, self._final_answer, self.headers = True, b"", self._trailers
        return True

    def shutdown(self) -> None:
        """Finish requests in progress; stalled connections get a last deadline."""
        self._all.stop(self.loop.time())
        super().shutdown()

    def _lingers(self) -> bool:
        """Say whether to keep reading after closing, because the client may still be sending."""
        cycle = self.cycle
        sends = self._final_answer is not None or (cycle is not None and cycle.more_body)
        if not sends or self._half_closed or self._all.stopping:
            return False
        self._discards, self._unparsed = True, b""
        self._flow.release()
        self.flow.resume_reading()
        return True

    # ------------------------------------------------------------ input

    def data_received(self, data: bytes) -> None:
        """Parse received bytes in slices; while requests are queued, the rest waits."""
        if len(data) <= SLICE_BYTES and not (self._discards or self._unparsed or self.pipeline):
            self._feed(data)
        elif not self._discards:
            self._unparsed += data
            if not self._is_scheduled:
                self._feed_unparsed()

    def _feed_unparsed(self) -> None:
        """Parse waiting bytes until a request is queued or the time of this turn is over."""
        self._is_scheduled = False
        view, start, until = memoryview(self._unparsed), 0, time.perf_counter() + TURN_SECONDS
        while start < len(view) and not self.pipeline and not self._discards and time.perf_counter() < until:
            self._feed(view[start : start + SLICE_BYTES])
            start += SLICE_BYTES
        self._unparsed = b"" if self._discards else bytes(view[start:])
        if not self._unparsed:
            self._flow.release()
            if self._half_closed and not self._discards and not self._awaits_answers():
                self.transport.close()
            return
        self._flow.hold()
        if not self.pipeline:
            self._is_scheduled = True
            self.loop.call_soon(self._feed_unparsed)

    def _feed(self, data: bytes | memoryview) -> None:
        self._slice = size = len(data)
        self._head_bytes += size
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._feed_without_upgrade(bytes(data[upgrade.args[0] :]))
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, Refused) else malformed())
        else:
            if self._head_bytes > self._max_header_bytes or self.headers is not self._trailers:
                self._check(self._head_bytes - SLICE_BYTES)  # some of which may belong to the previous request

    def _feed_without_upgrade(self, rest: bytes) -> None:
        """Parse a request again without its Upgrade, which a server may ignore (RFC 9110, 7.8), then the rest.

        The parser treats the following bytes as another protocol, so a new parser gets the head without the offer.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(no_proxy())
            return
        head = head_without_upgrade(method, self.url, self.parser.get_http_version(), self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        for part in (head, rest):
            if part and not self._discards:
                self._feed(part)

    # ------------------------------------------------------------ callbacks of the parser

    def on_headers_complete(self) -> None:
        """Start a request once its head is complete; raises Refused, which the parser passes on."""
        if (
            self._head_bytes > self._max_header_bytes
            or len(self.headers) > self._max_header_count
            or len(self.url) > self._max_url_bytes
        ):
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if (found := self._excess(size)) is not None:
                raise found
            self._head_bytes = size
        if self.parser.should_upgrade():
            return  # `_feed` parses it again
        if self.url[:1] != b"/":
            self._name_host()
        HttpToolsProtocol.on_headers_complete(self)  # `super()` would cost 0.1 µs
        self.headers = self._trailers  # trailers are kept apart from the headers (RFC 9110, 6.5.1)
        self._idle.pop(self, None)
        if self.expect_100_continue and self._announces_too_much():
            # The body is not requested: the application gets an empty piece, and refuses by Content-Length.
            self.cycle.waiting_for_100_continue = False
            self.cycle.keep_alive = False
            self.cycle.message_event.set()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body, as uvicorn does without an upgrade."""
        self._head_bytes = 0
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Complete a request; the connection is idle if it is already answered."""
        if self.parser.should_upgrade():
            return
        self._head_bytes = self._slice
        self._trailers.clear()
        self._complete_at = time.monotonic()
        cycle = self.cycle
        cycle.more_body = False
        cycle.message_event.set()
        if cycle.response_complete:
            self._idle[self] = self.loop.time()

    def on_response_complete(self) -> None:
        """Start the next request or become idle; one sweep over all connections replaces uvicorn's timer per answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._final_answer is not None:
            self._end()
            return
        elif not (self.headers is not self._trailers or self.cycle.more_body):
            self._idle[self] = self.loop.time()
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self._unparsed and not self.pipeline and not self._is_scheduled:
            self._feed_unparsed()

    def _name_host(self) -> None:
        """Use the host in the request target instead of the `Host` header (RFC 9112, 3.2.2)."""
        scheme, mark, rest = self.url.partition(b"://")
        if mark and scheme.isalpha():
            host = re.split(rb"[/?#]", rest, maxsplit=1)[0]
            self.headers[:] = [*(field for field in self.headers if field[0] != b"host"), (b"host", host)]

    def _announces_too_much(self) -> bool:
        stated = dict(self.scope["headers"]).get(b"content-length", b"0")
        return stated.isdigit() and int(stated) > self._limits.max_body_bytes

    # ------------------------------------------------------------ refusals

    def _check(self, size: int) -> None:
        if (found := self._excess(size)) is not None:
            self._refuse(found)

    def _excess(self, size: int) -> Refused | None:
        """Return the refusal of a head or trailers of this size, None if they are within the limits."""
        return excess(self._limits, len(self.url), len(self.headers), size)

    def _refuse(self, refused: Refused) -> None:
        """Stop reading and close the connection with an error answer, sent after all earlier answers."""
        if self._discards:
            return
        self._discards, self._unparsed = True, b""
        self._final_answer = self._encoded(refused)
        cycle = self.cycle
        is_body = cycle is not None and cycle.more_body and self.headers is self._trailers
        # The application counts answers to requests that reached it.
        self._all.refused(refused.reason, None if is_body else status_of(refused.reason), self.loop.time())
        waits = cycle is not None and not cycle.response_complete
        if is_body and self.pipeline:
            self.pipeline.popleft()  # this is the latest request; earlier ones are answered first
        elif is_body:
            cycle.scope["state"][REFUSED_KEY] = status_of(refused.reason)
            cycle.disconnected, waits = True, False
            cycle.message_event.set()
            self._final_answer = b"" if cycle.response_started else self._final_answer
        if not waits:
            self._end()

    def _end(self) -> None:
        self.transport.write(self._final_answer or b"")
        self.transport.close()

    def _encoded(self, refused: Refused) -> bytes:
        return encoded(refused, self.url, self.server_state.default_headers)

    # ------------------------------------------------------------ called by the sweep over all connections

    def stage(self) -> tuple[Stage, object] | None:
        """Return what the connection waits for from its client."""
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
        """Answer 408 to an incomplete request; abort a client that does not read or does not close."""
        answered = self.cycle is not None and self.cycle.response_complete
        if stage is Stage.HEAD or (stage is Stage.BODY and not answered):
            self._refuse(too_late(self._limits, stage))
            return
        if stage is Stage.ANSWER:
            self._all.refused(Reason.ANSWER_NOT_READ, None, self.loop.time())
        self.cut_off()

    def end_idle(self) -> None:
        """Close an idle connection."""
        self.transport.close()

    def cut_off(self) -> None:
        """Abort the connection."""
        self.transport.abort()
