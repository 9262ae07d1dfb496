"""`driftgauge.Monitor`: what a program calls to have its model monitored."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, Self, TypeVar, overload

import numpy as np

from driftgauge.drift.reference.baseline import RESERVED, Baseline
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.edges.formats.rows.faults import count_faults
from driftgauge.edges.formats.rows.reader import RowReader
from driftgauge.errors import Refused, SettingsError
from driftgauge.library.failures import count_failure
from driftgauge.library.ids import prediction_ids
from driftgauge.library.probabilities import probabilities_of, require_rows, score_of
from driftgauge.library.session import Opened, Session
from driftgauge.library.source import WatchedSource, watched_source
from driftgauge.library.times import event_times
from driftgauge.settings.options import Settings, load

if TYPE_CHECKING:
    from driftgauge.checks.report import CheckReport
    from driftgauge.drift.diagnosis.diagnosis import Diagnosis
    from driftgauge.library.asgi import AsgiEndpoints
    from driftgauge.library.collector import MonitorCollector
    from driftgauge.library.outliers import RowOutliers
    from driftgauge.library.recorder import Recorder
    from driftgauge.library.selection import Key
    from driftgauge.library.watch import Features
    from driftgauge.library.wsgi import WsgiEndpoints
    from driftgauge.models.bundle import Bundle

P = ParamSpec("P")
R = TypeVar("R")
OnError = Literal["count", "raise"]


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
        self._on_error: Final = on_error
        self._settings: Final = settings
        self._clock: Final = clock
        self._rows: Final = RowReader(source.baseline)
        self._features: Final = tuple(name for name in source.baseline.names if name not in RESERVED)
        self._session: Final = Session(source, settings, clock)

    @classmethod
    def open(
        cls,
        baseline: Baseline | Bundle | Path | str,
        *,
        state_dir: str | Path | None = None,
        name: str | None = None,
        version: str | None = None,
        on_error: OnError = "count",
        **settings: Any,
    ) -> Monitor:
        """Open the monitor of a model.

        `baseline` is a baseline, its file, a bundle or its folder; a bundle also gives `name` and `version` (by
        default `model` and `1`). `state_dir` is the folder that processes share; without one each process keeps its
        own state in memory. With `on_error="raise"`, `observe` raises what goes wrong; with `"count"` it is counted,
        logged and shown. `settings` are those of the server by name, such as `windows=(1000, 10000)`; the environment
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
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _parts(self) -> Opened:
        """Return what this process has opened."""
        return self._session.opened or self._session.current()

    # ------------------------------------------------------------ rows

    def observe(
        self,
        rows: Any,
        *,
        prediction: Any = None,
        prediction_class: Any = None,
        probabilities: Any = None,
        at: Any = None,
        ids: Any = None,
    ) -> RowOutliers | None:
        """Count rows and their predictions: all rows of a call, or none.

        `rows` is a dict by name, a list of dicts, an array ([columns] or [n, columns] in the baseline's order) or a
        DataFrame. `prediction` is the score of the row, or one for each row: a probability, or the value of a
        regression; `prediction_class` the class, if the baseline has classes. `probabilities` are those of several
        classes, by class, such as `dict(zip(model.classes_, model.predict_proba(rows).T))`, or as an array in the order
        of a bundle's classes; left out, `prediction` is the largest one, and `prediction_class` its class. Of two
        classes, where the baseline has `prediction` without `prediction_class`, it is that of a bundle's positive
        class, and must be given for a baseline alone. `at` are the rows' own times, if they have some. Missing values
        are None or NaN. `ids` are their prediction ids, a text or one for each row: with a state folder or
        `prediction_log_url`, rows that have ids are kept in the prediction log, where ground truth finds them.

        With the setting `outliers`, the result says which rows are outliers: `is_outlier` and `outlier_score`, a list
        each. Otherwise it is None.

        Rows that do not fit are counted by reason, and raised as `Refused` with `on_error="raise"`.
        """
        try:
            opened = self._session.opened or self._session.current()
            texts = None if ids is None else prediction_ids(ids)
            if at is None and probabilities is None and opened.monitor.outlier_scorer is None:
                values = self._rows.row(rows, prediction, prediction_class)
                if values is not None:
                    now = self._clock()
                    if texts is not None:
                        opened.keep(values[np.newaxis].copy(), now, None, texts, prediction_class)
                    opened.observe_row(values, now)
                    return None
            return self._observe_rows(opened, rows, prediction, prediction_class, probabilities, at, texts)
        except Exception as error:
            if isinstance(error, Refused):
                count_faults(self._rows, rows, error)
            self._failed(error)
            return None

    def _observe_rows(
        self,
        opened: Opened,
        rows: Any,
        prediction: Any,
        prediction_class: Any,
        probabilities: Any,
        at: Any,
        ids: Sequence[str] | None,
    ) -> RowOutliers | None:
        """Count rows in all the forms that `observe` takes; raises what is wrong with them."""
        given = None if probabilities is None else probabilities_of(probabilities, self._source.classes or None)
        if given is not None:
            names, classes = self._source.baseline.names, self._source.classes
            prediction = score_of(given, names, classes) if prediction is None else prediction
            prediction_class = given.predicted if prediction_class is None else prediction_class
        columns = self._rows.read(rows, prediction, prediction_class)
        now, event = self._clock(), event_times(at, len(columns))
        if given is not None:
            require_rows(given, len(columns))
        if ids is not None:
            opened.keep(columns, now, event, ids, prediction_class, given)
        return opened.observe(columns, now, event)

    def label(
        self, ids: Any, labels: Any = None, *, at: Any = None, outcomes: Mapping[str, Any] | None = None
    ) -> dict[str, int]:
        """Join ground truth with the predictions that were observed with `ids`; return what became of it.

        `ids` is a text or one for each row, `labels` the true class or number of each, None where it is unknown. `at`
        is when it became known, by default now. `outcomes` are business outcomes by name, one value for each id; the
        settings name them. The result counts labels by what became of them: `matched`, `repeated` (known before),
        `corrected`, `waiting` for the prediction, `orphan`, `not_sampled`, `refused`. It may be called again with the
        same labels. The call waits for the database, so an event loop should make it in a thread.

        What goes wrong is counted and logged, and raised with `on_error="raise"`.
        """
        try:
            return self._parts().label(ids, labels, at, outcomes)
        except Exception as error:
            self._failed(error)
            return {}

    def _failed(self, error: Exception) -> None:
        """Count and log what went wrong with a call, and raise it if the program asked for that."""
        count_failure(self._session.opened, error)
        if self._on_error == "raise":
            raise error

    # ------------------------------------------------------------ verdicts

    def report(self) -> DriftReport:
        """Return the verdict on the rows that all processes observed until now."""
        return self._parts().monitor.evaluate(self._clock()).report

    def diagnose(self) -> Diagnosis:
        """Return what is wrong with the model now, since when, and its likely causes, the likeliest first.

        Each cause has what to do, with a command. docs/diagnosis.md explains it.

        >>> import driftgauge, pyarrow
        >>> training = pyarrow.table({"age": [31, 42, 57, 38] * 50, "prediction": [0.1, 0.4, 0.8, 0.2] * 50})
        >>> with driftgauge.Monitor.open(driftgauge.create_baseline(training)) as monitor:
        ...     monitor.diagnose().state
        'cannot_tell'
        """
        opened = self._parts()
        opened.monitor.evaluate(self._clock())
        return opened.diagnose()

    def check(self, table: Any, *, time: str | None = None, every: str | None = None) -> CheckReport:
        """Compare a table with the baseline by this monitor's settings; its rows are not observed.

        `table` is a DataFrame, an Arrow table, a dict of columns, or the path of a file or folder. `time` names its
        column of times, and `every` a period such as `1d`, for one verdict each. Raises CheckError or TableError.
        """
        from driftgauge.checks.options import CheckOptions
        from driftgauge.checks.table import check

        settings = self._settings
        options = CheckOptions(
            time=time,
            every=every,
            no_constraints=not settings.quality_enabled,
            redacted=settings.redacted_columns,
            has_examples=settings.quality_examples,
            base=self._parts().monitor.options.policy,
        )
        return check(self._source.given, table, options, now=self._clock())

    # ------------------------------------------------------------ what others read

    def asgi(self) -> AsgiEndpoints:
        """Return the endpoints as an ASGI application, to be mounted: `app.mount("/monitoring", monitor.asgi())`.

        It answers `/` (the page), `/drift/status`, `/drift/report`, `/drift/history`, `/diagnosis`, `/metrics`,
        `/runbooks` and `/health`, for all processes that share the state.
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

    def collector(self) -> MonitorCollector:
        """Return a collector of the metrics, for an existing registry: `REGISTRY.register(monitor.collector())`.

        It has the families of `/metrics` except those of the process, which the registry has itself. A collection
        waits for an evaluation, so an endpoint of an event loop should collect in a thread.
        """
        from driftgauge.library.collector import MonitorCollector

        return MonitorCollector(self._parts)

    # ------------------------------------------------------------ predictions that others make

    @overload
    def watch(self, function: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def watch(
        self,
        /,
        *,
        features: Features | None = None,
        prediction: Key | None = None,
        prediction_class: Key | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def watch(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        features: Features | None = None,
        prediction: Key | None = None,
        prediction_class: Key | None = None,
    ) -> Any:
        """Observe every call of a function that predicts: `@monitor.watch`, or `@monitor.watch(prediction="score")`.

        The function may be a coroutine. Its rows are the arguments named as the columns, or its single argument;
        `features` names another argument (`request.rows` is a key inside one), or is a function of (args, kwargs).
        The prediction is what it returns; `prediction` and `prediction_class` are keys inside that, or functions of it.
        Calls are timed, and exceptions are counted as failed predictions and raised unchanged.

        Raises SettingsError for a function that cannot be watched.

        >>> import driftgauge, pyarrow
        >>> training = pyarrow.table({"age": [31, 42, 57, 38] * 50, "prediction": [0.1, 0.4, 0.8, 0.2] * 50})
        >>> with driftgauge.Monitor.open(driftgauge.create_baseline(training)) as monitor:
        ...     score = monitor.watch(lambda age: age / 100)
        ...     score(41)
        ...     monitor.report().rows_observed
        0.41
        1
        """
        from driftgauge.library.recorder import Outputs
        from driftgauge.library.watch import watched

        outputs = Outputs.of(prediction, prediction_class)

        def decorate(decorated: Callable[P, R]) -> Callable[P, R]:
            return watched(decorated, self._recorder(), features, outputs)

        return decorate if function is None else decorate(function)

    def _recorder(self) -> Recorder:
        """Return what counts the calls and requests in which the program predicts."""
        from driftgauge.library.recorder import Recorder

        return Recorder(self._parts, self.observe, self._failed, self._features, time.perf_counter)
