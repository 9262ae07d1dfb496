from __future__ import annotations

import asyncio

from driftgauge.library.exchange import answered, own_scope
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


def test_an_answer_in_pieces_is_joined() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["body"] == b""
        await StreamingResponse(iter(["one ", "two"]), status_code=201, headers={"x-own": "1"})(scope, receive, send)

    answer = asyncio.run(answered(app, own_scope({"type": "http", "method": "GET", "path": "/", "headers": []})))
    assert (answer.status, answer.body) == (201, b"one two")
    assert (b"x-own", b"1") in answer.headers


def test_a_scope_keeps_the_request_and_leaves_the_application_behind() -> None:
    scope = own_scope({"method": "GET", "path": "/a", "headers": [], "app": object(), "state": {}, "user": "me"})
    assert {"method", "path", "headers", "type", "root_path"} <= scope.keys()
    assert not {"app", "state", "user"} & scope.keys()
