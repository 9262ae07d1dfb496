"""`driftgauge check …`: its command line."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from driftgauge.checks.assertions.run import run_suite
from driftgauge.checks.assertions.suite import Suite
from driftgauge.checks.check import Check
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.profile_check import ProfileCheck
from driftgauge.checks.quality import constraints_of
from driftgauge.checks.reference import Reference, reference_of
from driftgauge.checks.report import CheckReport
from driftgauge.checks.report_json import as_bytes
from driftgauge.checks.sagemaker.execution import Job
from driftgauge.cli.check_model import checked_model, settings_name_a_model
from driftgauge.cli.check_page import check_page
from driftgauge.cli.check_report import show
from driftgauge.cli.check_sagemaker import SageMakerOptions, constraints_for, run
from driftgauge.cli.check_suite import AssertionOptions, each_problem_in_a_line, write_outcomes
from driftgauge.cli.column_options import chosen
from driftgauge.cli.console import console
from driftgauge.cli.derived_options import derived_options
from driftgauge.cli.engine_checks import counted_comparison, is_counted
from driftgauge.cli.profile_sources import profile_files, read_profiles
from driftgauge.cli.reading import reading
from driftgauge.cli.reference_options import MODEL, TrustedTypes, loading
from driftgauge.common.addresses import without_password
from driftgauge.common.comma_lists import comma_list
from driftgauge.common.option import Option
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.edges.files.fetching import fetched
from driftgauge.engines.options import EngineOptions
from driftgauge.errors import CheckError
from driftgauge.settings.options import Settings
from driftgauge.settings.policies import policy_of

OUTPUT: Final = "Output"


@dataclass(frozen=True)
class CheckOutput:
    """What is written about a check."""

    as_json: Annotated[
        bool, Option("Print the report as GET /drift/status answers it.", group=OUTPUT, flag="--json")
    ] = False
    statistics: Annotated[bool, Option("Print the statistics of every column.", group=OUTPUT, flag="--stats")] = False
    html: Annotated[Path | None, Option("Write the report as one HTML file too.", "FILE", OUTPUT)] = None
    show_all: Annotated[bool, Option("Print the columns of every period.", group=OUTPUT, flag="--all")] = False


@derived_options
def check(
    tables: Annotated[
        list[str],
        typer.Argument(
            help="Tables of any size: csv, parquet, JSON lines, folders, or s3://…; or profiles.", metavar="TABLE"
        ),
    ],
    options: CheckOptions,
    *,
    context: typer.Context,
    baseline: Annotated[
        str | None, typer.Option(help="A baseline.json, or the folder of a bundle, here or s3://….", metavar="PATH")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Settings file of a server: its model, thresholds and columns hold here too.",
            metavar="FILE",
            dir_okay=False,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The model of the settings, where they have several.", metavar="NAME")
    ] = None,
    no_predict: Annotated[
        bool,
        typer.Option(
            "--no-predict",
            help="Do not use the bundle's model: predict no missing scores, measure no performance.",
            rich_help_panel=MODEL,
        ),
    ] = False,
    trusted_types: TrustedTypes = None,
    asserting: AssertionOptions,
    output: CheckOutput,
    engine: EngineOptions,
    sagemaker: SageMakerOptions,
) -> None:
    """Compare tables with a baseline and report drift.

    Exit code 0 means no drift, 1 drift or violated constraints, 2 bad input. Each table is one window, or each period
    with --time and --every; several windows form a history that shows when a drift began. docs/check.md has examples.
    Profiles are one window together, or one for each period of --every: docs/profiles.md. So are tables that databases
    count, such as postgresql://HOST/DATABASE?table=NAME: docs/engines.md.

    With --sagemaker-out, violated constraints count as drift does, 2 is also a failed execution, and 4 a stopped one:
    docs/sagemaker.md.

    With --assert or --suite, exit code 1 means that an assertion failed, whatever drifts; a baseline is only needed if
    an assertion compares with one.
    """
    errors = console(stderr=True)
    with each_problem_in_a_line(errors):
        suite = asserting.suite
    if suite is not None and sagemaker.sagemaker_out is not None:
        raise CheckError("--sagemaker-out writes the comparison with a baseline: leave out --assert and --suite")
    unnamed = (baseline, config, model) == (None, None, None)
    if suite is not None and unnamed and not (suite.needs_baseline and settings_name_a_model()):
        raise typer.Exit(_assert(suite, tables, None, options, asserting, output, errors))
    checked = checked_model(_here(context, baseline), config, model)
    trusted = comma_list(trusted_types or "") or (checked.settings.trusted_types if checked.settings else ())
    reference = reference_of(checked.path, loading(trusted), with_model=not no_predict)
    options = replace(options, ignore=tuple(chosen(options.ignore, reference.baseline.names, "--ignore")))
    if checked.settings is not None:
        options = _under_settings(options, checked.settings, reference.baseline)
    if is_counted(tables, engine):
        if suite is not None or sagemaker.sagemaker_out is not None:
            raise CheckError("a database counts rows, and --assert, --suite and --sagemaker-out read them: use a file")
        counted = counted_comparison(tables, engine, reference, options, errors)
        raise typer.Exit(_compare_profiles(counted, output))
    profiles = profile_files(tables)
    if profiles is not None:
        if suite is not None or sagemaker.sagemaker_out is not None:
            raise CheckError("profiles have no rows for --assert, --suite and --sagemaker-out: check the tables")
        kept = constraints_of(options, reference)
        compared = ProfileCheck(reference.baseline, read_profiles(profiles), options, kept)
        raise typer.Exit(_compare_profiles(compared, output))
    if suite is not None:
        raise typer.Exit(_assert(suite, tables, reference, options, asserting, output, errors))
    if sagemaker.sagemaker_out is not None:
        given, own = constraints_for(sagemaker, checked.path), constraints_of(options, reference)
        job = Job(reference, tables, options, given, own)
        raise typer.Exit(run(job, tables, sagemaker, lambda report: _write(report, output, errors), console(), errors))
    constraints = constraints_of(options, reference)
    with fetched(tables) as paths:
        comparison = Check(reference.baseline, paths, options, reference.scorer, reference.kept, constraints)
        for line in comparison.remarks:
            errors.print(line, soft_wrap=True)
        report = _named(_judge(comparison, errors), paths, tables)
    _write(report, output, errors)
    raise typer.Exit(int(report.has_drift or report.has_violations))


def _here(context: typer.Context, baseline: str | None) -> Path | None:
    """Return the path of a baseline or a bundle; one of object storage is kept here until the command ends."""
    if baseline is None:
        return None
    (path,) = context.with_resource(fetched([baseline]))
    return Path(path)


def _compare_profiles(comparison: ProfileCheck, output: CheckOutput) -> int:
    """Judge profiles and write the report; return the exit code."""
    errors = console(stderr=True)
    for line in comparison.remarks:
        errors.print(line, soft_wrap=True)
    report = comparison.report(time.time())
    _write(report, output, errors)
    return int(report.has_drift or report.has_violations)


def _under_settings(options: CheckOptions, settings: Settings, baseline: Baseline) -> CheckOptions:
    """Return options with the thresholds of a server, and with what it does not show."""
    is_off = options.no_constraints or (options.constraints is None and not settings.quality_enabled)
    return replace(
        options,
        base=policy_of(settings, baseline),
        no_constraints=is_off,
        redacted=settings.redacted_columns,
        has_examples=settings.quality_examples,
    )


def _assert(
    suite: Suite,
    tables: Sequence[str],
    reference: Reference | None,
    options: CheckOptions,
    asserting: AssertionOptions,
    output: CheckOutput,
    errors: Console,
) -> int:
    """Run the suite and write its outcomes; return the exit code."""
    if output.html is not None and reference is None:
        raise CheckError("--html writes the comparison with a baseline: name it (--baseline PATH)")
    with each_problem_in_a_line(errors), _interruptible(), fetched(tables) as paths:
        report = run_suite(suite, paths, reference, options, time.time())
    for line in () if report.comparison is None else report.comparison.remarks:
        errors.print(line, soft_wrap=True)
    with _interruptible(), _writing(errors):
        write_outcomes(report, asserting, console(), errors, as_json=output.as_json, show_all=output.show_all)
    if asserting.junit is not None:
        _write_file(asserting.junit, report.to_junit(), errors)
    if output.html is not None and report.comparison is not None:
        _write_file(output.html, check_page(report.comparison), errors)
    return int(not report.passed)


def _judge(comparison: Check, errors: Console) -> CheckReport:
    with reading(errors, comparison.bytes) as progress, _interruptible():
        return comparison.report(time.time(), progress)


def _named(report: CheckReport, paths: Sequence[str], tables: Sequence[str]) -> CheckReport:
    """Return a report whose tables have the addresses that they were fetched from."""
    names = {path: without_password(table) for path, table in zip(paths, tables, strict=True) if path != table}
    if not names:
        return report
    windows = (replace(own, tables=tuple(names.get(str(path), path) for path in own.tables)) for own in report.windows)
    return replace(report, windows=tuple(windows))


def _write(report: CheckReport, output: CheckOutput, errors: Console) -> None:
    with _interruptible(), _writing(errors):
        if output.as_json:
            typer.echo(as_bytes(report))
        else:
            show(report, console(), show_all=output.show_all, statistics=output.statistics)
        sys.stdout.flush()
    if output.html is not None:
        _write_file(output.html, check_page(report), errors)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Exit with the shell's own code when interrupted: 1 would mean drift."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@contextmanager
def _writing(errors: Console) -> Iterator[None]:
    """Exit with 3 if the report cannot be written: a full disk, or a closed pipe."""
    try:
        yield
    except OSError as error:
        errors.print(f"driftgauge: cannot write the report: {error.strerror}", soft_wrap=True)
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # or Python would try again at its end
        raise typer.Exit(3) from None


def _write_file(path: Path, text: str, errors: Console) -> None:
    """Write a report to a file; exit with 3 if that fails."""
    try:
        path.write_text(text, "utf-8", "replace")
    except OSError as error:
        errors.print(f"driftgauge: cannot write {path}: {error.strerror}", soft_wrap=True)
        raise typer.Exit(3) from None
