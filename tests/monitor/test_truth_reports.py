"""Workers of one service say the same of ground truth, and none of them asks the database for it."""

from __future__ import annotations

from pathlib import Path

from tests.monitor.test_ground_truth import DAY, HOUR, START, Log, evaluated, log, monitor_of, reports_of

__all__ = ["log"]


def test_a_worker_says_at_once_what_another_evaluated(log: Log, tmp_path: Path) -> None:
    log.label(log.predict(START, 300), START + HOUR)
    first, second = reports_of(tmp_path), reports_of(tmp_path)
    monitor = monitor_of(log, reports=first)
    assert second.latest() is None
    evaluated(monitor, START + 2 * DAY)
    report, known = second.latest(), first.latest()
    assert report is not None
    assert known is not None
    assert (report.at, report.main_window.cohort.rows) == (known.at, 300) == (START + 2 * DAY, 300)
    monitor.step(START + 3 * DAY)
    later = second.latest()
    assert later is not None
    assert later.at == START + 3 * DAY


def test_a_worker_that_starts_has_the_report_before_it_opens_the_database(log: Log, tmp_path: Path) -> None:
    evaluated(monitor_of(log, reports=reports_of(tmp_path)), START + 2 * DAY)
    log.store.close()
    report = reports_of(tmp_path).latest()
    assert report is not None
    assert report.at == START + 2 * DAY


def test_a_report_of_other_windows_is_not_taken_over(log: Log, tmp_path: Path) -> None:
    evaluated(monitor_of(log, reports=reports_of(tmp_path)), START + 2 * DAY)
    assert reports_of(tmp_path, 100).latest() is None


def test_a_damaged_file_leaves_the_report_as_it_was(log: Log, tmp_path: Path) -> None:
    monitor, other = monitor_of(log, reports=reports_of(tmp_path)), reports_of(tmp_path)
    evaluated(monitor, START + 2 * DAY)
    before = other.latest()
    (tmp_path / "shared-performance.json").write_text("{}")
    assert other.latest() is before is not None
    monitor.step(START + 3 * DAY)
    after = other.latest()
    assert after is not None
    assert after.at == START + 3 * DAY


def test_without_files_reports_stay_in_the_process(log: Log) -> None:
    own = reports_of(None)
    evaluated(monitor_of(log, reports=own), START + 2 * DAY)
    report = own.latest()
    assert report is not None
    assert report.at == START + 2 * DAY
