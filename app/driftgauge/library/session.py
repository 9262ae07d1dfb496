"""What each process has opened of a monitor: opened at its first use, again after a fork, and closed at its end."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.util import Finalize
from typing import Any, Final

import numpy as np

from driftgauge.composition.monitoring import compose_library
from driftgauge.composition.watched import WatchedModel
from driftgauge.drift.bins import FloatArray, category_name
from driftgauge.drift.diagnosis.diagnosis import Diagnosis
from driftgauge.drift.reference.baseline import PREDICTION
from driftgauge.edges.formats.label_values import LabelValues, OutcomeValues
from driftgauge.edges.formats.labels import TruthDecoder
from driftgauge.edges.formats.rows.columns import column_of
from driftgauge.edges.http.diagnosis_facts import live_facts
from driftgauge.edges.http.labels import given_labels, label_counts
from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.errors import Reason, Refused
from driftgauge.library.background import Background
from driftgauge.library.ids import require_one_each
from driftgauge.library.logs import standard_log
from driftgauge.library.outliers import RowOutliers
from driftgauge.library.probabilities import ClassLabel, GivenProbabilities, name_of
from driftgauge.library.source import WatchedSource
from driftgauge.library.truth import truth_rows
from driftgauge.metrics.series import LIBRARY, PREDICTIONS, SCORE
from driftgauge.monitor.capture import Answered
from driftgauge.monitor.row_observer import RowObserver
from driftgauge.settings.options import Settings

FORK_SECONDS: Final = 5.0
"""Longest wait of a fork for an evaluation to end."""
LIVE_SECONDS: Final = 60.0
"""Longest wait for what a diagnosis needs of the database and the other processes."""
RETRY_SECONDS: Final = 30.0
"""Pause after a process could not open the monitor."""
REFUSED_LABELS: Final = "labels_refused"
NOT_OPENED: Final = "monitor_not_opened"
_LAST: Final = -1_000
"""Priority of what a process of multiprocessing calls last."""


class Opened:
    """The monitoring of one process, and the thread that runs it."""

    def __init__(self, monitoring: Monitoring) -> None:
        """Start the thread."""
        self.monitoring: Final = monitoring
        self.monitor: Final = monitoring.model().monitor
        names = self.monitor.baseline.names
        self._score = names.index(PREDICTION) if PREDICTION in names else None
        self.observe_row: Final = RowObserver(self.monitor, LIBRARY, self._score).observe
        self.background: Final = Background(monitoring)
        own = monitoring.model()
        self._classes = own.logged.model.classes
        self._class_of: Final = {category_name(label): label for label in self._classes}
        self._log = None if monitoring.predictions is None else own.way_into(monitoring.predictions)
        monitoring.start()

    def observe(self, columns: FloatArray, arrival: float, event: FloatArray | None) -> RowOutliers | None:
        """Observe and count rows, shape [n, columns]; return which are outliers, if the monitor watches them."""
        scorer = self.monitor.outlier_scorer
        scores = None if scorer is None else scorer.scores(columns)
        self.monitor.observe(columns, arrival=arrival, event=event, source=LIBRARY, outlier_scores=scores)
        self._count(columns)
        return None if scorer is None or scores is None else RowOutliers.of(scores, scorer)

    def _count(self, columns: FloatArray) -> None:
        counters = self.monitor.store.counters
        with self.monitor.store.counters_lock:
            counters.add(PREDICTIONS.name, len(columns))
            if self._score is not None:
                found = columns[:, self._score]
                counters.observe(SCORE, found[np.isfinite(found)])

    def keep(
        self,
        columns: FloatArray,
        arrival: float,
        event: FloatArray | None,
        ids: Sequence[str],
        predicted: Any = None,
        given: GivenProbabilities | None = None,
    ) -> None:
        """Put rows in line for the prediction log, if there is one; Refused for another number of ids than of rows."""
        require_one_each(ids, len(columns))
        probabilities = given.of(self._classes) if given is not None and len(self._classes) > 2 else None
        if self._log is None:
            return
        scores = np.full(len(columns), np.nan) if self._score is None else columns[:, self._score]
        self._log.put(
            Answered(
                rows=[len(columns)],
                latency_seconds=[0.0],
                scores=scores,
                columns=columns,
                arrival=np.full(len(columns), arrival),
                event=event,
                ids=ids,
                labels=self._labels(predicted, len(columns)),
                probabilities=probabilities,
            )
        )

    def _labels(self, predicted: Any, rows: int) -> Sequence[ClassLabel | None]:
        """Return the predicted classes that the model has, None for others; empty if none are given."""
        if predicted is None or not self._classes:
            return ()
        values = column_of(predicted)
        found = np.asarray(values, dtype=object).reshape(-1).tolist()
        return [self._class_of.get(name_of(value)) for value in found] if len(found) == rows else ()

    def label(self, ids: Any, labels: Any, at: Any, outcomes: Mapping[str, Any] | None) -> dict[str, int]:
        """Store ground truth, and return what became of it; see `Monitor.label`."""
        own, settings = self.monitoring.model(), self.monitoring.settings
        if own.labels is None:
            message = "there is no prediction log: open the monitor with state_dir or prediction_log_url"
            raise Refused(Reason.PREDICTION_LOG_DISABLED, message)
        kinds = {name: outcome.kind for name, outcome in settings.outcomes.items()}
        decoder = TruthDecoder(LabelValues(own.logged.model.classes), OutcomeValues(kinds))
        batch = decoder.rows(truth_rows(ids, labels, at, outcomes))
        tally = own.labels.add_now(given_labels(batch.rows), batch.refused)
        for found in batch.errors[:1]:
            own.problems.record(REFUSED_LABELS, found.error)
        return label_counts(tally.fates)

    def diagnose(self) -> Diagnosis:
        """Return the diagnosis of the last evaluation."""
        own = self.monitoring.model()
        live = self.background.wait(live_facts(self.monitoring, own), LIVE_SECONDS)
        return own.diagnoses.made_of(own.monitor.last, live).diagnosis

    def close(self) -> None:
        """Stop the thread and save the state."""
        self.background.stop()
        self.monitoring.watching.shutdown()
        self.monitoring.writing.shutdown()
        with suppress(Exception):  # the disk may be what fails; nothing more can be done
            self.monitoring.leave()


Opener = Callable[[], Opened]
"""Returns what this process has opened; RuntimeError once the monitor is closed."""


class Session:
    """Opens a monitor in each process that uses it."""

    def __init__(self, source: WatchedSource, settings: Settings, clock: Callable[[], float]) -> None:
        """Open nothing yet; `clock` gives the time of day in seconds since 1970."""
        self.opened: Opened | None = None
        self._source: Final = source
        self._settings: Final = settings
        self._clock: Final = clock
        self._opening = threading.Lock()
        self._closing = threading.RLock()
        self._is_closed = False
        self._failure: Exception | None = None
        self._retry_at = 0.0
        self._waiting: threading.RLock | None = None
        """Keeps evaluations waiting while this process forks: a child would inherit the lock that one holds."""
        self._inherited: list[Opened] = []
        """What the parent process had opened: it stays as it is, because closing it would reach the parent."""
        own = weakref.ref(self)
        os.register_at_fork(
            before=lambda: _call(own, Session._before_fork),
            after_in_parent=lambda: _call(own, Session._after_fork_in_parent),
            after_in_child=lambda: _call(own, Session._after_fork_in_child),
        )
        atexit.register(lambda: _call(own, Session.close))

    def current(self) -> Opened:
        """Return what this process has opened, or open it; RuntimeError once closed, else as `compose_library`.

        After a failure it is tried again once in half a minute.
        """
        if self.opened is not None:
            return self.opened
        with self._opening:
            if self._is_closed:
                raise RuntimeError("the monitor is closed: open another with Monitor.open")
            if self._failure is not None and time.monotonic() < self._retry_at:
                raise self._failure.with_traceback(None)  # or each raise would add to it
            if self.opened is None:
                self.opened = self._open()
                self._close_at_exit()
            return self.opened

    def _close_at_exit(self) -> None:
        """Close it when a process of multiprocessing ends, which does not call `atexit`."""
        if multiprocessing.parent_process() is not None:
            Finalize(None, _call, args=(weakref.ref(self), Session.close), exitpriority=_LAST)

    def _open(self) -> Opened:
        own, folder = self._source, self._settings.state_folder
        model = WatchedModel(
            own.baseline,
            own.name,
            own.version,
            own.task,
            folder,
            classes=own.classes,
            source=LIBRARY,
            held_out=own.held_out,
            constraints=own.constraints,
            sample=own.sample,
            importances=own.importances,
            truth=own.truth,
        )
        log = standard_log()
        try:
            return Opened(compose_library(self._settings, model, self._clock, log=log))
        except Exception as error:
            self._failure, self._retry_at = error, time.monotonic() + RETRY_SECONDS
            log.error(NOT_OPENED, exc_info=error)
            raise

    def close(self) -> None:
        """Close what this process has opened, for good; returns once it is closed, also by another thread."""
        self._is_closed = True
        with self._closing:
            with self._opening:
                opened, self.opened = self.opened, None
            if opened is not None:
                opened.close()

    # ------------------------------------------------------------ forks

    def _before_fork(self) -> None:
        self._opening.acquire()
        evaluations = self.opened.monitor.store.evaluations if self.opened else None
        self._waiting = evaluations if evaluations and evaluations.acquire(timeout=FORK_SECONDS) else None

    def _after_fork_in_parent(self) -> None:
        if self._waiting is not None:
            self._waiting.release()
        self._waiting = None
        self._opening.release()

    def _after_fork_in_child(self) -> None:
        opened, self.opened = self.opened, None
        if opened is not None:
            opened.monitor.store.disown()
            self._inherited.append(opened)
        self._waiting = None
        self._opening = threading.Lock()
        self._closing = threading.RLock()


def _call(own: weakref.ref[Session], method: Callable[[Session], None]) -> None:
    """Call a method of a session that still exists."""
    session = own()
    if session is not None:
        method(session)
