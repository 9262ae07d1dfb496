"""A process that answers prediction requests of one version, without a network: it counts or times what they execute.

It reads commands and writes answers, a line of JSON each. Counts are of the thread of the event loop, which answers
requests of a fast model alone.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from statistics import median
from types import CodeType, FrameType
from typing import Any, Final

import driftgauge
from driftgauge.main import create_app
from driftgauge.process.logs import configure_logs
from driftgauge.settings.options import Settings

HEADERS: Final = [(b"host", b"localhost"), (b"content-type", b"application/json")]
WARM_UP: Final = 200
"""Requests before the first that counts."""
Answer = Callable[[], Awaitable[None]]


class Executed:
    """What a thread executes: calls of functions, and the instructions of Python's bytecode."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.instructions = 0

    def profile(self, frame: FrameType, event: str, argument: Any) -> None:
        """Count a call, for `sys.setprofile`; a task that goes on is a call of its coroutine."""
        if event == "call":
            self.calls[named(frame.f_code)] += 1
        elif event == "c_call":
            self.calls[f"{argument.__module__ or type(argument.__self__).__name__}.{argument.__qualname__}"] += 1

    def trace(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        """Count an instruction, for `sys.settrace`."""
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            self.instructions += 1
        return self.trace


def named(code: CodeType) -> str:
    """Return a function's name with that of its file, without the folders that differ between versions."""
    return f"{'/'.join(Path(code.co_filename).parts[-3:])}:{code.co_qualname}"


async def counted(answer: Answer, requests: int) -> Mapping[str, Any]:
    """Return the medians of a request's calls and instructions, and the total of each function's calls."""
    calls, instructions, every = [], [], Counter[str]()
    for _ in range(requests):
        seen = Executed()
        sys.setprofile(seen.profile)
        try:
            await answer()
        finally:
            sys.setprofile(None)
        calls.append(seen.calls.total())
        every.update(seen.calls)
    for _ in range(requests):
        seen = Executed()
        sys.settrace(seen.trace)
        try:
            await answer()
        finally:
            sys.settrace(None)
        instructions.append(seen.instructions)
    return {"calls": median(calls), "instructions": median(instructions), "of": every}


async def timed(answer: Answer, requests: int) -> Mapping[str, Any]:
    """Return the CPU time of a request in microseconds, of all threads of the process."""
    began = time.process_time_ns()
    for _ in range(requests):
        await answer()
    return {"cpu_us": (time.process_time_ns() - began) / requests / 1e3}


def answering(app: Any, body: bytes) -> Answer:
    """Return what lets an application answer a prediction request."""
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/predict", "scheme": "http"}

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        if message.get("status", 200) != 200:
            raise RuntimeError(f"status {message['status']}")

    async def answer() -> None:
        await app({**scope, "headers": HEADERS, "state": {}}, receive, send)

    return answer


async def work(body: bytes) -> None:
    """Answer commands until the input ends."""
    settings = Settings(log_level="error", evaluation_interval_seconds=600, evaluation_stale_seconds=1_200)
    configure_logs(settings.log_level, settings.log_format)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        answer = answering(app, body)
        await timed(answer, WARM_UP)
        print(json.dumps({"file": driftgauge.__file__}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            command, requests = json.loads(line)
            print(json.dumps(await {"count": counted, "time": timed}[command](answer, requests)), flush=True)


def main() -> None:
    """Answer requests with the body of a file, whose name the command line has."""
    import uvloop

    uvloop.run(work(Path(sys.argv[1]).read_bytes()))


if __name__ == "__main__":
    main()
