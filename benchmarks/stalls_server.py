"""A server whose event loop is watched by a timer: for each line on its input it says how late the timer was since.

On Linux the kernel tells how long each thread waited for a core. A thread that waits while it
holds the interpreter holds up the event loop as well, and on a shared machine that is most of what
is late: both figures are told.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson
import uvicorn
from driftgauge.edges.http.connection.protocol import LimitedProtocol
from driftgauge.main import create_app
from driftgauge.process.logs import configure_logs
from driftgauge.settings.options import Settings

TIMER_SECONDS: Final = 0.005


class Timer:
    """Wakes every few milliseconds and notes how much too late, and how much of that no thread waited for a core."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []

    async def run(self) -> None:
        """Go on for ever."""
        waited = waited_seconds()
        while True:
            due = time.perf_counter() + TIMER_SECONDS
            await asyncio.sleep(TIMER_SECONDS)
            late = max(0.0, time.perf_counter() - due)
            before, waited = waited, waited_seconds()
            self._late.append((late, own_share(late, before, waited)))

    def taken(self) -> list[tuple[float, float]]:
        """Return what was noted since the last time, in seconds."""
        late, self._late = self._late, []
        return late


def waited_seconds() -> Mapping[int, float]:
    """Return how long each thread of this process has waited for a core; nothing where the kernel does not say."""
    found = {}
    for thread in threading.enumerate():
        number = thread.native_id
        with suppress(OSError):
            of_thread = Path(f"/proc/self/task/{number}/schedstat").read_text().split()
            if number is not None:
                found[number] = int(of_thread[1]) / 1e9
    return found


def own_share(late: float, before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Return the part of a delay that is left without the longest time that a thread waited for a core meanwhile."""
    return max(0.0, late - max((after[own] - before[own] for own in after if own in before), default=0.0))


async def serve(bundle: Path, port: int, timer: Timer) -> None:
    """Serve a bundle until told to stop."""
    settings = Settings(bundle=bundle, state_dir=Path("memory"), log_level="error")
    configure_logs(settings.log_level, settings.log_format)
    config = uvicorn.Config(
        create_app(settings), port=port, log_config=None, access_log=False, http=LimitedProtocol, ws="none"
    )
    watched = asyncio.create_task(timer.run())
    try:
        await uvicorn.Server(config).serve()
    finally:
        watched.cancel()


def answer(timer: Timer) -> None:
    """Answer each line of the input with a list of delays."""
    for _ in sys.stdin:
        sys.stdout.write(orjson.dumps(timer.taken()).decode() + "\n")
        sys.stdout.flush()


def main() -> None:
    """Serve the bundle and on the port that the command line names."""
    import uvloop

    timer = Timer()
    threading.Thread(target=answer, args=(timer,), daemon=True).start()
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2]), timer))


if __name__ == "__main__":
    main()
