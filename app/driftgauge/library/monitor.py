"""`driftgauge.Monitor`: what a program calls to have its model monitored."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np

from driftgauge.composition import WatchedModel, compose_monitoring
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import PREDICTION, Baseline
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.errors import Reason, Refused, SettingsError
from driftgauge.library.background import Background
from driftgauge.library.logs import standard_log
from driftgauge.library.rows import RowReader
from driftgauge.library.source import WatchedSource, watched_source
from driftgauge.library.times import event_times
from driftgauge.metrics.series import DROPPED, LIBRARY, PREDICTIONS, REJECTED, SCORE
from driftgauge.monitor.row_observer import RowObserver
from driftgauge.settings.options import Settings, load
from driftgauge.state.store import Store

if TYPE_CHECKING:
    from driftgauge.library.asgi import AsgiEndpoints
    from driftgauge.library.wsgi import WsgiEndpoints

OnError = Literal["count", "raise"]
FAILED_PROBLEM: Final = "observation_failed"
REFUSED_PROBLEM: Final = "observation_refused"
FORK_SECONDS: Final = 5.0
"""Longest wait of a fork for an evaluation to end."""


class Monitor:
    """Watches the rows and predictions of a model that the program itself serves.

    Open it once for each process, or before processes are forked; all that name the same `state_dir` share one
    state. `observe` may be called from any thread. What goes wrong in monitoring is counted, logged and shown in
    `/drift/status`, and raised only if `on_error="raise"`.
    """

    def __init__(
        self, source: WatchedSource, settings: Settings, on_error: OnError, clock: Callable[[], float] = time.time
    ) -> None:
        """Use `Monitor.open` instead."""
        self._source: Final = source
        self._settings: Final = settings
        self._on_error: Final = on_error
        self._clock: Final = clock
        self._rows: Final = RowReader(source.baseline)
        self._opening = threading.Lock()
        self._opened: _Opened | None = None
        self._is_closed = False
        self._waiting: Store | None = None
        """The store whose evaluations wait while this process forks."""
        self._inherited: list[_Opened] = []
        """What the parent process had opened: it stays as it is, because closing it would reach the parent."""
        own = weakref.ref(self)
        os.register_at_fork(
            before=lambda: _call(own, Monitor._before_fork),
            after_in_parent=lambda: _call(own, Monitor._after_fork_in_parent),
            after_in_child=lambda: _call(own, Monitor._after_fork_in_child),
        )
        atexit.register(lambda: _call(own, Monitor.close))

    @classmethod
    def open(
        cls,
        baseline: str | Path | Baseline,
        *,
        state_dir: str | Path | None = None,
        name: str | None = None,
        version: str | None = None,
        on_error: OnError = "count",
        **settings: Any,
    ) -> Monitor:
        """Open the monitor of a model.

        `baseline` is a baseline, its file, or a bundle's folder, which also gives `name` and `version` (by default
        `model` and `1`). `state_dir` is the folder that processes share; without one each process keeps its own state
        in memory. `settings` are those of the server by name, such as `windows=(1000, 10000)`; the environment
        (`DRIFTGAUGE_…`) sets the others.

        Raises SettingsError, BundleError or StateError, all of them DriftgaugeError, if the monitor cannot work as
        asked.

        >>> import driftgauge, pyarrow
        >>> training = pyarrow.table({"age": [31, 42, 57, 38] * 50, "prediction": [0.1, 0.4, 0.8, 0.2] * 50})
        >>> with driftgauge.Monitor.open(driftgauge.create_baseline(training)) as monitor:
        ...     monitor.observe({"age": 41}, prediction=0.3)
        ...     monitor.report().rows_observed
        1
        """
        if on_error not in ("count", "raise"):
            raise SettingsError(f"on_error is {on_error!r}: give 'count' or 'raise'")
        source = watched_source(baseline, name, version)
        folder = {} if state_dir is None else {"state_dir": Path(state_dir)}
        monitor = cls(source, load({**settings, **folder}), on_error)
        monitor._parts()
        return monitor

    # ------------------------------------------------------------ the life of a monitor

    def close(self) -> None:
        """Save the state and stop the thread; further rows are not counted."""
        self._is_closed = True
        with self._opening:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.background.stop()
            opened.monitoring.watching.shutdown()
            opened.monitoring.writing.shutdown()
            with suppress(Exception):  # the disk may be what fails; nothing more can be done
                opened.monitoring.store.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _parts(self) -> _Opened:
        """Return what this process has opened; after a fork it opens its own."""
        opened = self._opened
        if opened is not None:
            return opened
        with self._opening:
            if self._is_closed:
                raise RuntimeError("the monitor is closed")
            self._opened = self._opened or _open(self._source, self._settings, self._clock)
            return self._opened

    def _before_fork(self) -> None:
        self._opening.acquire()
        store = self._opened.monitoring.store if self._opened else None
        self._waiting = store if store and store.before_fork(FORK_SECONDS) else None

    def _after_fork_in_parent(self) -> None:
        if self._waiting is not None:
            self._waiting.after_fork()
        self._waiting = None
        self._opening.release()

    def _after_fork_in_child(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.monitoring.store.disown()
            self._inherited.append(opened)
        self._waiting = None
        self._opening = threading.Lock()

    # ------------------------------------------------------------ rows

    def observe(self, rows: Any, *, prediction: Any = None, prediction_class: Any = None, at: Any = None) -> None:
        """Count rows and their predictions: all rows of a call, or none.

        `rows` is a dict by name, a list of dicts, an array ([columns] or [n, columns] in the baseline's order) or a
        DataFrame. `prediction` is the score of the row, or one for each row: a probability, or the value of a
        regression; `prediction_class` the class, if the baseline has classes. `at` are the rows' own times, if they
        have some. Missing values are None or NaN.

        Rows that do not fit are counted by reason, and raised as `Refused` with `on_error="raise"`.
        """
        try:
            opened = self._opened or self._parts()
            if at is None:
                values = self._rows.row(rows, prediction, prediction_class)
                if values is not None:
                    opened.observe_row(values, self._clock())
                    return
            columns = self._rows.read(rows, prediction, prediction_class)
            opened.observe(columns, self._clock(), event_times(at, len(columns)))
        except Exception as error:
            self._failed(error)
            if self._on_error == "raise":
                raise

    def _failed(self, error: Exception) -> None:
        """Count and log what went wrong with a call of `observe`; nothing can be done about a second failure."""
        with suppress(Exception):
            monitoring = self._parts().monitoring
            refused = isinstance(error, Refused)
            monitoring.problems.record(REFUSED_PROBLEM if refused else FAILED_PROBLEM, error)
            with monitoring.store.counting() as counters:
                if isinstance(error, Refused):
                    counters.add(REJECTED.name, 1, error.reason)
                else:
                    counters.add(DROPPED.name, 1, Reason.MONITORING_FAILED)

    # ------------------------------------------------------------ verdicts

    def report(self) -> DriftReport:
        """Return the verdict on the rows that all processes observed until now."""
        return self._parts().monitoring.monitor(None).evaluate(self._clock()).report

    # ------------------------------------------------------------ what others read

    def asgi(self) -> AsgiEndpoints:
        """Return the endpoints as an ASGI application, to be mounted: `app.mount("/monitoring", monitor.asgi())`.

        It answers `/metrics`, `/drift/status`, `/runbooks` and `/health`, and works in every process of a server.
        """
        from driftgauge.library.asgi import AsgiEndpoints
        from driftgauge.library.endpoints import Endpoints

        return AsgiEndpoints(Endpoints(self._parts))

    def wsgi(self) -> WsgiEndpoints:
        """Return the same endpoints as a WSGI application, for Flask, Django and others.

        In Flask: `app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/monitoring": monitor.wsgi()})`.
        """
        from driftgauge.library.endpoints import Endpoints
        from driftgauge.library.wsgi import WsgiEndpoints

        return WsgiEndpoints(Endpoints(self._parts))


def _call(own: weakref.ref[Monitor], method: Callable[[Monitor], None]) -> None:
    """Call a method of a monitor that still exists."""
    monitor = own()
    if monitor is not None:
        method(monitor)


class _Opened:
    """What one process has opened."""

    def __init__(self, monitoring: Monitoring, background: Background) -> None:
        self.monitoring: Final = monitoring
        self.background: Final = background
        self.monitor: Final = monitoring.monitor(None)
        names = self.monitor.baseline.names
        self._score = names.index(PREDICTION) if PREDICTION in names else None
        self.observe_row: Final = RowObserver(self.monitor, LIBRARY, self._score).observe

    def observe(self, columns: FloatArray, arrival: float, event: FloatArray | None) -> None:
        """Observe and count rows, shape [n, columns]."""
        self.monitor.observe(columns, arrival=arrival, event=event, source=LIBRARY)
        with self.monitor.store.counting() as counters:
            counters.add(PREDICTIONS.name, len(columns))
            if self._score is not None:
                scores = columns[:, self._score]
                counters.observe(SCORE, scores[np.isfinite(scores)])


def _open(source: WatchedSource, settings: Settings, clock: Callable[[], float]) -> _Opened:
    model = WatchedModel(source.baseline, source.name, source.version, source.task, settings.state_folder)
    monitoring = compose_monitoring(settings, model, clock, callers_wait=True, log=standard_log())
    return _Opened(monitoring, Background(monitoring))
