"""`instrument`: observes the predictions of a route of FastAPI or Starlette, whose code stays as it is."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.routing import Route, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from driftgauge.common.quoting import named
from driftgauge.edges.http.encodings import coding_of, inflated
from driftgauge.errors import Reason, Refused, SettingsError
from driftgauge.library.exchange import Headers
from driftgauge.library.passing import Passing
from driftgauge.library.recorder import Outputs, Recorder
from driftgauge.library.selection import Key, Selector, selector

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from driftgauge.library.monitor import Monitor

METHODS: Final = ("POST", "PUT", "PATCH")
"""Methods of requests that have a body."""
MAX_BYTES: Final = 1_048_576
INLINE_BYTES: Final = 16_384
"""Bodies up to this are read in the event loop, in a tenth of a millisecond; larger ones in a thread."""
_FIRST_FAILURE, _SUCCESSES = 500, range(200, 300)


def instrument(
    app: Starlette,
    monitor: Monitor,
    *,
    route: str,
    features: Key | None = None,
    prediction: Key | None = None,
    prediction_class: Key | None = None,
    max_bytes: int = MAX_BYTES,
) -> None:
    """Observe the requests and answers of a route of an application, before it starts.

    `route` is its path, as `/predict` or `/models/{name}/predict`. `features` says where the rows stand in the JSON
    of a request, `prediction` and `prediction_class` where these stand in the answer: a key like `answer.score`, or a
    function of the parsed body; by default it is the whole body. Bodies of more than `max_bytes` are not read.

    Requests and answers pass through unchanged, and are read after the answer is sent. An answer with a status of 2xx
    counts as a prediction, an exception or a status of 5xx as a failure of the model. What cannot be read is counted
    as rejected, by reason.

    Raises SettingsError if the application has no such route.

    >>> import driftgauge, fastapi, pyarrow
    >>> app = fastapi.FastAPI()
    >>> @app.post("/predict")
    ... def predict(body: dict) -> dict:
    ...     return {"scores": [row["age"] / 100 for row in body["rows"]]}
    >>> training = pyarrow.table({"age": [31, 42, 57, 38] * 50, "prediction": [0.1, 0.4, 0.8, 0.2] * 50})
    >>> with driftgauge.Monitor.open(driftgauge.create_baseline(training)) as monitor:
    ...     driftgauge.instrument(app, monitor, route="/predict", features="rows", prediction="scores")
    """
    _require_route(app, route)
    read = _Reader(selector("features", features), Outputs.of(prediction, prediction_class), max_bytes)
    app.add_middleware(ObservedRoute, route=route, recorder=monitor._recorder(), read=read)


class ObservedRoute:
    """ASGI middleware that observes one route."""

    def __init__(self, app: ASGIApp, route: str, recorder: Recorder, read: _Reader) -> None:
        self._app = app
        self._path = compile_path(route)[0]
        self._recorder = recorder
        self._read = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and observe it."""
        if scope["type"] != "http" or scope["method"] not in METHODS or not self._path.match(_path(scope)):
            await self._app(scope, receive, send)
            return
        passing = Passing(scope["headers"], receive, send, self._read.max_bytes, self._recorder.timer)
        try:
            await self._app(scope, passing.receive, passing.send)
        except Exception:
            passing.fail()
            raise
        finally:
            await self._record(passing)

    async def _record(self, passing: Passing) -> None:
        with suppress(Exception):  # what went wrong is counted; the answer is sent
            if passing.size > INLINE_BYTES:
                await asyncio.to_thread(self._read.record, self._recorder, passing)
            else:
                self._read.record(self._recorder, passing)


class _Reader:
    """Reads the rows of a request, and the predictions of its answer."""

    def __init__(self, features: Selector, outputs: Outputs, max_bytes: int) -> None:
        self.max_bytes: Final = max_bytes
        self._features = features
        self._outputs = outputs

    def record(self, recorder: Recorder, passing: Passing) -> None:
        """Count an answer and observe its rows, or count a failure; other answers are no predictions."""
        if passing.status is None or passing.status >= _FIRST_FAILURE:
            if passing.has_failed or passing.status is not None:
                recorder.failed(self._rows_of_failure(passing))
        elif passing.status in _SUCCESSES:
            try:
                rows = self._features(self._parsed("request", passing.request_headers, passing.request))
                answer = self._parsed("answer", passing.answer_headers, passing.answer)
            except Exception as error:
                recorder.unread(error)
            else:
                recorder.answered(rows, answer, self._outputs, passing.seconds)

    def _rows_of_failure(self, passing: Passing) -> Any:
        """Return the rows on which the model failed; None, which counts as one, if they cannot be read."""
        with suppress(Exception):
            return self._features(self._parsed("request", passing.request_headers, passing.request))
        return None

    def _parsed(self, name: str, headers: Headers, body: bytes | None) -> Any:
        """Return the value of a JSON body. Raises Refused."""
        if body is None:
            raise self._too_large(name)
        coding = coding_of(headers)
        if coding is not None:
            pieces, size = [], 0
            for piece in inflated(body, coding):
                pieces.append(piece)
                size += len(piece)
                if size > self.max_bytes:
                    raise self._too_large(name)
            body = b"".join(pieces)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Refused(Reason.NOT_JSON, f"the {name} of an observed route is not JSON: {error}") from error

    def _too_large(self, name: str) -> Refused:
        message = f"the {name} of an observed route has more than {self.max_bytes:,} bytes: raise max_bytes"
        return Refused(Reason.BODY_TOO_LARGE, message)


def _path(scope: Scope) -> str:
    """Return the path inside the application, of which its templates are."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def _require_route(app: Starlette, route: str) -> None:
    """Raise SettingsError if no route has this path; what is mounted or included is not searched."""
    known = [own.path for own in app.routes if isinstance(own, Route)]
    if route not in known and len(known) == len(app.routes):
        raise SettingsError(
            f"route={route!r}: the application has no such route; it has {named(known)}. Call instrument after its "
            "routes are declared"
        )
