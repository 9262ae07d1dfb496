"""`driftgauge check …`: its command line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from driftgauge.checks.options import CheckOptions
from driftgauge.checks.reference import reference_of
from driftgauge.cli.check_model import checked_model, settings_name_a_model
from driftgauge.cli.check_output import CheckOutput
from driftgauge.cli.check_sagemaker import SageMakerOptions
from driftgauge.cli.check_suite import AssertionOptions, each_problem_in_a_line
from driftgauge.cli.check_ways import CheckRun
from driftgauge.cli.column_options import chosen
from driftgauge.cli.console import console
from driftgauge.cli.derived_options import derived_options
from driftgauge.cli.reference_options import MODEL, TrustedTypes, loading
from driftgauge.common.comma_lists import comma_list
from driftgauge.common.option import Option
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.edges.files.fetching import fetched
from driftgauge.engines.options import EngineOptions
from driftgauge.errors import CheckError
from driftgauge.settings.options import Settings
from driftgauge.settings.policies import policy_of


@dataclass(frozen=True)
class ComparedWith:
    """What the tables are compared with."""

    baseline: Annotated[str | None, Option("A baseline.json, or the folder of a bundle, here or s3://….", "PATH")] = (
        None
    )
    config: Annotated[
        Path | None, Option("Settings file of a server: its model, thresholds and columns hold here too.", "FILE")
    ] = None
    model: Annotated[str | None, Option("The model of the settings, where they have several.", "NAME")] = None
    no_predict: Annotated[
        bool,
        Option(
            "Do not use the bundle's model: predict no missing scores, measure no performance.",
            group=MODEL,
            flag="--no-predict",
        ),
    ] = False

    @property
    def is_given(self) -> bool:
        """Whether an option names a baseline or a model."""
        return (self.baseline, self.config, self.model) != (None, None, None)


@derived_options
def check(
    tables: Annotated[
        list[str],
        typer.Argument(
            help="Tables of any size: csv, parquet, JSON lines, folders, s3://…, or URLs of tables in databases "
            "(postgresql://HOST/DATABASE?table=NAME). Or profiles.",
            metavar="TABLE",
        ),
    ],
    options: CheckOptions,
    *,
    context: typer.Context,
    compared: ComparedWith,
    trusted_types: TrustedTypes = None,
    asserting: AssertionOptions,
    output: CheckOutput,
    engine: EngineOptions,
    sagemaker: SageMakerOptions,
) -> None:
    """Compare tables with a baseline and report drift.

    Exit code 0 means no drift, 1 drift or violated constraints, 2 bad input. Each table is one window, or each period
    with --time and --every; several windows form a history that shows when a drift began (docs/check.md).

    Profiles (docs/profiles.md), and tables that databases count (docs/engines.md), are one window together, or one for
    each period of --every.

    With --sagemaker-out, violated constraints count as drift does, 2 is also a failed execution, and 4 a stopped one:
    docs/sagemaker.md.

    With --assert or --suite, exit code 1 means that an assertion failed, whatever drifts; a baseline is only needed if
    an assertion compares with one.

    Examples:
      driftgauge check orders.parquet --baseline baseline.json
      driftgauge check orders.parquet --baseline baseline.json --time ordered_at --every 1d
      driftgauge check "postgresql://me@db/shop?table=orders" --baseline baseline.json
      driftgauge check hours/*.profile --baseline baseline.json --every 6h
      driftgauge check orders.parquet --assert "missing(age) <= 0.05"
    """
    errors = console(stderr=True)
    with each_problem_in_a_line(errors):
        suite = asserting.suite
    if suite is not None and sagemaker.sagemaker_out is not None:
        raise CheckError("--sagemaker-out writes the comparison with a baseline: leave out --assert and --suite")
    run = CheckRun(tables, engine, asserting, sagemaker, output, errors)
    if suite is not None and not compared.is_given and not (suite.needs_baseline and settings_name_a_model()):
        raise typer.Exit(run.assertions(suite, None, options))
    checked = checked_model(_here(context, compared.baseline), compared.config, compared.model)
    trusted = comma_list(trusted_types or "") or (checked.settings.trusted_types if checked.settings else ())
    reference = reference_of(checked.path, loading(trusted), with_model=not compared.no_predict)
    options = replace(options, ignore=tuple(chosen(options.ignore, reference.baseline.names, "--ignore")))
    if checked.settings is not None:
        options = _under_settings(options, checked.settings, reference.baseline)
    raise typer.Exit(run.with_reference(checked.path, reference, options, suite))


def _here(context: typer.Context, baseline: str | None) -> Path | None:
    """Return the path of a baseline or a bundle; one of object storage is kept here until the command ends."""
    if baseline is None:
        return None
    (path,) = context.with_resource(fetched([baseline]))
    return Path(path)


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
