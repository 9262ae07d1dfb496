"""uvicorn's supervisor, which never waits for a worker while it watches over the others."""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Callable
from multiprocessing import resource_tracker
from socket import socket
from typing import Final

from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors.multiprocess import Multiprocess, Process

HUNG_SECONDS: Final = 60.0
"""A worker that has served, and then does not answer for so long, is taken for hung."""
START_SECONDS: Final = 600.0
"""So long a worker may take to start: where there are more of them than cores, or a large model is read."""
MOST_PAUSE_SECONDS: Final = 30.0
"""Until the next attempt where workers end before they serve, each time twice as long."""
OUTDATED: Final = 4
"""What a worker exits with that finds something else to serve than the others were told to."""
LATE_SECONDS: Final = 5.0
"""So long after the grace a worker that is told to stop is killed, and so long a killed one is waited for."""

log = logging.getLogger("uvicorn.error")


class Worker(Process):
    """A worker process, which is asked how it is without waiting for its answer."""

    def __init__(self, config: Config, sockets: list[socket], now: float) -> None:
        super().__init__(config, sockets)
        self.serves = False
        """Whether it has said that it serves."""
        self.began: Final = now
        self._asked: float | None = None
        """When it was asked, if it has not answered since."""

    def start(self) -> None:
        """Start the process; until it is ready Ctrl-C, which comes to all of a terminal, is the supervisor's alone."""
        resource_tracker.ensure_running()  # which unblocks signals when it starts
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # which the process has from this one
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])

    def failure(self, now: float) -> str | None:
        """Ask again if it has answered; says what is wrong if it is dead, or has left a question open for too long."""
        if not self.process.is_alive():
            return _end_of(self.exitcode)
        try:
            if self._asked is None:
                self.parent_conn.send(b"ping")
                self._asked = now
            while self.parent_conn.poll(0):
                self.serves = bool(self.parent_conn.recv())
                self._asked = None
        except (OSError, EOFError):
            return "its pipe is broken"
        patience = HUNG_SECONDS if self.serves else START_SECONDS
        if self._asked is not None and now - self._asked >= patience:
            return f"it has not answered for {patience:g} s"
        return None

    def end(self) -> None:
        """Kill it, if it still lives."""
        self.kill()
        self.process.join(LATE_SECONDS)


def _end_of(exitcode: int | None) -> str:
    if exitcode is None or exitcode >= 0:
        return f"it ended with exit code {exitcode}"
    try:
        return f"it was ended by {signal.Signals(-exitcode).name}"
    except ValueError:
        return f"it was ended by signal {-exitcode}"


class Supervisor(Multiprocess):
    """Starts workers and replaces those that die or hang; signals mean what they mean to uvicorn.

    uvicorn asks a worker whether it is well and waits for the answer, which one that is only starting, or is killed
    meanwhile, does not give; and it waits for each worker of a reload, and for one that is to leave. All the while
    no other is replaced and no signal is heard. Here everything goes on step by step, and nobody is waited for.

    `look` is called before each reload, to look anew at what is to be served; it says whether that can be.
    """

    def __init__(
        self,
        config: Config,
        sockets: list[socket],
        grace_seconds: float,
        look: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(config, sockets)
        self.workers: Final[list[Worker]] = []
        self.failed = False
        """Whether it stops because no worker can start."""
        self._look = look
        self._clock = clock
        self._grace = grace_seconds
        self._ever_served = False
        self._pause = 0.0
        self._start_at = -math.inf
        """When the next worker may be started."""
        self._outdated: list[Worker] = []
        """What a reload has still to replace, the next one first."""
        self._successor: Worker | None = None
        """Of the first of these; it does not serve yet."""
        self._reload_again = False
        self._leaving: list[tuple[Worker, float]] = []
        """Workers that were told to stop, and until when they may take."""

    # ------------------------------------------------------------ what uvicorn's loop calls

    def init_processes(self) -> None:
        """Start the workers."""
        self._fill_up()

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have died, or have not answered for too long, and carry on a reload."""
        self._bury_the_dead()
        self._leaving = [(worker, until) for worker, until in self._leaving if not self._has_left(worker, until)]
        if not self.should_exit.is_set():
            self._fill_up()
            self._carry_on_reload()

    def restart_all(self) -> None:
        """Begin to replace every worker, each once its successor serves; a reload that is under way comes first."""
        if self._outdated or self._successor:
            self._reload_again = True
        elif self._look():
            self._outdated = list(self.workers)

    def handle_ttin(self) -> None:
        """Have one worker more."""
        log.info("Received SIGTTIN, increasing the number of processes.")
        self.processes_num += 1

    def handle_ttou(self) -> None:
        """Have one worker less, but never none."""
        log.info("Received SIGTTOU, decreasing number of processes.")
        if self.processes_num > 1:
            self.processes_num -= 1
            if len(self.workers) > self.processes_num:
                self._let_leave(self.workers.pop())

    def terminate_all(self) -> None:
        """Tell all workers to stop, one that was about to take the place of another too."""
        for worker in [*self.workers, *([self._successor] if self._successor else [])]:
            self._let_leave(worker)
        self.workers.clear()
        self._successor = None

    def join_all(self) -> None:
        """Wait until all workers have left, and end those that do not in time."""
        for worker, until in self._leaving:
            worker.process.join(max(0.0, until - self._clock()))
            self._end_late(worker)
        self._leaving = []

    # ------------------------------------------------------------ workers

    def _fill_up(self) -> None:
        """Start workers until there are as many as there should be; where that fails it is tried again soon."""
        while len(self.workers) < self.processes_num and self._clock() >= self._start_at:
            worker = self._start()
            if worker is None:
                return
            self.workers.append(worker)

    def _start(self) -> Worker | None:
        try:
            worker = Worker(self.config, self.sockets, self._clock())
            worker.start()
        except OSError as error:
            log.error("A child process could not be started: %s", error)
            return None
        return worker

    def _bury_the_dead(self) -> None:
        dead = [(worker, why) for worker in self.workers if (why := worker.failure(self._clock()))]
        for worker, why in dead:
            worker.end()
            self.workers.remove(worker)
            if worker.exitcode == STARTUP_FAILURE and not self._ever_served:
                log.error("Child process [%s] failed to start, stopping the parent process.", worker.pid)
                self.failed = True
                self.should_exit.set()
            elif worker.exitcode != OUTDATED:
                log.error("Child process [%s]: %s; it is replaced", worker.pid, why)
        self._ever_served |= any(worker.serves for worker in self.workers)
        if len(self.workers) >= self.processes_num and all(worker.serves for worker in self.workers):
            self._pause = 0.0
        if any(not worker.serves for worker, _ in dead):
            self._wait_longer()
        if any(worker.exitcode == OUTDATED for worker, _ in dead):
            self._restart_outdated()

    def _wait_longer(self) -> None:
        """Let some time pass until the next worker is started, for the last one ended before it served."""
        self._pause = min(MOST_PAUSE_SECONDS, max(1.0, 2.0 * self._pause))
        self._start_at = self._clock() + self._pause

    def _restart_outdated(self) -> None:
        log.warning("The bundle or the settings have changed since they were read: all workers are replaced")
        self.restart_all()

    def _let_leave(self, worker: Worker) -> None:
        worker.terminate()
        self._leaving.append((worker, self._clock() + self._grace + LATE_SECONDS))

    def _has_left(self, worker: Worker, until: float) -> bool:
        """Say whether a worker that was told to stop is gone; one that is late is ended."""
        if worker.process.is_alive() and self._clock() < until:
            return False
        self._end_late(worker)
        return True

    def _end_late(self, worker: Worker) -> None:
        if worker.process.is_alive():
            log.error("Child process [%s] did not stop in time: it is killed", worker.pid)
        worker.end()

    # ------------------------------------------------------------ reload

    def _carry_on_reload(self) -> None:
        self._outdated = [worker for worker in self._outdated if worker in self.workers]
        if self._successor:
            self._look_at(self._successor)
        elif self._outdated and not self._leaving:  # never more than one process more than there are workers
            self._successor = self._start() if self._clock() >= self._start_at else None
        elif self._reload_again and not self._outdated:
            self._reload_again = False
            self.restart_all()

    def _look_at(self, successor: Worker) -> None:
        """Put a new worker in the place of an old one once it serves; give the reload up if it does not in time."""
        why = successor.failure(self._clock())
        if not why and self._clock() - successor.began >= START_SECONDS:
            why = f"it does not serve after {START_SECONDS:g} s"
        if why:
            successor.end()
            self._successor, self._outdated = None, []
            self._wait_longer()
            if successor.exitcode == OUTDATED:
                self._restart_outdated()
            else:
                log.error("New child process [%s]: %s; the reload is given up", successor.pid, why)
        elif successor.serves:
            self._successor = None
            if self._outdated:
                old = self._outdated.pop(0)
                self.workers[self.workers.index(old)] = successor
                self._let_leave(old)
            else:  # all of them have died, and were replaced, meanwhile
                self._let_leave(successor)
