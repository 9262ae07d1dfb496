"""Predicting over HTTP: from a body to an answer, whatever the wire format; `predict` and `infer` have one each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from driftgauge.drift.bins import FloatArray
from driftgauge.edges.formats.fields import unmarked
from driftgauge.edges.formats.large.extent import Extent
from driftgauge.edges.formats.large.structure import Structure, survey
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
from driftgauge.edges.http.errors import INTERNAL, REQUEST_FAILED, RETRY_AFTER_SECONDS, status_of
from driftgauge.errors import ModelFailed, Reason, Refused
from driftgauge.models.predictor import Batch, Predictor
from driftgauge.monitor.capture import Capture
from driftgauge.monitor.problems import Problems
from driftgauge.serving.batcher import Batcher
from driftgauge.serving.request import Answer, QueuedRequest

INLINE_ROWS: Final = 256
"""Answers of so many rows are written on the event loop, larger ones in a thread."""
Header = tuple[bytes, bytes]
_HELP: Final[Mapping[Reason, Sequence[Header]]] = {
    Reason.OVERLOADED: [(b"retry-after", b"%d" % RETRY_AFTER_SECONDS)],
    Reason.UNSUPPORTED_ENCODING: [(b"accept-encoding", READ.encode())],
}
"""Headers that say how to ask instead, or when."""
_JSON: Final = (b"content-type", b"application/json")


class DecodedRequest(Protocol):
    """A request that was understood."""

    @property
    def batch(self) -> Batch:
        """Its rows."""

    @property
    def event(self) -> FloatArray | None:
        """Their event times in seconds since 1970, shape [n]; None if it has none."""


R = TypeVar("R", bound=DecodedRequest)


class Codec(Protocol[R]):
    """A wire format of requests to predict, of their answers and of errors."""

    def read(self, body: bytes, structure: Structure | None = None) -> R:
        """Understand a body, a large one by its structure; raises Refused."""

    def write(self, asked: R, answer: Answer, arrival: float) -> bytes:
        """Return the answer's body; `arrival` is in seconds since 1970."""

    def error(self, reason: Reason, message: str, detail: Mapping[str, object]) -> bytes:
        """Return an error's body."""


class Reply(NamedTuple):
    """A whole answer over HTTP."""

    status: int
    headers: list[Header]
    body: bytes

    def response(self) -> Response:
        """Return it as FastAPI's routes answer."""
        return Response(self.body, self.status, {name.decode(): value.decode() for name, value in self.headers})


def reply_of(status: int, body: bytes, *more: Header) -> Reply:
    """Return a reply of JSON."""
    return Reply(status, [_JSON, (b"content-length", b"%d" % len(body)), *more], body)


@dataclass(frozen=True)
class PredictionEndpoint(Generic[R]):
    """One way to ask for predictions: all rows of a request are answered, or none."""

    wire: Codec[R]
    intake: BodyReader
    extent: Extent
    batcher: Batcher
    predictor: Predictor
    capture: Capture
    failures: Problems
    clock: Callable[[], float]

    async def answer(self, request: Request) -> Response:
        """Answer a request as FastAPI's routes do; `front` answers the same ones by a shorter way."""
        try:
            reply = await self.reply(request.scope, request.receive)
        except ClientDisconnect:
            raise
        except Exception as error:
            reply = self.broken(error)
        return reply.response()

    async def reply(self, scope: Scope, receive: Receive) -> Reply:
        """Answer a request; raises ClientDisconnect if nobody is there any more."""
        started = time.perf_counter()
        arrival = self.clock()
        asked: R | None = None
        try:
            self.batcher.admit()  # before any work: under overload this is what most requests cost
            asked = await self._understood(scope, receive)
            answer = await self._answered(QueuedRequest(asked.batch, arrival, asked.event, started), receive)
            if len(answer.labels) <= INLINE_ROWS:
                body = self.wire.write(asked, answer, arrival)
            else:
                body = await self.intake.lane.run(Urgency.ANSWER, self.wire.write, asked, answer, arrival)
            return reply_of(200, body)
        except Refused as error:
            return self.refused(error, hangs_up(scope, error) if asked is None else ())
        except ModelFailed as error:
            self.capture.failed(len(asked.batch) if asked else 0)
            self.failures.record(Reason.MODEL_FAILED, error)
            return self._refusal(Reason.MODEL_FAILED, f"{error}; nothing was predicted", {})

    def refused(self, error: Refused, headers: Sequence[Header] = ()) -> Reply:
        """Answer and count a request that is refused."""
        self.capture.refused(error.reason)
        return self._refusal(error.reason, error.message, error.detail, headers)

    def broken(self, error: Exception) -> Reply:
        """Answer a request that failed in a way that nobody thought of; the log says more."""
        self.failures.record(REQUEST_FAILED, error)
        return self._refusal(Reason.INTERNAL_ERROR, INTERNAL, {})

    async def _understood(self, scope: Scope, receive: Receive) -> R:
        """Understand a body, a large one in a thread, so that the event loop goes on answering others."""
        intake, coding = self.intake, coding_of(scope["headers"])
        if intake.pending_bytes:
            intake.admit(scope)  # before its body is read, which perhaps is large
        message = await receive()
        if coding is None and is_whole(message, intake.inline_bytes):
            return self._read(message.get("body", b""))
        with intake.pending() as pending:
            body = await intake.rest(message, scope, receive, pending)
            if coding is not None:
                body = await intake.inflated(body, coding, pending)
                if len(body) <= INLINE_BYTES:
                    return self._read(body)
            body = unmarked(body)
            structure = await self._surveyed(body, pending) if len(body) > SURVEYED_BYTES else None
            asked = await intake.lane.run(Urgency.PARSE, self._read, body, structure)
            pending.understood(len(asked.batch))
            return asked

    def _read(self, body: bytes, structure: Structure | None = None) -> R:
        """Understand a body whose rows the model takes; raises Refused."""
        asked = self.wire.read(body, structure)
        self.predictor.admit(asked.batch)
        return asked

    async def _surveyed(self, body: bytes, pending: Pending) -> Structure:
        """Return the structure of a large body; Refused if a request cannot have it, or the queue not take its rows."""
        structure = await self.intake.lane.run(Urgency.SURVEY, self._survey, body, pending)
        rows = self.extent.least_rows(structure)
        pending.expect(rows)
        self.batcher.admit(rows)
        return structure

    def _survey(self, body: bytes, pending: Pending) -> Structure:
        """Return the structure of a body for which there is room still, now that it has its turn."""
        pending.refuse()
        return survey(body, self.extent.refuse)

    async def _answered(self, request: QueuedRequest, receive: Receive) -> Answer:
        """Return the model's answer; a request that has to wait is taken out of the queue if its client goes away."""
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

    def _refusal(
        self, reason: Reason, message: str, detail: Mapping[str, object], headers: Sequence[Header] = ()
    ) -> Reply:
        return reply_of(status_of(reason), self.wire.error(reason, message, detail), *_HELP.get(reason, ()), *headers)


async def _disconnected(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def hangs_up(scope: Scope, error: Refused) -> Sequence[Header]:
    """Return what ends a connection whose client may be sending, or waiting to send, a body that nobody reads."""
    headers = headers_of(scope)
    unread = error.reason is Reason.BODY_TOO_LARGE or b"expect" in headers
    if error.reason is Reason.OVERLOADED:  # what is small has come already, most of the time
        unread = unread or stated_length(scope) > SURVEYED_BYTES or b"transfer-encoding" in headers
    return [(b"connection", b"close")] if unread else []
