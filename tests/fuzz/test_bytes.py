"""Hostile bytes, through real sockets and straight into the application."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from driftgauge.edges.http.routes import ROUTES
from driftgauge.main import create_app
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from tests.effort import examples
from tests.examples import MAKERS, Example, quiet
from tests.fuzz import bodies, wire
from tests.fuzz.judging import exchange, faults
from tests.served import Served, served

PREDICTING = ["/predict", "/v2/models/{model_name}/infer"]
QUICK: dict[str, Any] = {"head_timeout_seconds": 1.0, "body_timeout_seconds": 1.0, "max_body_bytes": 50_000}
KINDS = ["tolerant", "binary", "text"]


def paths_of(example: Example) -> list[str]:
    """Return the path of every route, and those that predict once more for each other path."""
    info = example.bundle.info
    names = {"model_name": info.name, "name": info.name, "model_version": info.version, "version": info.version}
    paths = [re.sub(r"{(\w+)}", lambda found: names.get(found[1], "Watchdog"), route.path) for route in ROUTES]
    predicting = [path.format_map(names) for path in PREDICTING]
    return [*paths, *predicting * (len(paths) // len(predicting))]


@pytest.fixture(scope="module", params=KINDS)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Example:
    return MAKERS[request.param](tmp_path_factory.mktemp("fuzz") / request.param)


@pytest.fixture(scope="module")
def server(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state = tmp_path_factory.mktemp("state")
    with served(example, state_dir=state, prediction_log=True, **QUICK) as running:
        yield running


@settings(max_examples=examples(200))
@given(data=st.data())
def test_no_bytes_on_a_connection_are_answered_with_a_fault(
    server: Served, example: Example, data: st.DataObject
) -> None:
    asked = data.draw(wire.conversations(paths_of(example), bodies.hostile(example)))
    port = server.client.base_url.port or 0
    assert faults(exchange(port, asked)) == []
    row = example.rows(1)[0]
    assert server.predict({"features": row}).status_code == 200, "others are served"


class InProcess:
    """An application without a server: requests are its messages."""

    def __init__(self, example: Example) -> None:
        self._app = create_app(quiet(**QUICK), bundle=example.bundle)
        self._runner = asyncio.Runner()
        self._lifespan = self._app.router.lifespan_context(self._app)

    def __enter__(self) -> InProcess:
        self._state = self._runner.run(self._lifespan.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._lifespan.__aexit__(None, None, None))
        self._runner.close()

    def ask(
        self, path: str, method: str, headers: list[tuple[bytes, bytes]], pieces: list[bytes], *, stays: bool
    ) -> bytes:
        """Return the answer as bytes; the client goes after the last piece unless it `stays`."""
        return self._runner.run(self._ask(path, method, headers, pieces, stays=stays))

    async def _ask(
        self, path: str, method: str, headers: list[tuple[bytes, bytes]], pieces: list[bytes], *, stays: bool
    ) -> bytes:
        last = len(pieces) - 1
        messages: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": not (stays and index == last)}
            for index, piece in enumerate(pieces)
        ]
        answer: list[bytes] = []

        async def receive() -> Message:
            if messages:
                return messages.pop(0)
            if stays:
                await asyncio.sleep(30.0)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.append(b"HTTP/1.1 %d X\r\n" % message["status"])
                answer.extend(b"%s: %s\r\n" % header for header in message["headers"])
            else:
                answer.append(b"\r\n" + message.get("body", b""))

        bare, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": bare,
            "raw_path": bare.encode(),
            "root_path": "",
            "query_string": query.encode("utf-8", "replace"),
            "headers": headers,
            "state": dict(self._state or {}),
            "client": ("127.0.0.1", 5),
            "server": ("127.0.0.1", 80),
        }
        await asyncio.wait_for(self._app(scope, receive, send), 30.0)
        return b"".join(answer)


@pytest.fixture(scope="module")
def in_process(example: Example) -> Iterator[InProcess]:
    with InProcess(example) as application:
        yield application


fields = st.lists(
    st.tuples(st.sampled_from(wire.NAMES).map(bytes.lower), st.sampled_from(wire.VALUES) | st.binary(max_size=8)),
    max_size=4,
)


@settings(max_examples=examples(300))
@given(data=st.data())
def test_no_message_to_the_application_is_answered_with_a_fault(
    in_process: InProcess, example: Example, data: st.DataObject
) -> None:
    body, coding = data.draw(bodies.encoded(bodies.hostile(example)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=3)))
    pieces = [body[first:last] for first, last in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    path = data.draw(st.sampled_from(paths_of(example)) | st.text(max_size=20).map("/".__add__))
    method = data.draw(st.sampled_from(["POST", "POST", "POST", "GET", "HEAD", "OPTIONS", "PUT", "X"]))
    headers = [(b"host", b"127.0.0.1"), *coding, *data.draw(fields)]
    assert faults(in_process.ask(path, method, headers, pieces, stays=data.draw(st.booleans()))) == []
