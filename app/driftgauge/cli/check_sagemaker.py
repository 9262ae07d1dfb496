"""`driftgauge check --sagemaker-out …`: the files and executions of SageMaker's model monitor."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final, Protocol

from rich.console import Console

from driftgauge.checks.report import CheckReport
from driftgauge.checks.sagemaker.constraints import Constraints
from driftgauge.checks.sagemaker.documents import CONSTRAINTS_FILE, MOST_BYTES, parse_document
from driftgauge.checks.sagemaker.execution import Execution, Job, Limits, execute
from driftgauge.checks.sagemaker.executions import Executions, Record
from driftgauge.checks.schedule import Schedule
from driftgauge.cli.new_rows import NewRows
from driftgauge.common.option import Option
from driftgauge.common.quoting import listed
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.edges.files.fetching import fetched
from driftgauge.edges.files.folders import Folder, folder_of, read_file
from driftgauge.errors import CheckError, IngestError

SAGEMAKER: Final = "Files of SageMaker's model monitor"
FAILED: Final = 2
UNWRITTEN: Final = 3
STOPPED: Final = 4


class Due(Protocol):
    """When executions are due."""

    def after(self, at: float) -> float:
        """Return when the next one is, seconds since 1970."""


Show = Callable[[CheckReport], None]
"""Prints a report."""


@dataclass(frozen=True)
class SageMakerOptions:
    """Which of SageMaker's files are written, and when."""

    sagemaker_out: Annotated[
        str | None,
        Option("Write statistics, constraints, violations and a summary there: a folder, or s3://….", "DIR", SAGEMAKER),
    ] = None
    sagemaker_constraints: Annotated[
        str | None,
        Option("A constraints.json to check, by default that beside the baseline.", "FILE", SAGEMAKER),
    ] = None
    max_run_seconds: Annotated[
        float | None, Option("Stop an execution that takes longer; its status is then Stopped.", "SECONDS", SAGEMAKER)
    ] = None
    schedule: Annotated[
        str | None,
        Option(
            "Check the rows since the last execution, again and again: hourly, daily, or '30 6 * * *' (UTC).",
            "WHEN",
            SAGEMAKER,
        ),
    ] = None
    once: Annotated[
        bool,
        Option("Check the rows since the last execution now, and end: for a scheduler of your own.", group=SAGEMAKER),
    ] = False

    def __post_init__(self) -> None:
        """Raise CheckError for options that contradict each other."""
        if self.sagemaker_out is None:
            given = {
                "--sagemaker-constraints": self.sagemaker_constraints is not None,
                "--max-run-seconds": self.max_run_seconds is not None,
                "--schedule": self.schedule is not None,
                "--once": self.once,
            }
            alone = [flag for flag, is_given in given.items() if is_given]
            if alone:
                raise CheckError(f"{listed(alone)}: name the folder for the files too (--sagemaker-out DIR)")
        if self.schedule is not None and self.once:
            raise CheckError("--schedule and --once: give one of them")
        if self.max_run_seconds is not None and not 0.0 < self.max_run_seconds < float("inf"):
            raise CheckError(f"--max-run-seconds {self.max_run_seconds:g}: give a number above 0")
        if self.schedule is not None:
            Schedule.named(self.schedule)


def constraints_for(options: SageMakerOptions, baseline: Path) -> Constraints | None:
    """Return the constraints that are given, or lie beside the baseline; None for those that it suggests."""
    given = options.sagemaker_constraints
    beside = (baseline if baseline.is_dir() else baseline.parent) / CONSTRAINTS_FILE
    if given is None and not beside.is_file():
        return None
    path = given or str(beside)
    return parse_document(read_file(path, MOST_BYTES), Constraints, path)


def run(job: Job, tables: Sequence[str], options: SageMakerOptions, show: Show, out: Console, errors: Console) -> int:
    """Run one execution, or those of a schedule; returns the exit code."""
    assert options.sagemaker_out is not None  # noqa: S101  the caller has looked
    folder = folder_of(options.sagemaker_out)
    with _stopping() as stopping:
        runner = Runner(job, tables, options.max_run_seconds, folder, stopping)
        if options.schedule is not None:
            follow(runner, Schedule.named(options.schedule), out, errors, stopping)
            return 0
        if options.once:
            record, execution = runner.go_on(time.time())
            out.print(_line(record), soft_wrap=True, markup=False)
            return _code(execution)
        execution = runner.whole()
    return _shown(execution, folder, show, errors)


def _shown(execution: Execution, folder: Folder, show: Show, errors: Console) -> int:
    if execution.report is not None:
        show(execution.report)
    for violation in execution.violations.violations:
        what = f"{violation.constraint_check_type} of {violation.feature_name}: {violation.description}"
        errors.print(what, soft_wrap=True, markup=False)
    errors.print(execution.message, soft_wrap=True, markup=False)
    try:
        for name, content in execution.files().items():
            folder.write(name, content)
    except IngestError as error:
        errors.print(f"driftgauge: {error}", soft_wrap=True, markup=False)
        return UNWRITTEN
    errors.print(f"wrote {folder.label}", soft_wrap=True, markup=False)
    return _code(execution)


def _code(execution: Execution) -> int:
    codes = {"Completed": 0, "CompletedWithViolations": 1, "Failed": FAILED, "Stopped": STOPPED}
    report = execution.report
    fails = report is not None and (report.has_drift or report.has_violations)
    return max(codes[execution.status], int(fails))


def follow(runner: Runner, schedule: Due, out: Console, errors: Console, stopping: threading.Event) -> None:
    """Run executions whenever they are due, until a signal."""
    due = schedule.after(time.time())
    errors.print(f"the first execution is due at {rfc3339(due)}", soft_wrap=True, markup=False)
    while not stopping.wait(max(0.0, due - time.time())):
        if time.time() < due:  # the clock was set back, or the wait was short
            continue
        try:
            record, _ = runner.go_on(due)
            out.print(_line(record), soft_wrap=True, markup=False)
        except (CheckError, IngestError) as error:  # the storage is away: the next execution reads these rows
            errors.print(f"driftgauge: {error}", soft_wrap=True, markup=False)
        due = schedule.after(max(due, time.time()))


def _line(record: Record) -> str:
    count = f"{record.violations:,} violation{'' if record.violations == 1 else 's'}"
    what = record.reason or f"{count} in {record.rows:,} rows"
    return f"{record.scheduled} {record.status}: {what}; {record.report}"


class Runner:
    """Runs executions of one check."""

    def __init__(
        self, job: Job, tables: Sequence[str], most: float | None, folder: Folder, stopping: threading.Event
    ) -> None:
        self._job: Final = job
        self._tables: Final = tables
        self._most: Final = most
        self._stopping: Final = stopping
        self._executions: Final = Executions(folder)

    def whole(self) -> Execution:
        """Check the tables as they are."""
        with ExitStack() as stack:
            job = replace(self._job, tables=lambda: stack.enter_context(fetched(self._tables)))
            return execute(job, self._limits())

    def go_on(self, scheduled: float) -> tuple[Record, Execution]:
        """Check the rows since the last execution, and keep it in the list."""
        with ExitStack() as stack:
            new = NewRows(self._tables, self._executions.positions(), self._job.options.bytes_at_once, stack)
            execution = execute(replace(self._job, tables=new.open), self._limits(), scheduled)
        done = execution.status in ("Completed", "CompletedWithViolations")
        return self._executions.keep(execution, new.positions() if done else None), execution

    def _limits(self) -> Limits:
        ends = None if self._most is None else time.time() + self._most
        return Limits(time.time, ends, self._most, self._stopping.is_set)


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set."""
    event = threading.Event()
    before = {number: signal.signal(number, lambda *_: event.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
