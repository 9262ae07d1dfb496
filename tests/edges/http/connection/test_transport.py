from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import uvicorn
from driftgauge.edges.http.connection.protocol import LimitedProtocol
from driftgauge.edges.http.connection.transport import JOINED_BYTES, GatheringTransport
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Codec(asyncio.Transport):
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 9)})
        self.done: list[Any] = []
        self.half_closes = True
        self.protocol: asyncio.BaseProtocol = asyncio.Protocol()

    def write(self, data: Any) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append("closed")

    def can_write_eof(self) -> bool:
        return self.half_closes

    def write_eof(self) -> None:
        self.done.append("ended")

    def get_write_buffer_size(self) -> int:
        return 7

    def abort(self) -> None:
        self.done.append("aborted")

    def is_closing(self) -> bool:
        return "closed" in self.done

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.done.append("given away")
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def pause_reading(self) -> None:
        self.done.append("paused")

    def resume_reading(self) -> None:
        self.done.append("resumed")


def after(act: Callable[[GatheringTransport], None], rounds: int = 1) -> list[Any]:
    """What reached the wire when something was done, and the loop came round."""

    async def go() -> list[Any]:
        wire = Codec()
        gathering = GatheringTransport(wire, asyncio.get_running_loop())
        act(gathering)
        for _ in range(rounds):
            await asyncio.sleep(0)
        return list(wire.done)

    return asyncio.run(go())


def test_what_is_written_in_one_turn_is_sent_at_once() -> None:
    def act(transport: GatheringTransport) -> None:
        for part in (b"head", bytearray(b" and "), memoryview(b"body")):
            transport.write(part)

    assert after(act) == [b"head and body"]
    assert after(act, rounds=0) == []


def test_turns_are_sent_apart_and_in_order() -> None:
    async def go() -> list[Any]:
        wire = Codec()
        gathering = GatheringTransport(wire, asyncio.get_running_loop())
        for part in (b"a", b"b", b"c"):
            gathering.write(part)
            await asyncio.sleep(0)
        return wire.done

    assert asyncio.run(go()) == [b"a", b"b", b"c"]


def test_what_is_large_is_not_copied() -> None:
    large = b"x" * (JOINED_BYTES + 1)

    def act(transport: GatheringTransport) -> None:
        transport.write(b"head")
        transport.write(large)

    assert after(act) == [b"head", large]


@pytest.mark.parametrize(
    ("act", "done"),
    [
        (lambda t: t.close(), [b"last", "closed"]),
        (lambda t: t.abort(), ["aborted"]),
        (lambda t: t.set_protocol(asyncio.Protocol()), [b"last", "given away"]),
        (lambda t: (t.pause_reading(), t.resume_reading()), ["paused", "resumed", b"last"]),
    ],
)
def test_nothing_that_was_written_is_lost_but_by_an_abort(act: Callable[[Any], Any], done: list[Any]) -> None:
    def both(transport: GatheringTransport) -> None:
        transport.write(b"last")
        act(transport)

    assert after(both) == done


@pytest.mark.parametrize(
    ("lingers", "half_closes", "once", "twice"),
    [
        (True, True, ["answer", "ended"], ["answer", "ended", "closed"]),
        (False, True, ["answer", "closed"], ["answer", "closed", "closed"]),
        (True, False, ["answer", "closed"], ["answer", "closed", "closed"]),
    ],
)
def test_a_client_that_still_sends_is_read_until_it_closes(
    lingers: bool, half_closes: bool, once: list[Any], twice: list[Any]
) -> None:
    async def go() -> None:
        wire = Codec()
        wire.half_closes = half_closes
        gathering = GatheringTransport(wire, asyncio.get_running_loop(), lambda: lingers)
        gathering.write(b"answer")
        gathering.close()
        assert [part.decode() if isinstance(part, bytes) else part for part in wire.done] == once
        assert gathering.is_closing()
        gathering.close()
        gathering.write(b"too late")
        await asyncio.sleep(0)
        assert wire.done[1:] == twice[1:]

    asyncio.run(go())


def test_what_is_not_yet_given_to_the_transport_counts_as_buffered() -> None:
    async def go() -> None:
        gathering = GatheringTransport(Codec(), asyncio.get_running_loop())
        for part in (b"head", bytearray(b"body")):
            gathering.write(part)
        assert gathering.get_write_buffer_size() == 7 + 8
        await asyncio.sleep(0)
        assert gathering.get_write_buffer_size() == 7

    asyncio.run(go())


def test_it_knows_what_the_transport_knows() -> None:
    async def go() -> None:
        wire = Codec()
        gathering = GatheringTransport(wire, asyncio.get_running_loop())
        assert gathering.get_extra_info("peername") == ("127.0.0.1", 9)
        assert gathering.get_extra_info("nothing", 5) == 5
        assert gathering.get_protocol() is wire.protocol
        assert not gathering.is_closing()
        gathering.close()
        assert gathering.is_closing()

    asyncio.run(go())


def test_uvicorn_serves_over_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(2 * await Request(scope, receive).body())(scope, receive, send)

    async def go() -> None:
        config = uvicorn.Config(
            app, port=0, http=LimitedProtocol, lifespan="off", log_config=None, access_log=False, ws="none"
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for size in (1, 1_000, JOINED_BYTES, 3_000_000):
                answer = await client.post("/", content=b"y" * size)
                assert answer.content == b"y" * 2 * size
        server.should_exit = True
        await running

    asyncio.run(go())
