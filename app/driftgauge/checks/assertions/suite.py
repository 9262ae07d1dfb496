"""A suite: assertions on a table, with names and severities, from texts or from a file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from driftgauge.checks.assertions.binding import bind
from driftgauge.checks.assertions.functions import Function
from driftgauge.checks.assertions.language import Condition, LanguageError, Value, parse
from driftgauge.checks.assertions.truth import TruthColumns
from driftgauge.errors import CheckError

if TYPE_CHECKING:
    from driftgauge.checks.assertions.report import SuiteReport
    from driftgauge.checks.options import CheckOptions

AssertionSeverity = Literal["critical", "warning"]
SEVERITIES: Final = ("critical", "warning")
SUITE_FILES: Final = (".yaml", ".yml")


class SuiteError(CheckError):
    """A suite cannot be used; the message has a line for each problem and says what to do."""

    def __init__(self, problems: Sequence[str], readable: Suite | None = None) -> None:
        super().__init__("\n".join(problems))
        self.problems: Final = tuple(problems)
        self.readable: Final = readable
        """The assertions that can be read; None if there are none."""


@dataclass(frozen=True)
class Assertion:
    """An assertion of a suite."""

    text: str
    """As it is written."""
    function: Function
    arguments: tuple[Value, ...]
    condition: Condition
    name: str = ""
    """A name for people; by default the text."""
    severity: AssertionSeverity = "critical"
    """A failed `warning` is shown, and fails nothing."""
    description: str = ""
    file: str = ""
    """The suite's file."""
    line: int = 0
    """The line in it, from 1; 0 without a file."""

    @property
    def title(self) -> str:
        """The name, or the text."""
        return self.name or self.text

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.file}:{self.line}: {self.text}" if self.line else self.text

    @property
    def needs_baseline(self) -> bool:
        """Whether it is about the comparison with a baseline."""
        return self.function.group == "Drift"


@dataclass(frozen=True)
class Suite:
    """Assertions on a table; `driftgauge.suite` makes one."""

    assertions: tuple[Assertion, ...]
    """The assertions in order."""
    name: str = "driftgauge"
    """The name of the suite, which JUnit's files show."""
    truth: TruthColumns = field(default_factory=TruthColumns)
    """The columns of the truth and the predictions."""
    problems: tuple[str, ...] = ()
    """What could not be read of it: a run is refused with this, and with what does not fit the tables."""

    def run(
        self, table: Any, baseline: Any = None, options: CheckOptions | None = None, *, now: float | None = None
    ) -> SuiteReport:
        """Return what holds for a table.

        The table is a pandas or polars DataFrame, an Arrow table, a dict of columns, or the path of a file or folder.
        `baseline` is what `driftgauge.check` compares with, needed for assertions on drift and on the performance of a
        bundle's model. Raises CheckError with a line for each problem, BundleError or TableError.
        """
        from driftgauge.checks.assertions.run import run_suite  # it needs this module
        from driftgauge.checks.reference import reference_of

        reference = None if baseline is None else reference_of(baseline)
        return run_suite(self, [table], reference, options, time.time() if now is None else now)

    @property
    def needs_baseline(self) -> bool:
        """Whether an assertion is about the comparison with a baseline, or about a bundle's model."""
        return any(
            one.needs_baseline or (one.function.group == "Performance" and self.truth.label is None)
            for one in self.assertions
        )


def suite(
    *assertions: str | Path,
    label: str | None = None,
    prediction: str | None = None,
    score: str | None = None,
    positive: str | None = None,
) -> Suite:
    """Return a suite of assertions, each a text such as `missing(age) <= 0.05`, or of the files of suites.

    A path, or a text that ends in `.yaml` or `.yml`, is a file. `label`, `prediction` and `score` are columns of the
    table with the truth, the predicted class or value, and the probability of the `positive` class; they replace those
    of a file. Raises CheckError with a line for each problem.

    >>> from driftgauge import suite
    >>> report = suite("rows >= 3", "missing(age) <= 0.05").run({"age": [31, 45, None]})
    >>> report.passed
    False
    >>> print(report)
    missing(age) <= 0.05: it is 0.333333
    """
    from driftgauge.checks.assertions.suite_file import read_suite  # it needs this module

    given = TruthColumns(label, prediction, score, positive)
    suites: list[Suite] = []
    problems: list[str] = []
    for one in assertions:
        try:
            is_file = isinstance(one, Path) or one.endswith(SUITE_FILES)
            suites.append(read_suite(Path(one)) if is_file else Suite((assertion_of(str(one)),), ""))
        except SuiteError as error:
            problems += error.problems
            suites += [] if error.readable is None else [error.readable]
    if problems:
        raise SuiteError(problems, combined(suites, given) if any(own.assertions for own in suites) else None)
    return combined(suites, given)


def combined(suites: Sequence[Suite], truth: TruthColumns) -> Suite:
    """Return all suites as one; SuiteError if there is nothing to assert, or if they name different columns."""
    found = tuple(one for own in suites for one in own.assertions)
    if not found:
        raise SuiteError(['there is nothing to assert: give at least one, such as "rows >= 1000"'])
    names = [own.name for own in suites if own.name]
    return Suite(found, ", ".join(names) or "driftgauge", _merged([truth, *(own.truth for own in suites)]))


def _merged(columns: Sequence[TruthColumns]) -> TruthColumns:
    """Return the first name of each column of the truth."""
    return TruthColumns(
        *(
            next((value for one in columns if (value := getattr(one, name)) is not None), None)
            for name in ("label", "prediction", "score", "positive")
        )
    )


def assertion_of(
    text: str,
    *,
    name: str = "",
    severity: AssertionSeverity = "critical",
    description: str = "",
    file: str = "",
    line: int = 0,
) -> Assertion:
    """Return the assertion of a text; SuiteError if it is none."""
    try:
        expression = parse(text)
        function, arguments = bind(expression)
    except LanguageError as error:
        place = f"{file}:{line}: " if line else ""
        raise SuiteError([f"{place}{text.strip() or 'an empty assertion'}: {error}"]) from error
    condition = expression.condition
    return Assertion(expression.text, function, arguments, condition, name, severity, description, file, line)
