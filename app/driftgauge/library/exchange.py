"""A request that an ASGI application answers inside the process, without a connection."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Scope

Headers = Sequence[tuple[bytes, bytes]]
_COPIED = ("http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path", "headers")
_OF_CONNECTION = ("client", "server")


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Headers
    body: bytes


def own_scope(scope: Scope) -> MutableMapping[str, Any]:
    """Return a request's scope without what other applications put into it."""
    known = {key: scope[key] for key in (*_COPIED, *_OF_CONNECTION) if key in scope}
    return {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "root_path": "", **known}


async def answered(app: ASGIApp, scope: Scope) -> Answer:
    """Return an application's answer to a request without a body."""
    status, headers, pieces = 500, list[tuple[bytes, bytes]](), list[bytes]()
    is_asked, complete = False, asyncio.Event()

    async def receive() -> Message:
        nonlocal is_asked
        if is_asked:
            await complete.wait()
            return {"type": "http.disconnect"}
        is_asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.extend((bytes(name), bytes(value)) for name, value in message.get("headers", ()))
        elif message["type"] == "http.response.body":
            pieces.append(message.get("body", b""))
            if not message.get("more_body", False):
                complete.set()

    await app(scope, receive, send)
    return Answer(status, headers, b"".join(pieces))
