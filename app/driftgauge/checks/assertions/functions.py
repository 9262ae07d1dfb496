"""The functions of assertions, declared once for the language and for the page that lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from driftgauge.checks.assertions import measures, truth
from driftgauge.checks.assertions.measures import Measure
from driftgauge.checks.assertions.truth import Classes, TruthColumns

Group = Literal["Table", "Columns", "Drift", "Performance"]
Kind = Literal["column", "number", "level", "value", "pattern"]


@dataclass(frozen=True)
class Parameter:
    """An argument of a function."""

    name: str
    kind: Kind
    least: int = 1
    """How often it must be given."""
    is_repeated: bool = False
    """Whether it may be given more often."""

    @property
    def spelled(self) -> str:
        """The parameter in a signature."""
        text = f"{self.name}, …" if self.is_repeated else self.name
        return text if self.least else f"[{text}]"


@dataclass(frozen=True)
class TableFacts:
    """What measures know before the first row is read."""

    columns: Sequence[str]
    truth: TruthColumns
    held_rows: int
    """Most rows of a sample."""
    classes: Classes
    """The classes of all windows."""


Make = Callable[[TableFacts, Sequence[Any]], Measure]


@dataclass(frozen=True)
class Function:
    """A function of assertions: a value of a table, of columns, of the comparison or of the predictions."""

    name: str
    parameters: tuple[Parameter, ...]
    help: str
    """What it returns, without a full stop."""
    group: Group
    make: Make | None = None
    """Makes the measure that computes it from the rows; None if the comparison with the baseline has it."""
    evidently: str = ""
    """The metric of Evidently with the same meaning."""
    needs: tuple[str, ...] = ()
    """The columns of the truth that it needs, each `label`, or several with a bar between them."""
    reads_all: bool = False
    """Whether it reads every column unless some are named."""
    is_text: bool = False
    """Whether its value is a word."""

    @property
    def signature(self) -> str:
        """How it is written."""
        if not self.parameters:
            return self.name
        return f"{self.name}({', '.join(one.spelled for one in self.parameters)})"


_COLUMN: Final = Parameter("column", "column")
_SOME: Final = Parameter("column", "column", least=0, is_repeated=True)


def _of_column(make: Callable[..., Measure], **how: Any) -> Make:
    """Return what makes a measure of the arguments alone."""
    return lambda _, arguments: make(*arguments, **how)


def _rows(name: str, help: str, make: Make, evidently: str, *parameters: Parameter) -> Function:
    return Function(name, parameters, help, "Table", make, evidently, reads_all=True)


class Width:
    """The number of columns."""

    note: Final = ""

    def __init__(self, columns: int) -> None:
        self._columns = columns

    def add(self, cells: object) -> None:
        """Count nothing."""

    def value(self) -> float:
        """Return the number."""
        return float(self._columns)


TABLE: Final = (
    Function("rows", (), "number of rows", "Table", lambda _, __: measures.Rows(), "RowCount"),
    Function("columns", (), "number of columns", "Table", lambda facts, _: Width(len(facts.columns)), "ColumnCount"),
    _rows(
        "duplicates",
        "number of rows that repeat an earlier row, in the named columns or in all",
        lambda facts, names: measures.Duplicates(names or facts.columns),
        "DuplicatedRowCount",
        _SOME,
    ),
    _rows(
        "duplicate_share",
        "their share of the rows",
        lambda facts, names: measures.Duplicates(names or facts.columns, is_share=True),
        "",
        _SOME,
    ),
    _rows(
        "empty_rows",
        "number of rows without any value",
        lambda facts, _: measures.EmptyRows(facts.columns),
        "EmptyRowsCount",
    ),
    _rows(
        "missing_cells",
        "number of cells without a value, in the named columns or in all",
        lambda facts, names: measures.Missing(names or facts.columns, is_share=False),
        "DatasetMissingValueCount",
        _SOME,
    ),
    _rows(
        "missing_cell_share",
        "their share of the cells",
        lambda facts, names: measures.Missing(names or facts.columns, is_share=True),
        "",
        _SOME,
    ),
)


def _column(name: str, help: str, make: Make, evidently: str = "", *more: Parameter, is_text: bool = False) -> Function:
    return Function(name, (_COLUMN, *more), help, "Columns", make, evidently, is_text=is_text)


def _moment(name: str, help: str, evidently: str = "") -> Function:
    return _column(name, f"{help} of its finite numbers", _of_column(measures.Moment, which=name), evidently)


COLUMNS: Final = (
    _column("dtype", "type of its cells; only `==` and `!=`", _of_column(measures.Dtype), is_text=True),
    _column(
        "missing",
        "share of rows without a value",
        lambda _, names: measures.Missing(names, is_share=True),
        "MissingValueCount (share)",
    ),
    _column(
        "missing_count",
        "number of rows without a value",
        lambda _, names: measures.Missing(names, is_share=False),
        "MissingValueCount",
    ),
    _column(
        "unique",
        "distinct values per row with a value: 1 if none repeats",
        _of_column(measures.Distinct, is_share=True),
    ),
    _column("distinct", "number of distinct values", _of_column(measures.Distinct, is_share=False)),
    _moment("min", "least", "MinValue"),
    _moment("max", "largest", "MaxValue"),
    _moment("range", "largest minus least"),
    _moment("mean", "mean", "MeanValue"),
    _moment("std", "population standard deviation", "StdValue"),
    _moment("sum", "sum"),
    _column(
        "median",
        "median of its finite numbers",
        lambda facts, own: measures.Quantile(own[0], 0.5, facts.held_rows),
        "MedianValue",
    ),
    _column(
        "quantile",
        "quantile of its finite numbers at a level from 0 to 1",
        lambda facts, own: measures.Quantile(own[0], own[1], facts.held_rows),
        "QuantileValue",
        Parameter("level", "level"),
    ),
    _column(
        "in_range",
        "share of its numbers from `low` to `high`",
        _of_column(measures.InRange),
        "InRangeValueCount (share)",
        Parameter("low", "number"),
        Parameter("high", "number"),
    ),
    _column(
        "in_list",
        "share of its values that are one of the given ones",
        lambda _, own: measures.InList(own[0], own[1:]),
        "InListValueCount (share), CategoryCount (share)",
        Parameter("value", "value", is_repeated=True),
    ),
    _column(
        "matches",
        "share of its values whose whole text fits a regular expression ([RE2](https://github.com/google/re2/wiki/Syntax))",
        _of_column(measures.Matches),
        "",
        Parameter("pattern", "pattern"),
    ),
)


def _drift(name: str, help: str, evidently: str = "", *, of_column: bool = True) -> Function:
    return Function(name, (_COLUMN,) if of_column else (), help, "Drift", evidently=evidently)


DRIFT: Final = (
    _drift("psi", "population stability index", 'ValueDrift(method="psi")'),
    _drift("psi_debiased", "noise-corrected PSI, which the verdict uses"),
    _drift("ks", "Kolmogorov-Smirnov statistic"),
    _drift(
        "wasserstein",
        "Wasserstein distance in standard deviations of the reference",
        'ValueDrift(method="wasserstein")',
    ),
    _drift("js", "Jensen-Shannon distance, from 0 to 1", 'ValueDrift(method="jensenshannon")'),
    _drift("kl", "Kullback-Leibler divergence of its bins"),
    _drift("cramers_v", "Cramér's V of its bins, from 0 to 1"),
    _drift("p_value", "p-value of the chi-squared test of its bins", 'ValueDrift(method="chisquare")'),
    _drift("mean_shift", "mean minus the reference's, in standard deviations of the reference"),
    _drift("unseen", "share of rows with a category that the reference lacks"),
    _drift("out_of_range", "share of rows outside the reference's range"),
    _drift("evidence", "decimal logarithm of the evidence of a change"),
    _drift("drifted", "1 if the column drifts by the verdict of `check`, else 0"),
    _drift("drifted_columns", "number of columns that drift", "DriftedColumnsCount", of_column=False),
    _drift("drift_share", "their share of the compared columns", "DriftedColumnsCount (share)", of_column=False),
    _drift("violated_constraints", "number of constraints of `constraints.yaml` that are violated", of_column=False),
)
STATISTICS: Final[Mapping[str, str]] = {
    "psi": "psi",
    "psi_debiased": "psi_debiased",
    "ks": "ks_statistic",
    "wasserstein": "wasserstein_ratio",
    "js": "js_distance",
    "kl": "kl_divergence",
    "cramers_v": "cramers_v",
    "p_value": "p_value",
    "mean_shift": "mean_shift",
    "unseen": "unseen_ratio",
    "out_of_range": "out_of_range_ratio",
}
"""The functions that are statistics of the report, with their names there."""


def _classes(name: str, help: str, evidently: str = "") -> Function:
    def make(facts: TableFacts, _: Sequence[Any]) -> Measure:
        return truth.Confusion(facts.truth, name, facts.classes)

    return Function(name, (), help, "Performance", make, evidently, needs=("label", "prediction|score"))


def _scores(name: str, help: str, evidently: str = "") -> Function:
    def make(facts: TableFacts, _: Sequence[Any]) -> Measure:
        return truth.Scored(facts.truth, name, facts.held_rows, facts.classes)

    return Function(name, (), help, "Performance", make, evidently, needs=("label", "score"))


def _errors(name: str, help: str, evidently: str = "") -> Function:
    def make(facts: TableFacts, _: Sequence[Any]) -> Measure:
        return truth.Errors(facts.truth, name)

    return Function(name, (), help, "Performance", make, evidently, needs=("label", "prediction"))


PERFORMANCE: Final = (
    _classes("labelled_rows", "number of rows with a truth and a prediction"),
    _classes("accuracy", "share of right classes", "Accuracy"),
    _classes("precision", "share of predicted positives that are positive", "Precision"),
    _classes("recall", "share of positives that were predicted positive", "Recall"),
    _classes("f1", "harmonic mean of precision and recall", "F1Score"),
    _classes("true_positive_rate", "the same as recall", "TPR"),
    _classes("true_negative_rate", "share of negatives that were predicted negative", "TNR"),
    _classes("false_positive_rate", "share of negatives that were predicted positive", "FPR"),
    _classes("false_negative_rate", "share of positives that were predicted negative", "FNR"),
    _scores("roc_auc", "area under the ROC curve", "RocAuc"),
    _scores("log_loss", "mean negative log-likelihood of the true class", "LogLoss"),
    _scores("brier", "mean squared error of the probability"),
    _errors("mae", "mean absolute error", "MAE"),
    _errors("rmse", "root mean squared error", "RMSE"),
    _errors("mape", "mean absolute error relative to the truth (Evidently: in percent)", "MAPE"),
    _errors("r2", "share of the truth's variance that predictions explain", "R2Score"),
    _errors("bias", "mean of prediction minus truth", "MeanError"),
)
FUNCTIONS: Final = (*TABLE, *COLUMNS, *DRIFT, *PERFORMANCE)
"""In the order in which they are listed."""
BY_NAME: Final[Mapping[str, Function]] = {function.name: function for function in FUNCTIONS}
BUNDLE_METRICS: Final[Mapping[str, str]] = {
    **{name: name for name in ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier", "r2", "bias")},
    "mae": "mean_absolute_error",
    "rmse": "root_mean_squared_error",
    "true_positive_rate": "recall",
    "labelled_rows": "rows",
}
"""The functions that the performance of a bundle's model has, with their names there."""
