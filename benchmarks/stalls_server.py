"""A server whose event loop is watched by a timer: for each line on its input it says how late the timer was since."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path
from typing import Final

import orjson
import uvicorn

from app.edges.http.protocol import LimitedProtocol
from app.logs import configure_logs
from app.main import create_app
from app.settings import Settings

TIMER_SECONDS: Final = 0.005


class Timer:
    """Wakes every few milliseconds and notes how much too late."""

    def __init__(self) -> None:
        self._late: list[float] = []

    async def run(self) -> None:
        """Go on for ever."""
        while True:
            due = time.perf_counter() + TIMER_SECONDS
            await asyncio.sleep(TIMER_SECONDS)
            self._late.append(max(0.0, time.perf_counter() - due))

    def taken(self) -> list[float]:
        """Return what was noted since the last time, in seconds."""
        late, self._late = self._late, []
        return late


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
