"""The thread that follows aliases: in one worker of a server, which holds a lock that ends with its process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

from driftgauge.common.private_files import FileLock
from driftgauge.registry.follower import Follower
from driftgauge.registry.following import Following
from driftgauge.registry.recording import VerdictRecorder

STEP_SECONDS: Final = 1.0
"""Time between two looks at what is due."""
STOP_SECONDS: Final = 2.0
"""How long the end of the server waits for a step."""
LOCK: Final = "follower.lock"


class AliasThread:
    """Follows aliases if no other worker does, and keeps what is known of them for this worker's metrics."""

    def __init__(
        self,
        follower: Follower,
        recorder: VerdictRecorder | None,
        clock: Callable[[], float],
        report: Callable[[Exception], None],
    ) -> None:
        """Take the parts; `report` is called with each failure of the thread itself."""
        self._follower = follower
        self._recorder = recorder
        self._clock = clock
        self._report = report
        self._lock = FileLock(follower.file.path.with_name(LOCK))
        self._leads = False
        self._known: Mapping[str, Following] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="aliases", daemon=True)

    def known(self, model: str) -> Following:
        """Return what was known of a model's alias at the last look."""
        return self._known.get(model, Following())

    def start(self) -> None:
        """Follow in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; another worker follows then. A question to the registry is not waited for."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)
        if not self._thread.is_alive():
            self._lock.release()
            self._follower.file.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.step()
            except Exception as error:  # the server serves on with the version that it has
                self._report(error)
            self._stop.wait(STEP_SECONDS)

    def step(self) -> None:
        """Do what is due, if no other worker does it."""
        now = self._clock()
        self._leads = self._leads or self._lock.acquire()
        if self._leads:
            self._follower.step(now)
            if self._recorder is not None:
                self._recorder.step(now)
        file = self._follower.file
        self._known = {own.model: file.read(own.model, str(own.address)) for own in self._follower.followed}
