from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import driftgauge
import numpy as np
import pandas as pd
import pytest
from driftgauge.drift.reference.baseline import dumps
from driftgauge.drift.verdict.rule import Status
from driftgauge.errors import BundleError, DriftgaugeError, Reason, Refused, SettingsError, StateError
from driftgauge.library.monitor import Monitor
from driftgauge.library.session import Session
from driftgauge.library.source import watched_source
from driftgauge.metrics.series import (
    DROPPED,
    OBSERVATIONS,
    PREDICTIONS,
    REJECTED,
    REQUEST_ROWS_REFUSED,
    REQUEST_VIOLATIONS,
    SCORE,
    TIMESTAMPS_REJECTED,
)
from driftgauge.settings.options import load

from tests.examples import Example
from tests.monitors import START, small_baseline

ROW: dict[str, Any] = {"age": 41.0, "flag": 1, "city": "north"}
QUIET: dict[str, Any] = {"windows": (200, 1_000), "learning_seconds": 0}


def opened(folder: Path | None = None, **options: Any) -> Monitor:
    return Monitor.open(small_baseline(), state_dir=folder, **{**QUIET, **options})


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    with opened() as own:
        yield own


def counted(monitor: Monitor, name: str, *labels: str) -> float:
    store = monitor._parts().monitor.store
    children = next(spec.children for spec in store.counters.series if spec.name == name)
    wanted = [i for i, child in enumerate(children) if not labels or child == labels]
    return float(sum(own.counted[name][wanted].sum() for own in store.counted()))


def frame(count: int, *, age: float = 40.0, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": generator.normal(age, 10.0, count),
            "flag": generator.integers(0, 2, count),
            "city": generator.choice(["north", "south"], count, p=[0.6, 0.4]),
        }
    )


# ---------------------------------------------------------------- rows in, verdict out


def test_a_diagnosis_names_the_column_that_changed_and_is_that_of_now() -> None:
    def table(rows: int, seed: int, age: float = 40.0) -> pd.DataFrame:
        generator = np.random.default_rng(seed)
        return pd.DataFrame({"age": generator.normal(age, 10.0, rows), "height": generator.normal(170.0, 9.0, rows)})

    baseline = driftgauge.create_baseline(table(4_000, 1).assign(prediction=np.linspace(0.0, 1.0, 4_000)))
    with Monitor.open(baseline, **QUIET) as monitor:
        states = [monitor.diagnose().state]
        for seed, age in enumerate((40.0, 90.0)):
            scores = np.random.default_rng(seed).random(1_000)
            monitor.observe(table(1_000, seed, age), prediction=scores)
            states.append(monitor.diagnose().state)
        first = monitor.diagnose().first
    assert states == ["cannot_tell", "nothing_wrong", "wrong"]
    assert first is not None
    assert first.columns == ("age",)


def test_a_bundle_brings_the_importances_of_its_features(binary: Example) -> None:
    shares = binary.bundle.importances
    assert shares is not None
    for given in (binary.folder, binary.bundle):
        assert watched_source(given).importances == shares
    assert watched_source(binary.bundle.baseline).importances is None


def test_rows_of_every_kind_are_observed_and_judged(monitor: Monitor) -> None:
    monitor.observe(ROW, prediction=0.4)
    monitor.observe([ROW, ROW], prediction=[0.4, 0.5])
    monitor.observe(frame(97), prediction=np.full(97, 0.4))
    monitor.observe(np.array([[41.0, 1.0, "north"]], dtype=object), prediction=0.3)
    report = monitor.report()
    assert report.rows_observed == 101
    assert counted(monitor, OBSERVATIONS.name, "library") == counted(monitor, PREDICTIONS.name) == 101


def test_drift_is_found_with_its_column_and_its_reason(monitor: Monitor) -> None:
    generator = np.random.default_rng(1)
    for seed in range(6):
        monitor.observe(frame(500, age=70.0, seed=seed), prediction=generator.beta(2.0, 3.0, 500))
    report = monitor.report()
    assert report.status is Status.DRIFT_DETECTED
    assert "age" in report.drifted


def test_the_thread_evaluates_by_itself(tmp_path: Path) -> None:
    with opened(tmp_path, evaluation_interval_seconds=0.05) as monitor:
        monitor.observe(frame(300), prediction=np.full(300, 0.4))
        deadline = time.monotonic() + 30.0
        last = monitor._parts().monitor
        while last.last.report.rows_observed < 300:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_scores_are_counted_in_their_histogram(monitor: Monitor) -> None:
    monitor.observe([ROW] * 3, prediction=[0.15, 0.15, None])
    monitor.observe(ROW, prediction=0.95)
    store = monitor._parts().monitor.store
    numbers = store.counted()[0].counted[SCORE][0]
    assert numbers[:-1].tolist() == [0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert numbers[-1] == pytest.approx(0.15 * 2 + 0.95)


def test_times_are_those_of_the_rows_in_a_replay() -> None:
    with opened(clock="event") as monitor:
        monitor.observe([ROW, ROW], prediction=[0.4, 0.5], at=[START, datetime.fromtimestamp(START + 60, UTC)])
        monitor.observe(ROW, prediction=0.4, at="2023-11-14T22:20:00Z")
        assert monitor.report().evaluated_at == 1_700_000_400.0


def test_a_time_ahead_of_now_is_counted_and_the_row_kept(monitor: Monitor) -> None:
    monitor.observe(ROW, prediction=0.4, at=time.time() + 86_400)
    monitor.observe(ROW, prediction=0.4, at=time.time())
    assert counted(monitor, TIMESTAMPS_REJECTED.name) == 1
    assert monitor.report().rows_observed == 2


def test_a_batch_larger_than_the_log_loses_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as monitor:
        store = monitor._parts().monitor.store
        many = 3 * store.shape.unread_rows
        monitor.observe(frame(many), prediction=np.full(many, 0.4))
        assert monitor.report().rows_observed == many
        assert counted(monitor, DROPPED.name) == 0


def test_threads_observe_at_once(monitor: Monitor) -> None:
    def work() -> None:
        for _ in range(300):
            monitor.observe(ROW, prediction=0.4)
        monitor.observe(frame(200), prediction=np.full(200, 0.4))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert monitor.report().rows_observed == counted(monitor, PREDICTIONS.name) == 2_000


def test_a_table_is_checked_by_the_monitors_thresholds_and_not_observed(binary: Example) -> None:
    moved = binary.held_out.assign(**{"mean area": 1.02 * binary.held_out["mean area"]})
    limits: dict[str, Any] = {
        "psi_thresholds_by_feature": {"mean area": (1e-9, 2e-9)},
        "features": {"mean radius": {"monitor": False}},
    }
    with Monitor.open(binary.folder) as plain, Monitor.open(binary.bundle, **limits) as strict:
        report, own = plain.check(moved), strict.check(moved)
        same = driftgauge.check(binary.bundle, moved, now=report.worst.report.evaluated_at)
        assert report.to_dict() == same.to_dict()
        assert strict.report().rows_observed == 0
        assert own.worst.report.policy.column("mean area").psi_thresholds == (1e-9, 2e-9)
        assert "mean radius" not in own.worst.report.baseline.names
        with pytest.raises(DriftgaugeError, match="mean area"):
            plain.check(moved.drop(columns="mean area"))


@pytest.mark.parametrize(
    ("settings", "violated", "examples"),
    [
        ({}, 1, 3),
        ({"quality_examples": False}, 1, 0),
        ({"prediction_log_drop": ["mean area"]}, 1, 0),
        ({"quality_enabled": False}, None, 0),
    ],
)
def test_a_check_shows_no_more_of_constraints_than_the_monitor(
    binary: Example, settings: dict[str, Any], violated: int | None, examples: int
) -> None:
    moved = binary.held_out.assign(**{"mean area": 1e6 + binary.held_out["mean area"]})
    with Monitor.open(binary.folder, **settings) as monitor:
        quality = monitor.check(moved).worst.quality
    if violated is None:
        assert quality is None
        return
    assert quality is not None
    (found,) = quality.worst_first
    assert (found.feature, len(found.examples)) == ("mean area", examples)


# ---------------------------------------------------------------- what goes wrong


def test_each_row_of_a_refused_call_is_counted_by_the_constraint_that_it_violates(monitor: Monitor) -> None:
    monitor.observe([ROW, {**ROW, "age": "41"}, {**ROW, "age": "x"}, {"age": 1.0}], prediction=[0.4] * 4)
    found = {name: counted(monitor, REQUEST_VIOLATIONS.name, name) for name in ("type", "required", "extra_columns")}
    assert found == {"type": 2, "required": 1, "extra_columns": 0}
    assert counted(monitor, REQUEST_ROWS_REFUSED.name) == 4


def test_bad_rows_are_counted_and_not_raised(monitor: Monitor, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "driftgauge"):
        monitor.observe({**ROW, "agee": 1}, prediction=0.4)
        monitor.observe({"age": 1}, prediction=0.4)
        monitor.observe({**ROW, "age": "41"}, prediction=0.4)
        monitor.observe([1.0], prediction=0.4)
        monitor.observe(ROW)
        monitor.observe(ROW, prediction=0.4, at="yesterday")
    assert counted(monitor, REJECTED.name) == 6
    for reason, many in (
        (Reason.UNKNOWN_FEATURE, 1),
        (Reason.MISSING_FEATURE, 2),
        (Reason.WRONG_TYPE, 1),
        (Reason.WRONG_FEATURE_COUNT, 1),
        (Reason.INVALID_TIMESTAMP, 1),
    ):
        assert counted(monitor, REJECTED.name, reason) == many, reason
    for constraint, many in (("type", 1), ("required", 3), ("extra_columns", 1)):
        assert counted(monitor, REQUEST_VIOLATIONS.name, constraint) == many, constraint
    assert monitor.report().rows_observed == 0
    (problem,) = monitor._parts().monitoring.current_problems()
    assert "'yesterday' is not a time" in problem
    assert len(caplog.records) == 1  # a line a minute
    assert "agee is not a column of the baseline" in caplog.text


def test_bad_rows_are_raised_on_demand() -> None:
    with opened(on_error="raise") as monitor:
        with pytest.raises(Refused, match="agee is not a column") as caught:
            monitor.observe({**ROW, "agee": 1}, prediction=0.4)
        assert (caught.value.reason, caught.value.detail["field"]) == (Reason.UNKNOWN_FEATURE, "agee")
        assert counted(monitor, REJECTED.name, Reason.UNKNOWN_FEATURE) == 1


def test_a_failure_of_monitoring_reaches_nobody(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bool:
        raise OSError("the disk is gone")

    store = type(monitor._parts().monitor.store)
    monkeypatch.setattr(store, "append_row", broken)
    monitor.observe({"age": 41.0, "flag": 1, "city": "north"}, prediction=0.4)
    assert counted(monitor, DROPPED.name, Reason.MONITORING_FAILED) == 1
    monkeypatch.setattr(store, "counting", broken, raising=False)
    monitor.observe(ROW, prediction=0.4)


def test_a_closed_monitor_counts_nothing_and_raises_on_demand(tmp_path: Path) -> None:
    monitor = opened(tmp_path)
    monitor.close()
    monitor.close()
    monitor.observe(ROW, prediction=0.4)
    with pytest.raises(RuntimeError, match="the monitor is closed"):
        monitor.report()
    loud = opened(tmp_path, on_error="raise")
    loud.close()
    with pytest.raises(RuntimeError, match="the monitor is closed"):
        loud.observe(ROW, prediction=0.4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_error": "ignore"}, "on_error is 'ignore': give 'count' or 'raise'"),
        ({"name": "a/b"}, "name 'a/b': give letters"),
        ({"version": "../1"}, "version '../1': give letters"),
        ({"name": "x" * 129}, "at most 128"),
        ({"windwos": (1,)}, "windwos"),
        ({"windows": ()}, "windows"),
    ],
)
def test_wrong_options_are_said_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        opened(**options)
    assert message in str(caught.value)


def test_what_cannot_be_watched_is_said_at_once() -> None:
    with pytest.raises(SettingsError, match="a dict cannot be watched: give a baseline or a bundle"):
        Monitor.open({})  # type: ignore[arg-type]


def test_files_that_are_no_baseline_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"cannot read .*nowhere\.json"):
        Monitor.open(tmp_path / "nowhere.json")
    (tmp_path / "training.parquet").write_bytes(b"PAR1\xff")
    with pytest.raises(
        BundleError, match=r"another file: give a bundle's folder, or a baseline\.json, which `driftgauge"
    ):
        Monitor.open(tmp_path / "training.parquet")
    with pytest.raises(BundleError, match=r"is a folder without bundle\.json"):
        Monitor.open(tmp_path)
    (tmp_path / "baseline.json").write_text("{}")
    with pytest.raises(BundleError, match="schema version"):
        Monitor.open(str(tmp_path / "baseline.json"))


def test_a_state_of_another_baseline_in_use_is_refused(tmp_path: Path, binary: Example) -> None:
    program = f"""
        import sys
        from driftgauge.library.monitor import Monitor
        monitor = Monitor.open({str(tmp_path / "baseline.json")!r}, state_dir={str(tmp_path / "state")!r}, name="m")
        print("open", flush=True)
        sys.stdin.read()
    """
    (tmp_path / "baseline.json").write_text(dumps(small_baseline()))
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StateError, match=f"is used by process {other.pid}"):
            Monitor.open(binary.folder, state_dir=tmp_path / "state", name="m", version="1")
        other.communicate(timeout=30)


# ---------------------------------------------------------------- names, settings, files


def test_a_bundle_gives_its_name_version_and_task(binary: Example) -> None:
    with Monitor.open(binary.folder) as monitor:
        own, monitoring = monitor._parts().monitor, monitor._parts().monitoring
        assert (own.model_name, own.model_version, monitoring.model().task) == ("binary", "1.2", "binary")
        monitor.observe(binary.rows(20), prediction=[0.5] * 20)
        assert monitor.report().rows_observed == 20


def test_settings_come_from_the_call_and_then_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTGAUGE_WINDOWS", "300,400")
    monkeypatch.setenv("DRIFTGAUGE_PSI_THRESHOLD_WARNING", "0.15")
    with Monitor.open(small_baseline(), windows=(100,)) as monitor:
        policy = monitor._parts().monitor.options.policy
        assert (policy.windows, policy.psi_thresholds[0]) == ((100,), 0.15)


def test_state_outlives_its_process_and_is_shared(tmp_path: Path) -> None:
    with opened(tmp_path) as first, opened(tmp_path) as second:
        first.observe([ROW] * 3, prediction=[0.4] * 3)
        second.observe([ROW] * 4, prediction=[0.4] * 4)
        assert first.report().rows_observed == second.report().rows_observed == 7
    with opened(tmp_path) as third:
        assert third.report().rows_observed == 7


def test_without_a_folder_each_keeps_its_own() -> None:
    with opened() as first, opened() as second:
        first.observe(ROW, prediction=0.4)
        assert (first.report().rows_observed, second.report().rows_observed) == (1, 0)


def test_a_monitor_that_is_forgotten_stops_its_thread() -> None:
    before = threading.active_count()
    for _ in range(3):
        opened().close()
    assert threading.active_count() <= before + 1


# ---------------------------------------------------------------- forks and kills

FORKING = """
import os, signal, sys, time
from driftgauge.library.monitor import Monitor
from tests.library.test_monitor import ROW, opened
from pathlib import Path
monitor = opened(Path(sys.argv[1]), evaluation_interval_seconds=0.01, evaluation_rest_factor=0)
monitor.observe(ROW, prediction=0.4)
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        for _ in range(500):
            monitor.observe(ROW, prediction=0.4)
        if sys.argv[2] == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        monitor.close()
        os._exit(0)
    children.append(child)
    for _ in range(100):
        monitor.observe(ROW, prediction=0.4)
for child in children:
    os.waitpid(child, 0)
problems = monitor._parts().monitoring.current_problems()
print(monitor.report().rows_observed, monitor._parts().monitor.store.number, problems)
"""


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_processes_forked_after_it_was_opened_have_logs_of_their_own(tmp_path: Path, end: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(tmp_path), end], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == ("1801 0 []\n", "")
    with opened(tmp_path) as monitor:
        assert monitor.report().rows_observed == 1_801
        if end == "closed":
            assert counted(monitor, OBSERVATIONS.name) == 1_801


BLOCKED = """
import logging, os, sys
from pathlib import Path
from tests.library.test_monitor import ROW, opened
from driftgauge.library import session
logging.basicConfig(stream=sys.stdout, format="%(name)s %(message)s")
monitor = opened(Path(sys.argv[1]))
if os.fork() == 0:
    attempts = []
    def refused(*given, **options):
        attempts.append(1)
        raise OSError("no room")
    session.compose_library = refused
    for _ in range(50):
        monitor.observe(ROW, prediction=0.4)
    print(len(attempts), flush=True)
    os._exit(0)
os.wait()
"""


def test_a_forked_process_that_cannot_open_it_says_so_and_does_not_try_for_each_row(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("driftgauge monitor_not_opened OSError: no room\n1\n", "")


def test_a_program_that_forgets_to_close_it_ends_and_loses_nothing(tmp_path: Path) -> None:
    program = "from tests.library.test_monitor import *; import sys\nm = opened(Path(sys.argv[1]))\n"
    program += "for _ in range(50): m.observe(ROW, prediction=0.4)\n"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with opened(tmp_path) as monitor:
        assert monitor.report().rows_observed == counted(monitor, OBSERVATIONS.name) == 50


def test_rows_of_a_process_that_was_killed_are_counted_as_the_librarys(tmp_path: Path) -> None:
    program = "from tests.library.test_monitor import *; import os, sys\nm = opened(Path(sys.argv[1]))\n"
    program += "for _ in range(50): m.observe(ROW, prediction=0.4)\nos.kill(os.getpid(), 9)\n"
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == -9
    with opened(tmp_path) as monitor:
        assert monitor.report().rows_observed == counted(monitor, OBSERVATIONS.name) == 50
        assert counted(monitor, OBSERVATIONS.name, "library") == 50


def test_every_error_is_one_of_ours() -> None:
    for error in (BundleError, SettingsError, StateError, Refused):
        assert issubclass(error, DriftgaugeError)


POOLED = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from tests.library.test_monitor import *
monitor = opened(Path(sys.argv[1]))
def work(rows):
    for _ in range(rows):
        monitor.observe(ROW, prediction=0.4)
if __name__ == "__main__":
    children = [get_context("fork").Process(target=work, args=(50,)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        list(pool.map(work, [20] * 5))
    print(monitor.report().rows_observed, counted(monitor, OBSERVATIONS.name, "library"), end=" ")
    print(counted(monitor, PREDICTIONS.name), monitor._parts().monitoring.current_problems())
"""


def test_processes_of_a_pool_lose_no_counts_at_their_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", POOLED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("200 200.0 200.0 []\n", "")


KILLED = """
import os, signal, sys
from tests.library.test_monitor import *
monitor = opened(Path(sys.argv[1]))
for _ in range(50):
    monitor.observe(ROW, prediction=0.4)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_rows_that_a_killed_process_did_not_count_are_counted_by_its_successor(tmp_path: Path) -> None:
    for rows in (50, 100):
        subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], timeout=60, check=False)
        with opened(tmp_path) as monitor:
            assert counted(monitor, OBSERVATIONS.name, "library") == counted(monitor, PREDICTIONS.name) == rows


def test_an_error_that_is_raised_for_each_row_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr("driftgauge.library.session.compose_library", refused)
    with pytest.raises(OSError, match="no room"):
        opened(on_error="raise")
    session = Session(watched_source(small_baseline()), load({}), time.time)
    depths = []
    for _ in range(20):
        with pytest.raises(OSError, match="no room") as caught:
            session.current()
        depths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert depths[-1] == depths[1]


def test_closing_returns_once_it_is_closed_by_whichever_thread(tmp_path: Path) -> None:
    for _ in range(5):
        monitor, closed = opened(tmp_path), list[bool]()
        store = monitor._parts().monitor.store

        def close(monitor: Monitor = monitor, store: Any = store, closed: list[bool] = closed) -> None:
            monitor.close()
            closed.append(store._is_closed)

        threads = [threading.Thread(target=close) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30.0)
        assert closed == [True, True, True]


def test_an_interrupt_leaves_no_lock_held(monitor: Monitor) -> None:
    """Raise KeyboardInterrupt where Python may: as a function begins."""
    store, before = monitor._parts().monitor.store, sys.gettrace()

    def interrupt_call(number: int) -> Any:
        calls = iter(range(number))

        def trace(*_: Any) -> None:
            if next(calls, None) is None:
                sys.settrace(None)
                raise KeyboardInterrupt

        return trace

    interrupted = 0
    for rows, prediction in ((ROW, 0.4), ([ROW, ROW], [0.4, 0.4]), ({**ROW, "agee": 1}, 0.4)):
        for number in range(60):
            try:
                sys.settrace(interrupt_call(number))
                monitor.observe(rows, prediction=prediction)
            except KeyboardInterrupt:
                interrupted += 1
            finally:
                sys.settrace(before)
            for lock in (store.counters_lock, monitor._parts().monitor.observing):
                assert lock.acquire(timeout=5.0), (rows, number)
                lock.release()
    assert interrupted > 50


def test_scores_too_large_to_add_are_counted_without_a_warning(monitor: Monitor) -> None:
    for _ in range(3):
        monitor.observe(ROW, prediction=1e308)
    assert counted(monitor, PREDICTIONS.name) == 3
    assert counted(monitor, DROPPED.name) == 0


def test_a_name_that_is_no_utf8_breaks_neither_the_status_nor_the_log(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "driftgauge"):
        monitor.observe({**ROW, "\ud800x": 1}, prediction=0.4)
    assert b"\\ud800x is not a column" in caplog.text.encode()
    (problem,) = monitor._parts().monitoring.current_problems()
    assert "\\ud800x is not a column" in problem
    problem.encode()


def test_observing_says_which_rows_are_outliers_if_asked() -> None:
    baseline = driftgauge.create_baseline(frame(2_000))
    far = {**ROW, "age": 9_999.0}
    with Monitor.open(baseline, outliers=True, on_error="raise", **QUIET) as own:
        single, several = own.observe(far), own.observe([ROW, far, {**ROW, "city": "nowhere"}])
        assert single is not None
        assert several is not None
        assert single.is_outlier == [True]
        assert several.is_outlier == [False, True, True]
        assert several.outlier_score[1] == pytest.approx(single.outlier_score[0])
        assert several.outlier_score[1] > several.outlier_score[0]
        report = own.report()
        assert report.rows_observed == 4
        index = report.baseline.names.index("prediction_outlier")
        assert report.main.counts[index, :2].tolist() == [1, 3]
    with Monitor.open(baseline, **QUIET) as own:
        assert own.observe(far) is None


def test_a_baseline_without_scores_of_rows_cannot_watch_outliers() -> None:
    with pytest.raises(SettingsError, match="build it again"):
        opened(outliers=True)


def test_a_state_without_outliers_is_not_used_with_them(tmp_path: Path) -> None:
    baseline = driftgauge.create_baseline(frame(2_000))
    with Monitor.open(baseline, state_dir=tmp_path, **QUIET) as own:
        own.observe([ROW] * 3)
    with Monitor.open(baseline, state_dir=tmp_path, outliers=True, **QUIET) as own:
        assert own.report().rows_observed == 0
