"""uvicorn's supervisor, which never waits for a worker while it watches over the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from socket import socket
from typing import Final

from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors.multiprocess import Multiprocess, Process

HUNG_SECONDS: Final = 60.0
"""A worker that does not answer its supervisor for so long is taken for hung; to start takes part of that."""
LATE_SECONDS: Final = 5.0
"""So long after the grace a worker that is told to stop is killed."""

log = logging.getLogger("uvicorn.error")


class Supervisor(Multiprocess):
    """Starts workers and replaces those that die or hang; signals mean what they mean to uvicorn.

    uvicorn asks a worker whether it is well and waits for the answer. One that starts cannot answer yet, and one
    that is killed while it is asked never does; meanwhile no other is replaced and no signal is heard. Here all are
    asked, and nobody is waited for.
    """

    def __init__(
        self,
        config: Config,
        sockets: list[socket],
        grace_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(config, sockets)
        self._clock = clock
        self._grace = grace_seconds
        self._asked: dict[int, float] = {}
        """When each worker was asked that has not answered yet, by its id."""

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have died, or have not answered for too long."""
        for place, worker in enumerate(self.processes):
            if self.should_exit.is_set() or self._is_well(worker):
                continue
            worker.kill()
            worker.join()
            self._asked.pop(worker.pid or 0, None)
            if worker.exitcode == STARTUP_FAILURE:
                log.error("Child process [%s] failed to start, stopping the parent process.", worker.pid)
                self.should_exit.set()
                return
            log.info("Child process [%s] died", worker.pid)
            self.processes[place] = Process(self.config, self.sockets)
            self.processes[place].start()

    def _is_well(self, worker: Process) -> bool:
        if not worker.process.is_alive():
            return False
        now, pid = self._clock(), worker.pid or 0
        try:
            if pid not in self._asked:
                worker.parent_conn.send(b"ping")
                self._asked[pid] = now
            while worker.parent_conn.poll(0):
                worker.parent_conn.recv()
                self._asked.pop(pid, None)
        except (OSError, EOFError):
            return False
        return now - self._asked.get(pid, now) < HUNG_SECONDS

    def join_all(self) -> None:
        """Wait until all workers have left, and end those that do not."""
        deadline = self._clock() + self._grace + LATE_SECONDS
        for worker in self.processes:
            worker.process.join(max(0.0, deadline - self._clock()))
            if worker.process.is_alive():
                log.error("Child process [%s] did not stop in time: it is killed", worker.pid)
                worker.process.kill()
            worker.join()
