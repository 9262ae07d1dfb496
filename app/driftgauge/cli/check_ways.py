"""The ways in which `driftgauge check` reads what it compares: rows, profiles, counts of databases."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from driftgauge.checks.assertions.run import run_suite
from driftgauge.checks.assertions.suite import Suite
from driftgauge.checks.check import Check
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profile_check import ProfileCheck
from driftgauge.checks.quality import constraints_of
from driftgauge.checks.reference import Reference
from driftgauge.checks.report import CheckReport
from driftgauge.checks.sagemaker.execution import Job
from driftgauge.cli.check_output import CheckOutput, interruptible, write_report, write_report_file, writing
from driftgauge.cli.check_page import check_page
from driftgauge.cli.check_sagemaker import SageMakerOptions, constraints_for, run
from driftgauge.cli.check_suite import AssertionOptions, each_problem_in_a_line, write_outcomes
from driftgauge.cli.console import console
from driftgauge.cli.engine_checks import counted_comparison, is_counted
from driftgauge.cli.profile_sources import profile_files, read_profiles
from driftgauge.cli.reading import reading
from driftgauge.common.addresses import without_password
from driftgauge.edges.files.fetching import fetched
from driftgauge.engines.options import EngineOptions
from driftgauge.errors import CheckError


@dataclass(frozen=True)
class CheckRun:
    """Tables to check, and how; each method writes its report and returns the exit code."""

    tables: Sequence[str]
    engine: EngineOptions
    asserting: AssertionOptions
    sagemaker: SageMakerOptions
    output: CheckOutput
    errors: Console

    def with_reference(self, path: Path, reference: Reference, options: CheckOptions, suite: Suite | None) -> int:
        """Compare the tables with the baseline of a path, in the way that they and the options ask for."""
        if is_counted(self.tables, self.engine):
            self._require_no_rows_needed(
                suite, "a database counts rows, and --assert, --suite and --sagemaker-out read them: use a file"
            )
            return self._profiles(counted_comparison(self.tables, self.engine, reference, options, self.errors))
        files = profile_files(self.tables)
        if files is not None:
            self._require_no_rows_needed(
                suite, "profiles have no rows for --assert, --suite and --sagemaker-out: check the tables"
            )
            if options.time is not None:
                raise CheckError("profiles have the times of `driftgauge profile build --time`: leave out --time")
            constraints = constraints_of(options, reference)
            return self._profiles(ProfileCheck(reference.baseline, read_profiles(files), options, constraints))
        if suite is not None:
            return self.assertions(suite, reference, options)
        if self.sagemaker.sagemaker_out is not None:
            return self._executions(path, reference, options)
        return self._rows(reference, options)

    def assertions(self, suite: Suite, reference: Reference | None, options: CheckOptions) -> int:
        """Run a suite and write its outcomes."""
        html, errors = self.output.html, self.errors
        if html is not None and reference is None:
            raise CheckError("--html writes the comparison with a baseline: name it (--baseline PATH)")
        with each_problem_in_a_line(errors), interruptible(), fetched(self.tables) as paths:
            report = run_suite(suite, paths, reference, options, time.time())
        self._remark(() if report.comparison is None else report.comparison.remarks)
        with interruptible(), writing(errors):
            as_json, show_all = self.output.as_json, self.output.show_all
            write_outcomes(report, self.asserting, console(), errors, as_json=as_json, show_all=show_all)
        if self.asserting.junit is not None:
            write_report_file(self.asserting.junit, report.to_junit(), errors)
        if html is not None and report.comparison is not None:
            write_report_file(html, check_page(report.comparison), errors)
        return int(not report.passed)

    def _require_no_rows_needed(self, suite: Suite | None, why: str) -> None:
        if suite is not None or self.sagemaker.sagemaker_out is not None:
            raise CheckError(why)

    def _executions(self, path: Path, reference: Reference, options: CheckOptions) -> int:
        """Run the executions of SageMaker's model monitor."""
        given, own = constraints_for(self.sagemaker, path), constraints_of(options, reference)
        job = Job(reference, self.tables, options, given, own)
        return run(job, self.tables, self.sagemaker, self._write, console(), self.errors)

    def _profiles(self, comparison: ProfileCheck) -> int:
        self._remark(comparison.remarks)
        return self._written(comparison.report(time.time()))

    def _rows(self, reference: Reference, options: CheckOptions) -> int:
        constraints = constraints_of(options, reference)
        with fetched(self.tables) as paths:
            comparison = Check(reference.baseline, paths, options, reference.scorer, reference.kept, constraints)
            self._remark(comparison.remarks)
            with reading(self.errors, comparison.bytes) as progress, interruptible():
                report = comparison.report(time.time(), progress)
        return self._written(_named(report, paths, self.tables))

    def _remark(self, remarks: Sequence[str]) -> None:
        for line in remarks:
            self.errors.print(line, soft_wrap=True)

    def _written(self, report: CheckReport) -> int:
        self._write(report)
        return int(report.has_drift or report.has_violations)

    def _write(self, report: CheckReport) -> None:
        write_report(report, self.output, self.errors)


def _named(report: CheckReport, paths: Sequence[str], tables: Sequence[str]) -> CheckReport:
    """Return a report whose tables have the addresses that they were fetched from."""
    names = {path: without_password(table) for path, table in zip(paths, tables, strict=True) if path != table}
    if not names:
        return report
    windows = (replace(own, tables=tuple(names.get(str(path), path) for path in own.tables)) for own in report.windows)
    return replace(report, windows=tuple(windows))
