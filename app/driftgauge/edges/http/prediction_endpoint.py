"""From the body of a prediction request to its answer, in any wire format."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive
from starlette.types import Scope as AsgiScope

from driftgauge.access.caller import Scope
from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.fields import unmarked
from driftgauge.edges.formats.large.extent import Extent
from driftgauge.edges.formats.large.structure import Structure, survey
from driftgauge.edges.http.access import Access, caller_name, caller_of
from driftgauge.edges.http.body_reader import (
    INLINE_BYTES,
    SURVEYED_BYTES,
    BodyReader,
    Pending,
    headers_of,
    is_whole,
    stated_length,
)
from driftgauge.edges.http.body_thread import Urgency
from driftgauge.edges.http.encodings import READ, coding_of
from driftgauge.edges.http.errors import (
    CHALLENGES,
    INTERNAL,
    REQUEST_FAILED,
    RETRY_AFTER_SECONDS,
    retry_after,
    status_of,
)
from driftgauge.errors import DENIALS, LIMITED, ModelFailed, Reason, Refused
from driftgauge.models.predictor import Batch, Predictor
from driftgauge.monitor.capture import Capture
from driftgauge.monitor.problems import Problems
from driftgauge.predictions.log import ModelLog
from driftgauge.serving.batcher import Batcher
from driftgauge.serving.queue_shares import QueueShares
from driftgauge.serving.request import Answer, QueuedRequest

INLINE_ROWS: Final = 256
"""Answers of up to this many rows are serialised on the event loop, larger ones in a thread."""
ACKNOWLEDGED_SECONDS: Final = 5.0
"""Longest wait of an answer for the prediction log."""
NOT_ACKNOWLEDGED: Final = "prediction_log_late"
Header = tuple[bytes, bytes]
_HELP: Final[Mapping[Reason, Sequence[Header]]] = {
    Reason.OVERLOADED: [(b"retry-after", b"%d" % RETRY_AFTER_SECONDS)],
    Reason.UNSUPPORTED_ENCODING: [(b"accept-encoding", READ.encode())],
    **{reason: [(b"www-authenticate", text.encode())] for reason, text in CHALLENGES.items()},
}
"""Headers that tell the client when to retry, which encodings are accepted, or that a token is needed."""
COUNTED_ELSEWHERE: Final = frozenset((*DENIALS, *LIMITED))
"""Reasons that are no fault of the rows: `http_requests_denied_total` and `http_requests_limited_total` have them."""
_EARLY: Final = frozenset((Reason.OVERLOADED, *LIMITED))
"""Reasons of requests that are refused before their body is read."""
_JSON: Final = (b"content-type", b"application/json")


class DecodedRequest(Protocol):
    """A decoded request."""

    @property
    def batch(self) -> Batch:
        """Its rows."""

    @property
    def event(self) -> FloatArray | None:
        """Their event times in seconds since 1970, shape [n]; None if it has none."""


R = TypeVar("R", bound=DecodedRequest)


class Codec(Protocol[R]):
    """A wire format of prediction requests, answers and errors."""

    def read(self, body: bytes, structure: Structure | None = None) -> R:
        """Decode a body, a large one with its structure; raises Refused."""

    def ids(self, request: R, arrival: float) -> Sequence[str]:
        """Return the ids of the rows' predictions, new ones where the request has none."""

    def write(self, request: R, answer: Answer, arrival: float, ids: Sequence[str]) -> bytes:
        """Return the answer's body with the ids of its rows; `arrival` is in seconds since 1970."""

    def error(self, reason: Reason, message: str, detail: Mapping[str, object]) -> bytes:
        """Return an error's body."""


class Reply(NamedTuple):
    """A complete HTTP answer."""

    status: int
    headers: list[Header]
    body: bytes

    def response(self) -> Response:
        """Return it as a Starlette response."""
        return Response(self.body, self.status, {name.decode(): value.decode() for name, value in self.headers})


def reply_of(status: int, body: bytes, *more: Header) -> Reply:
    """Return a JSON reply."""
    return Reply(status, [_JSON, (b"content-length", b"%d" % len(body)), *more], body)


@dataclass(frozen=True)
class PredictionEndpoint(Generic[R]):
    """Answers prediction requests in one wire format: all rows of a request, or none."""

    codec: Codec[R]
    reader: BodyReader
    extent: Extent
    batcher: Batcher
    predictor: Predictor
    capture: Capture
    failures: Problems
    clock: Callable[[], float]
    access: Access
    shares: QueueShares

    async def answer(self, request: Request) -> Response:
        """Answer a request that came through FastAPI's routing; the fast path calls `reply` instead."""
        try:
            reply = await self.reply(request.scope, request.receive)
        except ClientDisconnect:
            raise
        except Exception as error:
            reply = self.broken(error)
        return reply.response()

    async def reply(self, scope: AsgiScope, receive: Receive) -> Reply:
        """Answer a request; raises ClientDisconnect if the client has gone."""
        started = time.perf_counter()
        arrival = self.clock()
        decoded: R | None = None
        try:
            self.batcher.admit()  # before any work: under overload this is what most requests cost
            caller = ""
            if self.shares.is_on:
                caller = caller_name(scope, caller_of(scope))
                self.shares.admit(caller)
            decoded = await self._decode(scope, receive)
            if decoded.event is not None:
                self.access.require(scope, Scope.TIMESTAMPS, "a timestamp")
            ids = self.codec.ids(decoded, arrival)
            token = caller_of(scope).name if self.access.is_on else ""
            request = QueuedRequest(decoded.batch, arrival, decoded.event, started, ids, token)
            with self.shares.hold(caller, len(decoded.batch)):
                answer = await self._predict(request, receive)
            if self.access.is_on:
                self.capture.sent_by(token, len(answer.labels), arrival)
            if self.capture.log is not None and self.capture.log.acknowledges:
                await self._acknowledged(self.capture.log)
            if len(answer.labels) <= INLINE_ROWS:
                body = self.codec.write(decoded, answer, arrival, ids)
            else:
                body = await self.reader.thread.run(Urgency.ANSWER, self.codec.write, decoded, answer, arrival, ids)
            return reply_of(200, body)
        except Refused as error:
            return self.refused(error, closing(scope, error) if decoded is None else ())
        except ModelFailed as error:
            self.capture.failed(len(decoded.batch) if decoded else 0)
            self.failures.record(Reason.MODEL_FAILED, error)
            return self._refusal(Reason.MODEL_FAILED, f"{error}; nothing was predicted", {})

    def refused(self, error: Refused, headers: Sequence[Header] = ()) -> Reply:
        """Count a refused request and return its answer; tokens and callers' limits count their own."""
        if error.reason not in COUNTED_ELSEWHERE:
            self.capture.refused(error)
        return self._refusal(error.reason, error.message, error.detail, headers)

    def broken(self, error: Exception) -> Reply:
        """Log an unexpected failure and return the answer of its request."""
        self.failures.record(REQUEST_FAILED, error)
        return self._refusal(Reason.INTERNAL_ERROR, INTERNAL, {})

    async def _decode(self, scope: AsgiScope, receive: Receive) -> R:
        """Read and decode a body; large bodies are decoded in a thread."""
        reader, coding = self.reader, coding_of(scope["headers"])
        if reader.pending_bytes:
            reader.admit(scope)  # before its body, which may be large, is read
        message = await receive()
        if coding is None and is_whole(message, reader.inline_bytes):
            return self._read(message.get("body", b""))
        with reader.pending() as pending:
            body = await reader.rest(message, scope, receive, pending)
            if coding is not None:
                body = await reader.inflate(body, coding, pending)
                if len(body) <= INLINE_BYTES:
                    return self._read(body)
            body = unmarked(body)
            structure = await self._survey(body, pending) if len(body) > SURVEYED_BYTES else None
            decoded = await reader.thread.run(Urgency.PARSE, self._read, body, structure)
            pending.learn_row_size(len(decoded.batch))
            return decoded

    def _read(self, body: bytes, structure: Structure | None = None) -> R:
        """Decode a body and check that the model takes its rows; raises Refused."""
        decoded = self.codec.read(body, structure)
        self.predictor.admit(decoded.batch)
        if decoded.batch.lacking:
            self.capture.lacked(decoded.batch.lacks, decoded.batch.lacking)
        return decoded

    async def _survey(self, body: bytes, pending: Pending) -> Structure:
        """Return the structure of a large body; Refused if there is no room for it."""
        structure = await self.reader.thread.run(Urgency.SURVEY, self._structure, body, pending)
        rows = self.extent.least_rows(structure)
        pending.expect(rows)
        self.batcher.admit(rows)
        return structure

    def _structure(self, body: bytes, pending: Pending) -> Structure:
        """Return the structure of a body, if there is still room for it; called in the body thread."""
        pending.refuse()
        return survey(body, self.extent.refuse)

    async def _predict(self, request: QueuedRequest, receive: Receive) -> Answer:
        """Return the model's answer; a queued request is cancelled if its client disconnects."""
        waits = self.batcher.is_slow
        answer = self.batcher.submit(request)
        if not waits:
            return await answer
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise ClientDisconnect
            return answer.result()
        finally:
            gone.cancel()
            answer.cancel()

    async def _acknowledged(self, log: ModelLog) -> None:
        """Wait until the prediction log has the rows; a log that fails or takes too long does not fail the answer.

        After one that took too long no answer waits, until rows are written again.
        """
        try:
            await asyncio.wait_for(asyncio.wrap_future(log.written()), ACKNOWLEDGED_SECONDS)
        except TimeoutError:
            log.let_go()
            late = f"the prediction log did not write within {ACKNOWLEDGED_SECONDS:g} s; rows were answered before"
            self.capture.problems.record(NOT_ACKNOWLEDGED, TimeoutError(late))

    def _refusal(
        self, reason: Reason, message: str, detail: Mapping[str, object], headers: Sequence[Header] = ()
    ) -> Reply:
        retry = [(b"retry-after", text.encode()) for text in retry_after(detail).values()]
        help_headers = (*_HELP.get(reason, ()), *retry, *headers)
        return reply_of(status_of(reason), self.codec.error(reason, message, detail), *help_headers)


async def _disconnected(receive: Receive) -> None:
    """Return once the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


def closing(scope: AsgiScope, error: Refused) -> Sequence[Header]:
    """Return `Connection: close` if the client sent `Expect: 100-continue`, or its body was refused unread."""
    headers = headers_of(scope)
    unread = error.reason is Reason.BODY_TOO_LARGE or b"expect" in headers
    if error.reason in _EARLY:  # small bodies have usually arrived already
        unread = unread or stated_length(scope) > SURVEYED_BYTES or b"transfer-encoding" in headers
    return [(b"connection", b"close")] if unread else []
