"""Requests on a fixed schedule, whether or not earlier ones are answered; run as a process of its own.

A client that waits for an answer before it asks again asks less while the server is slow, and so sees little of
it ("coordinated omission"). Here a latency runs from the time at which a request was due.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import numpy as np
import typer
from pydantic import TypeAdapter

from benchmarks.processes import on_core

OK: Final = 200
MOST_REQUESTS: Final = 1_000_000
BROKEN: Final = 0
"""The status of a request that got no answer."""


@dataclass(frozen=True)
class Asked:
    """A request that is over."""

    due: float
    """When it was to be sent, in seconds since the first."""
    done: float
    """When its answer was there, likewise."""
    status: int
    retry_after: bool
    """Whether the answer said when to try again."""


@dataclass(frozen=True)
class Latency:
    """Quantiles in milliseconds, from the time that requests were due."""

    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True)
class Outcome:
    """What a schedule of requests came to."""

    asked: int
    statuses: dict[str, int]
    good_per_second: float
    """Of the answers that came while requests were sent."""
    good: Latency | None
    refused: Latency | None
    """Of answers with status 503."""
    refused_retry_after: float
    """Share of those that say when to try again; 1 where there are none."""
    late_ms: float
    """The 99th percentile of how late the client itself sent: its own part of the latencies."""


def outcome(every: Sequence[Asked], seconds: float, late: Sequence[float]) -> Outcome:
    """Summarise requests that were due within some seconds."""
    good = [own for own in every if own.status == OK]
    refused = [own for own in every if own.status == 503]
    return Outcome(
        asked=len(every),
        statuses={str(status): count for status, count in sorted(Counter(own.status for own in every).items())},
        good_per_second=sum(own.done <= seconds for own in good) / seconds,
        good=_latency(good),
        refused=_latency(refused),
        refused_retry_after=sum(own.retry_after for own in refused) / len(refused) if refused else 1.0,
        late_ms=1e3 * float(np.quantile(late, 0.99)) if late else 0.0,
    )


def _latency(every: Sequence[Asked]) -> Latency | None:
    if not every:
        return None
    taken = 1e3 * np.array([own.done - own.due for own in every])
    middle, late = np.quantile(taken, [0.5, 0.99]).tolist()
    return Latency(middle, late, float(taken.max()))


# ---------------------------------------------------------------- the client


class Connection(asyncio.Protocol):
    """One connection that is asked one thing at a time; answers must say how long they are."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[tuple[int, bool]] | None = None
        self._received = b""
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to send."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self.open = transport, True

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what was asked."""
        self.open = False
        self._answer((BROKEN, False))

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        status, *fields = head.lower().split(b"\r\n")
        headers = dict(own.split(b":", 1) for own in fields)
        if len(rest) < int(headers.get(b"content-length", b"0")):
            return
        self._received = b""
        if headers.get(b"connection", b"").strip() == b"close" and self._transport:
            self.open = False
            self._transport.close()
        self._answer((int(status.split()[1]), b"retry-after" in headers))

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bool]]:
        """Send a request; gives the status, and whether the answer says when to try again."""
        self._waiting = asyncio.get_running_loop().create_future()
        if self._transport and self.open:
            self._transport.write(request)
        else:
            self._answer((BROKEN, False))
        return self._waiting

    def close(self) -> None:
        """End the connection."""
        if self._transport:
            self._transport.close()

    def _answer(self, answer: tuple[int, bool]) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(answer)


class Client:
    """Sends requests on a schedule, over a limited number of connections; waiting for one counts."""

    def __init__(self, host: str, port: int, requests: Sequence[bytes], connections: int) -> None:
        self._address = (host, port)
        self._requests = requests
        self._free: list[Connection] = []
        self._slots = asyncio.Semaphore(connections)
        self.every: list[Asked] = []
        self.late: list[float] = []

    async def run(self, rate: float, seconds: float, give_up_seconds: float) -> None:
        """Send `rate` requests a second for some seconds, and wait for what is still out."""
        began = time.perf_counter()
        out: set[asyncio.Task[None]] = set()
        for place in range(int(rate * seconds)):
            due = began + place / rate
            if (rest := due - time.perf_counter()) > 0:
                await asyncio.sleep(rest)
            self.late.append(time.perf_counter() - due)
            task = asyncio.create_task(self._ask(self._requests[place % len(self._requests)], due, began))
            out.add(task)
            task.add_done_callback(out.discard)
        if out:
            _, late = await asyncio.wait(out, timeout=give_up_seconds)
            for task in late:
                task.cancel()
        for connection in self._free:
            connection.close()

    async def _ask(self, request: bytes, due: float, began: float) -> None:
        status, retry_after = BROKEN, False
        try:
            async with self._slots:
                connection = await self._connection()
                status, retry_after = await connection.ask(request)
                if connection.open:
                    self._free.append(connection)
        except OSError:
            pass
        finally:
            self.every.append(Asked(due - began, time.perf_counter() - began, status, retry_after))

    async def _connection(self) -> Connection:
        while self._free:
            connection = self._free.pop()
            if connection.open:
                return connection
        _, connection = await asyncio.get_running_loop().create_connection(Connection, *self._address)
        return connection


def http_request(path: str, host: str, body: bytes) -> bytes:
    """Return a POST as it is sent."""
    lines = (f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode() + body


def probe(url: str, bodies: Path, core: int, *, rate: float, seconds: float, connections: int = 256) -> Outcome:
    """Run this module on a core, and return what it found."""
    options = {"--bodies": bodies, "--rate": rate, "--seconds": seconds, "--connections": connections}
    command = [sys.executable, "-m", __name__, url, *(str(part) for option in options.items() for part in option)]
    done = subprocess.run(
        on_core(core, command), capture_output=True, text=True, timeout=seconds + 90.0, cwd=Path(__file__).parents[1]
    )
    if done.returncode:
        raise RuntimeError(f"the open loop ended with {done.returncode}: {done.stderr[-1000:]}")
    return TypeAdapter(Outcome).validate_json(done.stdout)


def main(
    url: Annotated[str, typer.Argument(help="Address that is asked, on this machine.")],
    bodies: Annotated[Path, typer.Option(help="File with a body a line.")],
    rate: Annotated[float, typer.Option(help="Requests a second.", min=0.1, max=20_000)] = 200.0,
    seconds: Annotated[float, typer.Option(help="How long.", min=0.1, max=600)] = 8.0,
    connections: Annotated[int, typer.Option(help="Most connections.", min=1, max=2_000)] = 256,
    give_up: Annotated[float, typer.Option(help="Seconds to wait for the last answers.")] = 30.0,
) -> None:
    """Ask on a fixed schedule and print what came of it as JSON."""
    parts = urlsplit(url)
    if parts.hostname != "127.0.0.1" or parts.port is None:
        raise typer.BadParameter("only a port of 127.0.0.1 is loaded", param_hint="url")
    requests = [
        http_request(parts.path, parts.netloc, line) for line in bodies.read_bytes().splitlines() if line.strip()
    ]
    if rate * seconds > MOST_REQUESTS:
        raise typer.BadParameter(f"at most {MOST_REQUESTS:,} requests are sent", param_hint="--rate")
    client = Client("127.0.0.1", parts.port, requests, connections)
    print(TypeAdapter(Outcome).dump_json(asyncio.run(_run(client, rate, seconds, give_up))).decode())


async def _run(client: Client, rate: float, seconds: float, give_up: float) -> Outcome:
    gc.collect()
    gc.freeze()
    gc.disable()  # its pauses would count as the server's
    await client.run(rate, seconds, give_up)
    return outcome(client.every, seconds, client.late)


if __name__ == "__main__":
    typer.run(main)
