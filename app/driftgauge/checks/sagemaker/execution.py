"""One execution of a monitoring schedule: a check, its files and its status."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np

from driftgauge.checks.check import Check
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.reference import Reference
from driftgauge.checks.report import CheckReport
from driftgauge.checks.sagemaker.constraints import Constraints
from driftgauge.checks.sagemaker.documents import CONSTRAINTS_FILE, Document, document_bytes
from driftgauge.checks.sagemaker.number_profile import NumberProfile
from driftgauge.checks.sagemaker.own_violations import more_violations
from driftgauge.checks.sagemaker.profile import TableProfile, profile_of
from driftgauge.checks.sagemaker.sketch import datasketches
from driftgauge.checks.sagemaker.statistics import Statistics
from driftgauge.checks.sagemaker.suggest import suggested
from driftgauge.checks.sagemaker.violations import Violations, violations_of
from driftgauge.common.quoting import listed
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.quality.constraints import Constraints as OwnConstraints
from driftgauge.drift.verdict.rule import RANK
from driftgauge.drift.verdict.rule import Status as Verdict
from driftgauge.errors import CheckError, DriftgaugeError
from driftgauge.tables.memory import open_table
from driftgauge.tables.stream import TableSource

STATISTICS_FILE: Final = "statistics.json"
VIOLATIONS_FILE: Final = "constraint_violations.json"
SUMMARY_FILE: Final = "execution_summary.json"

Status = Literal["Completed", "CompletedWithViolations", "Failed", "Stopped"]


class RunStopped(DriftgaugeError):
    """An execution that was stopped before its end."""


@dataclass(frozen=True)
class Limits:
    """What ends an execution early; looked at after each part of a table."""

    clock: Callable[[], float]
    """Seconds since 1970."""
    ends: float | None = None
    """When it ends at the latest, by the clock."""
    max_run_seconds: float | None = None
    """The limit that sets that end."""
    is_stopping: Callable[[], bool] = lambda: False
    """Whether a signal asked for the end."""

    def require(self) -> None:
        """Raise RunStopped once a limit is reached."""
        if self.is_stopping():
            raise RunStopped("a signal stopped the execution")
        if self.ends is not None and self.clock() >= self.ends:
            raise RunStopped(f"the execution exceeded its run time of {self.max_run_seconds:g} s (--max-run-seconds)")


@dataclass(frozen=True)
class Execution:
    """How an execution ended."""

    status: Status
    scheduled: float
    """When it was due, seconds since 1970."""
    start: float
    end: float
    rows: int = 0
    reason: str = ""
    """Why it failed or was stopped."""
    violations: Violations = field(default_factory=Violations)
    constraints: Constraints | None = None
    statistics: Statistics | None = None
    """None if the tables were not read to their end."""
    report: CheckReport | None = None
    """Our own verdict; None where no column could be compared."""

    def files(self) -> Mapping[str, bytes]:
        """Return the files of the execution by name."""
        documents: dict[str, Document | None] = {
            STATISTICS_FILE: self.statistics,
            CONSTRAINTS_FILE: self.constraints,
            VIOLATIONS_FILE: None if self.statistics is None else self.violations,
            SUMMARY_FILE: self.summary(),
        }
        return {name: document_bytes(own) for name, own in documents.items() if own is not None}

    def summary(self) -> Summary:
        """Return the content of `execution_summary.json`."""
        return Summary(
            MonitoringExecutionStatus=self.status,
            ScheduledTime=rfc3339(self.scheduled),
            CreationTime=rfc3339(self.start),
            LastModifiedTime=rfc3339(self.end),
            FailureReason=self.reason or None,
            ExitMessage=self.message,
        )

    @property
    def message(self) -> str:
        """The end of the execution in one sentence."""
        count = len(self.violations.violations)
        if self.status == "Completed":
            return "Completed: Job completed successfully with no violations."
        if self.status == "CompletedWithViolations":
            return f"CompletedWithViolations: Job completed successfully with {count} violation{'s' * (count > 1)}."
        return f"{self.status}: {self.reason}"


class Summary(Document):
    """An execution with the names that SageMaker's API gives its parts."""

    MonitoringExecutionStatus: Status
    ScheduledTime: str
    CreationTime: str
    LastModifiedTime: str
    FailureReason: str | None = None
    ExitMessage: str


@dataclass(frozen=True)
class Job:
    """What an execution does."""

    reference: Reference
    tables: Sequence[Any] | Callable[[], Sequence[Any]]
    """The tables, or what opens them; that they cannot be opened is the end of the execution."""
    options: CheckOptions
    constraints: Constraints | None = None
    """None for those that the baseline suggests."""
    own: OwnConstraints | None = None
    """Our own constraints, checked too; None without any."""


def execute(job: Job, limits: Limits, scheduled: float | None = None) -> Execution:
    """Check tables and return how that ended; whatever is wrong with them is its status, not an exception.

    CheckError if the library for sketches is missing.
    """
    datasketches()
    start = limits.clock()
    begun = Execution("Failed", start if scheduled is None else scheduled, start, start)
    try:
        found = _executed(job, limits, begun)
    except RunStopped as error:
        found = replace(begun, status="Stopped", reason=str(error))
    except DriftgaugeError as error:
        found = replace(begun, reason=str(error))
    except ArithmeticError as error:
        found = replace(begun, reason=f"a number of the tables is too large to compute with: {error}")
    return replace(found, end=limits.clock())


def _executed(job: Job, limits: Limits, begun: Execution) -> Execution:
    baseline = job.reference.baseline
    constraints = suggested(baseline) if job.constraints is None else job.constraints
    tables = job.tables() if callable(job.tables) else job.tables
    streams = [open_table(table, job.options.bytes_at_once) for table in tables]
    profile = profile_of(baseline, constraints, streams, job.options.left_out, _named(job), limits.require)
    if not profile.rows:
        raise CheckError(f"{listed([own.label for own in streams])}: there are no rows")
    report = _verdict(job, streams, profile, limits)
    found = violations_of(profile, constraints, baseline, {} if report is None else _drifted(report))
    if report is not None:
        more = more_violations(report, found.violations)
        found = Violations(violations=(*found.violations, *more))
    status: Status = "CompletedWithViolations" if found.violations else "Completed"
    return replace(
        begun,
        status=status,
        rows=profile.rows,
        violations=found,
        constraints=constraints,
        statistics=profile.statistics(),
        report=report,
    )


def _named(job: Job) -> list[str]:
    """Return the columns of tables that are expected beside those of the baseline."""
    scorer, time = job.reference.scorer, job.options.time
    names = [] if scorer is None else [*scorer.features, scorer.info.target]
    return [name for name in (*names, time) if name is not None]


def _verdict(job: Job, streams: Sequence[TableSource], profile: TableProfile, limits: Limits) -> CheckReport | None:
    """Return our own verdict on the columns that can be compared; None if there are none."""
    wrong = [own.name for own in profile.columns.values() if isinstance(own, NumberProfile) and own.wrong]
    options = replace(job.options, ignore=tuple(dict.fromkeys((*job.options.ignore, *profile.missing, *wrong))))
    baseline = job.reference.baseline
    if not set(profile.columns) - set(options.left_out):
        return None
    scorer = None if profile.missing or wrong else job.reference.scorer
    return Check(baseline, streams, options, scorer, job.reference.kept, job.own).report(
        limits.clock(), lambda _: limits.require()
    )


def _drifted(report: CheckReport) -> dict[str, str]:
    """Return the columns that drift in any window, each with what moved in its worst one.

    A drift for information alone is none: of a column without alerts, or of too small a share of the columns.
    """
    worst: dict[str, tuple[int, float]] = {}
    found: dict[str, str] = {}
    for window in report.windows:
        for own, effect in zip(window.report.verdicts, np.nan_to_num(window.report.effects).tolist(), strict=True):
            if own.status is not Verdict.DRIFT_DETECTED or own.severity == "info":
                continue
            badness = RANK[own.status, own.severity], effect
            if own.name not in worst or badness > worst[own.name]:
                worst[own.name] = badness
                found[own.name] = " ".join(own.reason.split())
    return found
