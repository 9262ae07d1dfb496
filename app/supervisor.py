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
    that is killed while it is asked never does; meanwhile no other is replaced and no signal is heard. A reload too
    it waits for, worker by worker. Here all are asked, a reload goes on step by step, and nobody is waited for.
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
        self._serving: set[int] = set()
        """Ids of workers that have said that they serve."""
        self._outdated: list[Process] = []
        """What a reload has still to replace, the next one first."""
        self._successor: tuple[Process, float] | None = None
        """Of the first of these, not serving yet, and when it was started."""
        self._leaving: list[tuple[Process, float]] = []
        """Workers that were told to stop, and until when they may take."""
        self._reload_again = False

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have died, or have not answered for too long, and carry on a reload."""
        self._replace_the_dead()
        self._leaving = [(worker, until) for worker, until in self._leaving if not self._has_left(worker, until)]
        if not self.should_exit.is_set():
            self._carry_on_reload()

    def restart_all(self) -> None:
        """Begin to replace every worker, each once its successor serves; the one before is finished first."""
        if self._outdated:
            self._reload_again = True
        else:
            self._outdated = list(self.processes)

    def terminate_all(self) -> None:
        """Tell all workers to stop, one that was about to take the place of another too."""
        if self._successor:
            self.processes.append(self._successor[0])
        super().terminate_all()

    def join_all(self) -> None:
        """Wait until all workers have left, and end those that do not."""
        until = self._clock() + self._grace + LATE_SECONDS
        for worker in [*self.processes, *(worker for worker, _ in self._leaving)]:
            worker.process.join(max(0.0, until - self._clock()))
            self._end_late(worker)

    def _replace_the_dead(self) -> None:
        for place, worker in enumerate(self.processes):
            if self.should_exit.is_set() or self._is_well(worker):
                continue
            self._end(worker)
            if worker.exitcode == STARTUP_FAILURE:
                log.error("Child process [%s] failed to start, stopping the parent process.", worker.pid)
                self.should_exit.set()
                return
            log.info("Child process [%s] died", worker.pid)
            self.processes[place] = self._started()

    def _carry_on_reload(self) -> None:
        self._outdated = [worker for worker in self._outdated if worker in self.processes]
        if self._successor:
            self._succeed(*self._successor)
        elif self._outdated and not self._leaving:  # never more than one process more than there are workers
            self._successor = self._started(), self._clock()
        elif self._reload_again and not self._outdated:
            self._reload_again, self._outdated = False, list(self.processes)

    def _succeed(self, successor: Process, started: float) -> None:
        """Put a new worker in the place of an old one once it serves; give the reload up if it does not in time."""
        if not self._is_well(successor) or self._clock() - started >= HUNG_SECONDS:
            log.error("New child process [%s] did not start: the reload is given up", successor.pid)
            self._end(successor)
            self._successor, self._outdated = None, []
        elif successor.pid in self._serving:
            self._successor = None
            old = self._made_way(successor)
            old.terminate()
            self._leaving.append((old, self._clock() + self._grace + LATE_SECONDS))

    def _made_way(self, successor: Process) -> Process:
        """Put a worker in the place of an outdated one and return that, or the worker itself if all others died."""
        if not self._outdated:
            return successor
        old = self._outdated.pop(0)
        self.processes[self.processes.index(old)] = successor
        return old

    def _is_well(self, worker: Process) -> bool:
        if not worker.process.is_alive():
            return False
        now, pid = self._clock(), worker.pid or 0
        try:
            if pid not in self._asked:
                worker.parent_conn.send(b"ping")
                self._asked[pid] = now
            while worker.parent_conn.poll(0):
                if worker.parent_conn.recv():
                    self._serving.add(pid)
                self._asked.pop(pid, None)
        except (OSError, EOFError):
            return False
        return now - self._asked.get(pid, now) < HUNG_SECONDS

    def _has_left(self, worker: Process, until: float) -> bool:
        """Return whether a worker that was told to stop is gone; one that is late is ended."""
        if worker.process.is_alive() and self._clock() < until:
            return False
        self._end_late(worker)
        return True

    def _end_late(self, worker: Process) -> None:
        if worker.process.is_alive():
            log.error("Child process [%s] did not stop in time: it is killed", worker.pid)
        self._end(worker)

    def _end(self, worker: Process) -> None:
        worker.kill()
        worker.join()
        self._asked.pop(worker.pid or 0, None)
        self._serving.discard(worker.pid or 0)

    def _started(self) -> Process:
        worker = Process(self.config, self.sockets)
        worker.start()
        return worker
