"""Runs a suite on tables: one pass for the values of columns, and the comparison with a baseline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from driftgauge.checks.assertions.binding import columns_of, unknown_column
from driftgauge.checks.assertions.functions import BUNDLE_METRICS, STATISTICS, Function, TableFacts
from driftgauge.checks.assertions.measures import Measure
from driftgauge.checks.assertions.report import Outcome, SuiteReport
from driftgauge.checks.assertions.suite import Assertion, Suite, SuiteError
from driftgauge.checks.assertions.truth import Classes
from driftgauge.checks.assertions.windows import Key, Measured, MeasuredWindows, WindowMeasures
from driftgauge.checks.check import Check
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.quality import constraints_of
from driftgauge.checks.reference import Reference
from driftgauge.checks.report import CheckReport, WindowVerdict
from driftgauge.drift.statistics.significance import FEWEST_ROWS
from driftgauge.drift.verdict.column_statistics import BY_NAME
from driftgauge.drift.verdict.comparison import WindowReport
from driftgauge.drift.verdict.rule import REPORTED_ROWS, Status
from driftgauge.errors import TableError
from driftgauge.tables.memory import open_table
from driftgauge.tables.stream import TableSource

UNKNOWN = Measured(None, "it is not defined for this column")
OF_NUMBERS = ("ks", "wasserstein", "mean_shift")
"""Statistics that columns of categories do not have."""
NO_ROWS = Measured(None, "the table has no rows to compare")
NO_CONSTRAINTS = Measured(None, "there is no constraints.yaml with the baseline; name one (--constraints FILE)")
NO_TRUTH = Measured(None, "the table has no known target of the bundle's model, or lacks a feature of it")


def run_suite(
    suite: Suite, tables: Sequence[Any], reference: Reference | None, options: CheckOptions | None, now: float
) -> SuiteReport:
    """Return what holds for each window of the tables; `now` is the time of a window without times.

    Raises SuiteError with a line for each assertion that does not fit the tables or the baseline, before any row is
    read.
    """
    options = options or CheckOptions()
    options.require_times()
    opened = _opened(suite, tables, options.bytes_at_once)
    problems = [*suite.problems, *_problems(suite, opened, reference, options)]
    if problems:
        raise SuiteError(problems)
    reader = _reader(suite, opened, options)
    measured = [WindowValues(window) for window in reader.windows()]
    is_history = options.every is not None or len(tables) > 1
    comparison = None
    verdicts: dict[str, WindowVerdict] = {}
    if reference is not None and reader.filled:
        constraints = constraints_of(options, reference)
        found = Check(reference.baseline, reader.filled, options, reference.scorer, reference.kept, constraints).report(
            now
        )
        comparison = CheckReport(found.windows, found.baseline, is_history, found.held_out, found.remarks)
        names = [window.name for window in measured if window.rows]
        verdicts = dict(zip(names, comparison.windows, strict=True))
    outcomes = [outcome for window in measured for outcome in _outcomes(suite, window, verdicts.get(window.name))]
    return SuiteReport(tuple(outcomes), suite.name, comparison, is_history)


def _opened(suite: Suite, tables: Sequence[Any], bytes_at_once: int) -> list[TableSource]:
    """Open the tables; TableError for an unreadable one, SuiteError if the suite cannot be used either."""
    try:
        return [open_table(table, bytes_at_once) for table in tables]
    except TableError as error:
        if suite.problems:
            raise SuiteError([*suite.problems, str(error)]) from error
        raise


# ---------------------------------------------------------------- what does not fit


def _problems(
    suite: Suite, tables: Sequence[TableSource], reference: Reference | None, options: CheckOptions
) -> Iterator[str]:
    """Yield what is wrong with a suite for these tables."""
    names = None
    if reference is not None:
        names = [name for name in reference.baseline.names if name not in options.left_out]
    for table in tables:
        for column in suite.truth.names:
            if column not in table.column_names:
                yield unknown_column(column, table.column_names, table.label)
    if options.every is not None:
        absent = [table for table in tables if options.time not in table.column_names]
        yield from (unknown_column(str(options.time), table.column_names, table.label) for table in absent)
    for one in suite.assertions:
        yield from (f"{one.place}: {problem}" for problem in _problems_of(one, suite, tables, reference, names))


def _problems_of(
    one: Assertion, suite: Suite, tables: Sequence[TableSource], reference: Reference | None, names: list[str] | None
) -> Iterator[str]:
    columns = columns_of(one.function, one.arguments)
    if one.function.group == "Drift":
        if names is None:
            yield f"{one.function.name} compares with a baseline: name it (--baseline PATH)"
        else:
            yield from (unknown_column(name, names, "the comparison") for name in columns if name not in names)
        return
    for table in tables:
        yield from (
            unknown_column(name, table.column_names, table.label) for name in columns if name not in table.column_names
        )
    if one.function.group == "Performance":
        yield from _problems_of_truth(one.function, suite, reference)


def _problems_of_truth(function: Function, suite: Suite, reference: Reference | None) -> Iterator[str]:
    if suite.truth.label is None:
        if reference is None or reference.scorer is None:
            yield f"{function.name} needs the truth: name its column (--label), or a bundle whose model predicts"
        elif function.name not in BUNDLE_METRICS:
            yield f"{function.name} is not measured of a bundle's model: name --label and --prediction"
        return
    for need in function.needs:
        ways = need.split("|")
        if all(getattr(suite.truth, way) is None for way in ways):
            yield f"{function.name} needs the column of predictions: {' or '.join(f'--{way}' for way in ways)}"


# ---------------------------------------------------------------- values of the tables


class WindowValues:
    """The values of a window, without its rows."""

    def __init__(self, window: WindowMeasures) -> None:
        self.name = window.name
        self.rows = window.rows
        self.values = window.measured()


def _reader(suite: Suite, tables: Sequence[TableSource], options: CheckOptions) -> MeasuredWindows:
    """Return the reader of what is measured without a comparison."""
    own = [one for one in suite.assertions if one.function.group != "Drift"]
    own = [one for one in own if one.function.group != "Performance" or suite.truth.label is not None]
    classes = Classes()

    def make(table: TableSource) -> Mapping[Key, Measure]:
        facts = TableFacts(table.column_names, suite.truth, options.held_rows, classes)
        return {_key(one): one.function.make(facts, one.arguments) for one in own if one.function.make}

    columns = [name for one in own for name in _columns(one, suite, tables)]
    return MeasuredWindows(tables, list(dict.fromkeys(columns)), options, make)


def _columns(one: Assertion, suite: Suite, tables: Sequence[TableSource]) -> Iterator[str]:
    """Yield the columns that an assertion reads."""
    named = columns_of(one.function, one.arguments)
    yield from named
    if one.function.reads_all and not named:
        for table in tables:
            yield from table.column_names
    if one.function.group == "Performance":
        yield from suite.truth.names


def _key(one: Assertion) -> Key:
    return one.function.name, one.arguments


# ---------------------------------------------------------------- outcomes


def _outcomes(suite: Suite, window: WindowValues, verdict: WindowVerdict | None) -> Iterator[Outcome]:
    for one in suite.assertions:
        own = window.values.get(_key(one))
        found = _compared(one, verdict) if own is None else own()
        passed = found.value is not None and one.condition.holds(_generalised(one, found))
        yield Outcome(one, window.name, found.value, passed, found.problem, found.note)


def _generalised(one: Assertion, found: Measured) -> Any:
    """Return the value; of a type the word `number` if the condition asks for it and it is one."""
    is_number = found.value in ("integer", "float") and "number" in one.condition.bounds
    return "number" if is_number else found.value


def _compared(one: Assertion, verdict: WindowVerdict | None) -> Measured:
    """Return a value of the comparison with the baseline."""
    if verdict is None:
        return NO_ROWS
    if one.function.group == "Performance":
        return _performance(one.function.name, verdict)
    report, name = verdict.report, one.function.name
    if name == "violated_constraints":
        return NO_CONSTRAINTS if verdict.quality is None else Measured(verdict.quality.alerting)
    drifting = [column for column in report.verdicts if column.status is Status.DRIFT_DETECTED]
    if name == "drift_share":  # also where the settings' own drift_share limits the severity
        return Measured(sum(report.policy.column(own.name).alert for own in drifting) / len(report.verdicts))
    drifted = [column.name for column in drifting if column.severity != "info"]
    if name == "drifted_columns":
        return Measured(float(len(drifted)))
    column = str(one.arguments[0])
    index = next(i for i, own in enumerate(report.verdicts) if own.name == column)
    if name == "drifted":
        return Measured(float(column in drifted))
    values = report.evidence.log10 if name == "evidence" else BY_NAME[STATISTICS[name]].values(report.main)
    value = float(values[index])
    return _unknown(name, report.main, index) if math.isnan(value) else Measured(value)


def _unknown(name: str, window: WindowReport, column: int) -> Measured:
    """Return why a statistic of a column is unknown: by the kind of the column, or because the rows are too few."""
    is_number = not math.isnan(BY_NAME["out_of_range_ratio"].values(window)[column])
    least = FEWEST_ROWS if name == "p_value" else REPORTED_ROWS
    of_any_size = name in ("unseen", "out_of_range", "evidence")
    if of_any_size or window.rows >= least or (name in OF_NUMBERS and not is_number):
        return UNKNOWN
    return Measured(None, f"the window has fewer than {least} rows")


def _performance(name: str, verdict: WindowVerdict) -> Measured:
    """Return the performance of the bundle's model, with the scale of the live metrics where it has no other."""
    found = verdict.performance
    if found is None:
        return NO_TRUTH
    metric = BUNDLE_METRICS[name]
    if metric == "rows":
        return Measured(float(found.rows))
    if metric in found.metrics:
        return Measured(found.metrics[metric])
    if metric in found.estimates:
        return Measured(found.estimates[metric][0])
    return Measured(None, "a model of this kind has no such metric, or the rows do not define it")
