"""The supervisor starts, watches, reloads and stops workers, and waits for none."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Final

import structlog

from driftgauge.process.endings import OUTDATED, STARTUP_FAILURE
from driftgauge.process.generation import KILL_SECONDS, START_SECONDS, Generation, Worker
from driftgauge.process.signals import HARMLESS, REQUESTS, ReceivedSignals

TICK_SECONDS: Final = 0.5
"""Longest sleep of the loop. A worker that ends, a fork server that is ready and a signal wake it at once."""
LONGEST_PAUSE_SECONDS: Final = 30.0
"""Upper limit of the back-off between attempts while workers fail to start; it doubles from 1 s."""


class Supervisor:
    """Keeps a number of workers running, each step of its loop without waiting for any of them.

    Workers are forked from the fork server of the current generation. A reload starts the next generation, which
    reads code, bundle and settings again, and then replaces the workers one by one.
    """

    def __init__(
        self,
        count: int,
        grace_seconds: float,
        begin: Callable[[], Generation],
        ready: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workers: Final[list[Worker]] = []
        self.count = count
        """How many workers there should be."""
        self.refusal = ""
        """Why it stops if no worker could start at all."""
        self.failed = False
        """Whether it stops because the application of the first workers failed to start."""
        self.should_exit = False
        self._begin = begin
        self._ready: Callable[[], None] | None = ready
        self._clock = clock
        self._grace = grace_seconds
        self._generation: Generation | None = None
        """The one that workers are forked from; None until the first is ready."""
        self._next: Generation | None = None
        """The one that is being prepared."""
        self._next_until = math.inf
        """When it counts as hung."""
        self._closed: list[Generation] = []
        """Fork servers that are no longer needed and may still run."""
        self._ever_served = False
        self._pause = 0.0
        self._start_at = -math.inf
        """When the next worker may be started."""
        self._last_was_killed = False
        """Whether the last worker that ended before it served was killed, rather than failed."""
        self._outdated: list[Worker] = []
        """Workers that a reload has still to replace, the next one first."""
        self._successor: Worker | None = None
        """The replacement of the first of these while it starts."""
        self._reload_again = False
        self._leaving: list[tuple[Worker, float]] = []
        """Workers that were told to stop, and when each is killed."""

    def run(self) -> None:
        """Supervise until a signal says to stop, or until no worker can start."""
        with ReceivedSignals((*REQUESTS, *HARMLESS)) as signals:
            structlog.get_logger().info("supervisor_started", workers=self.count)
            self.prepare()
            while not self.should_exit:
                wait([signals.fileno(), *self._connections()], TICK_SECONDS)
                for number in signals.take():
                    self.handle(number)
                self.step()
            self.stop_all()
            self.join_all()
        structlog.get_logger().info("supervisor_stopped")

    def handle(self, number: int) -> None:
        """Do what a signal asks for."""
        structlog.get_logger().info("signal_received", signal=signal.Signals(number).name)
        actions: dict[int, Callable[[], None]] = {
            signal.SIGINT: self.stop,
            signal.SIGTERM: self.stop,
            signal.SIGHUP: self.reload,
            signal.SIGTTIN: self.add_worker,
            signal.SIGTTOU: self.remove_worker,
        }
        if action := actions.get(number):
            action()

    def stop(self) -> None:
        """Stop the service with the current step."""
        self.should_exit = True

    def step(self) -> None:
        """Do what is due now: replace lost workers, and continue a reload."""
        self._replace_lost()
        self._leaving = [(worker, until) for worker, until in self._leaving if not self._has_left(worker, until)]
        if self.should_exit:
            return
        self._check_generations()
        self._fill_up()
        self._continue_reload()
        self._report_ready()

    def reload(self) -> None:
        """Replace every worker once its successor serves; a reload that is under way finishes first."""
        if self._next or self._outdated or self._successor:
            self._reload_again = True
        else:
            self.prepare()

    def add_worker(self) -> None:
        """Run one worker more."""
        self.count += 1

    def remove_worker(self) -> None:
        """Run one worker less, but never none."""
        if self.count > 1:
            self.count -= 1
            if len(self.workers) > self.count:
                self._let_leave(self.workers.pop())

    def stop_all(self) -> None:
        """Tell all workers to stop, and the fork servers."""
        for worker in [*self.workers, *([self._successor] if self._successor else [])]:
            self._let_leave(worker)
        self.workers.clear()
        self._successor = None
        if self._next:
            self._close(self._next)
            self._next = None

    def join_all(self) -> None:
        """Wait until all workers have left, kill those that are late, and end the fork servers."""
        for worker, until in self._leaving:
            worker.join(max(0.0, until - self._clock()))
            self._kill_late(worker)
        self._leaving = []
        if self._generation:
            self._close(self._generation)
        for generation in self._closed:
            generation.join()

    # ------------------------------------------------------------ generations

    def prepare(self) -> None:
        """Start the next generation, which reads code, bundle and settings again."""
        try:
            self._next = self._begin()
            self._next_until = self._clock() + START_SECONDS
        except OSError as error:
            structlog.get_logger().error("cannot_start_process", detail=str(error))
            self._back_off()

    def _check_generations(self) -> None:
        if self._next:
            self._check_next(self._next)
        elif (self._generation is None or self._generation.is_lost) and self._clock() >= self._start_at:
            if self._generation:
                structlog.get_logger().error(
                    "fork_server_lost", hint="another is started, and all workers are replaced"
                )
            self.prepare()
        self._closed = [generation for generation in self._closed if not generation.has_ended()]

    def _check_next(self, following: Generation) -> None:
        """Make the next generation current if it is ready; drop it if it cannot start."""
        refusal = following.refusal()
        if refusal is None and self._clock() >= self._next_until:
            refusal = f"the application does not start within {START_SECONDS:g} s"
        if refusal is None:
            return
        self._next = None
        if not refusal:
            if self._generation:
                self._close(self._generation)
            self._generation = following
            self._outdated = list(self.workers)
            if self._successor:  # it comes from a fork server that was lost
                self._let_leave(self._successor)
                self._successor = None
            return
        self._close(following)
        if self._generation is None:
            self.refusal, self.should_exit = refusal, True
        else:
            structlog.get_logger().error("cannot_reload", detail=refusal)
            self._back_off()

    def _close(self, generation: Generation) -> None:
        generation.close()
        self._closed.append(generation)

    # ------------------------------------------------------------ workers

    def _fill_up(self) -> None:
        """Start the workers that are missing, unless a pause is due or a process cannot be started now."""
        while len(self.workers) < self.count and self._may_start():
            worker = self._start()
            if worker is None:
                return
            self.workers.append(worker)

    def _may_start(self) -> bool:
        """Return whether a worker may start: a pause is for those that fail, or while others serve."""
        without_service = self._last_was_killed and not any(worker.serves for worker in self.workers)
        return without_service or self._clock() >= self._start_at

    def _start(self) -> Worker | None:
        if self._generation is None or self._generation.is_lost:
            return None
        try:
            return self._generation.fork(self._clock())
        except OSError as error:
            structlog.get_logger().error("cannot_start_process", detail=str(error))
            return None

    def _replace_lost(self) -> None:
        """Remove the workers that ended or hang; `_fill_up` replaces them."""
        lost = [(worker, why) for worker in self.workers if (why := worker.failure(self._clock()))]
        for worker, why in lost:
            self._remove_lost(worker, why)
        self._ever_served |= any(worker.serves for worker in self.workers)
        if len(self.workers) >= self.count and all(worker.serves for worker in self.workers):
            self._pause = 0.0
        if early := [worker for worker, _ in lost if not worker.serves]:
            self._last_was_killed = all(worker.was_killed for worker in early)
            self._back_off()
        if any(worker.exit_code == OUTDATED for worker, _ in lost):
            self._reload_outdated()

    def _remove_lost(self, worker: Worker, why: str) -> None:
        worker.end()
        self.workers.remove(worker)
        log = structlog.get_logger()
        if worker.exit_code == STARTUP_FAILURE and not self._ever_served:
            log.error("worker_cannot_start", worker=worker.pid, hint="no worker has served yet, so the service stops")
            self.failed = self.should_exit = True
        elif worker.exit_code != OUTDATED:
            log.error("worker_lost", worker=worker.pid, reason=why, hint="it is replaced")

    def _back_off(self) -> None:
        """Wait before the next start, for the last one failed: twice as long each time."""
        self._pause = min(LONGEST_PAUSE_SECONDS, max(1.0, 2.0 * self._pause))
        self._start_at = self._clock() + self._pause

    def _reload_outdated(self) -> None:
        structlog.get_logger().warning(
            "config_changed", detail="the bundle or the settings have changed since they were read; all workers restart"
        )
        if not self._next:  # one that is being prepared reads the change
            self.reload()

    def _let_leave(self, worker: Worker) -> None:
        worker.terminate()
        self._leaving.append((worker, self._clock() + self._grace + KILL_SECONDS))

    def _has_left(self, worker: Worker, until: float) -> bool:
        """Return whether a worker that was told to stop is gone; a late one is killed."""
        if worker.is_running() and self._clock() < until:
            return False
        self._kill_late(worker)
        return True

    def _kill_late(self, worker: Worker) -> None:
        if worker.is_running():
            structlog.get_logger().error("worker_late", worker=worker.pid, hint="it did not stop in time and is killed")
        worker.end()

    def _report_ready(self) -> None:
        """Report once that all workers serve."""
        if self._ready and len(self.workers) >= self.count and all(worker.serves for worker in self.workers):
            self._ready()
            self._ready = None

    def _connections(self) -> list[Connection]:
        """Return the connections that wake the loop: of workers and fork servers."""
        workers = [*self.workers, *(worker for worker, _ in self._leaving)]
        starting = [self._successor] if self._successor else []
        found = [worker.connection for worker in [*workers, *starting] if worker.connection]
        return [*found, *([self._next.control] if self._next else [])]

    # ------------------------------------------------------------ reload

    def _continue_reload(self) -> None:
        self._outdated = [worker for worker in self._outdated if worker in self.workers]
        if self._successor:
            self._check_successor(self._successor)
        elif self._outdated and not self._leaving:  # never more than one process above the number of workers
            self._successor = self._start() if self._clock() >= self._start_at else None
        elif self._reload_again and not self._outdated and not self._next:
            self._reload_again = False
            self.reload()

    def _check_successor(self, successor: Worker) -> None:
        """Replace an old worker by its successor; abort the reload if that is late."""
        why = successor.failure(self._clock())
        if not why and self._clock() - successor.started_at >= START_SECONDS:
            why = f"it does not serve after {START_SECONDS:g} s"
        if why:
            self._give_up_reload(successor, why)
        elif successor.serves:
            self._successor = None
            self._take_over(successor)

    def _give_up_reload(self, successor: Worker, why: str) -> None:
        successor.end()
        self._successor, self._outdated = None, []
        self._back_off()
        if successor.exit_code == OUTDATED:
            self._reload_outdated()
        else:
            structlog.get_logger().error("reload_given_up", worker=successor.pid, reason=why)

    def _take_over(self, successor: Worker) -> None:
        if self._outdated:
            old = self._outdated.pop(0)
            self.workers[self.workers.index(old)] = successor
            self._let_leave(old)
        else:  # all of them have ended, and were replaced, meanwhile
            self._let_leave(successor)
