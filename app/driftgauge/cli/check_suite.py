"""Assertions of `driftgauge check`: their options, and what is written of their outcomes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final, Literal

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from driftgauge.checks.assertions.annotations import annotations_of
from driftgauge.checks.assertions.language import spelled_value
from driftgauge.checks.assertions.report import Outcome, SuiteReport
from driftgauge.checks.assertions.suite import Suite, SuiteError, suite
from driftgauge.checks.report_columns import NOTHING, verdict_in_words
from driftgauge.common.option import Option

ASSERTIONS: Final = "Assertions"
STYLES: Final = {"FAILED": "red", "warning": "yellow"}


@dataclass(frozen=True)
class AssertionOptions:
    """What must hold of the tables."""

    assertions: Annotated[
        tuple[str, ...],
        Option(
            'What must hold, such as "missing(age) <= 0.05"; repeat it. docs/assertions.md lists the functions.',
            "ASSERTION",
            ASSERTIONS,
            flag="--assert",
            commas=False,
        ),
    ] = ()
    suites: Annotated[
        tuple[str, ...],
        Option("A YAML file of assertions; repeat it.", "FILE", ASSERTIONS, flag="--suite", commas=False),
    ] = ()
    label: Annotated[str | None, Option("The column of the truth, for performance.", "COLUMN", ASSERTIONS)] = None
    prediction: Annotated[str | None, Option("The column of predicted classes or values.", "COLUMN", ASSERTIONS)] = None
    score: Annotated[str | None, Option("The column of probabilities of the positive class.", "COLUMN", ASSERTIONS)] = (
        None
    )
    positive: Annotated[str | None, Option("The positive class; by default 1 or true.", "CLASS", ASSERTIONS)] = None
    junit: Annotated[Path | None, Option("Write the outcomes as JUnit XML too.", "FILE", ASSERTIONS)] = None
    github: Annotated[
        Literal["auto", "always", "never"],
        Option("Print annotations of failed assertions for GitHub; auto: in its workflows.", group=ASSERTIONS),
    ] = "auto"

    @property
    def suite(self) -> Suite | None:
        """The suite, with what cannot be read of it; None if nothing is asserted. SuiteError if nothing can be read."""
        files = [Path(name) for name in self.suites]
        if not self.assertions and not files:
            return None
        try:
            return suite(
                *files,
                *(f"{text} " for text in self.assertions),  # never the name of a file
                label=self.label,
                prediction=self.prediction,
                score=self.score,
                positive=self.positive,
            )
        except SuiteError as error:
            if error.readable is None:
                raise
            return replace(error.readable, problems=error.problems)

    def wants_annotations(self, environment: Mapping[str, str]) -> bool:
        """Return whether failed assertions are printed for GitHub."""
        return self.github == "always" or (self.github == "auto" and environment.get("GITHUB_ACTIONS") == "true")


@contextmanager
def each_problem_in_a_line(errors: Console) -> Iterator[None]:
    """Print the problems of a suite, and exit with 2."""
    try:
        yield
    except SuiteError as error:
        for problem in error.problems:
            errors.print(Text.assemble(("driftgauge:", "red"), f" {problem}"), soft_wrap=True)
        raise typer.Exit(2) from None


def write_outcomes(
    report: SuiteReport, options: AssertionOptions, out: Console, errors: Console, *, as_json: bool, show_all: bool
) -> None:
    """Write the outcomes to standard output, and annotations to standard error, where GitHub reads them too."""
    if as_json:
        typer.echo(orjson.dumps(report.to_dict(), option=orjson.OPT_NON_STR_KEYS))
    else:
        _show(report, out, show_all=show_all)
    sys.stdout.flush()
    if options.wants_annotations(os.environ):
        for line in annotations_of(report):
            errors.print(line, soft_wrap=True)


def _show(report: SuiteReport, out: Console, *, show_all: bool) -> None:
    chosen = report.failed if report.is_history and not show_all else report.outcomes
    if chosen:
        out.print(_table(chosen, is_history=report.is_history))
        out.print()
    out.print(_summary(report))
    if report.comparison is not None:
        worst = report.comparison.worst.report
        out.print(f"drift: {verdict_in_words(worst)}. {worst.reason}", soft_wrap=True)


def _summary(report: SuiteReport) -> str:
    failed, windows = len(report.failed), len({one.window for one in report.outcomes})
    assertions = len(report.outcomes) // max(1, windows)
    several = f" in {windows:,} windows" if report.is_history else ""
    if not failed:
        return f"the assertion holds{several}" if assertions == 1 else f"all {assertions:,} assertions hold{several}"
    if report.is_history:
        return f"{failed:,} of {len(report.outcomes):,} outcomes failed: {assertions:,} assertions{several}"
    return f"{failed:,} of {assertions:,} assertions failed"


def _table(outcomes: tuple[Outcome, ...], *, is_history: bool) -> Table:
    """Return a line for each outcome."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    has_names = any(one.assertion.name for one in outcomes)
    columns = [("window", is_history), ("result", True), ("assertion", True), ("value", True), ("name", has_names)]
    for name, is_shown in columns:
        if is_shown:
            table.add_column(name, overflow="fold", no_wrap=name in ("window", "result"))
    for one in outcomes:
        result = _result(one)
        cells = (one.window, result, one.assertion.text, _value(one), one.assertion.name)
        shown = [cell for cell, (_, is_shown) in zip(cells, columns, strict=True) if is_shown]
        table.add_row(*shown, style=STYLES.get(result))
    return table


def _result(outcome: Outcome) -> str:
    if outcome.passed:
        return "ok"
    return "FAILED" if outcome.fails else "warning"


def _value(outcome: Outcome) -> str:
    if outcome.value is None:
        return f"{NOTHING} ({outcome.problem})"
    return spelled_value(outcome.value) + (f" ({outcome.note})" if outcome.note else "")
