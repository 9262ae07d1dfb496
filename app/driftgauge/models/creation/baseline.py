"""Building the baseline of a table: the order of its rows, the kinds of its columns."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, Final, Protocol

import numpy as np
import pyarrow as pa

from driftgauge.about import NOTHING, About
from driftgauge.common.option import Option
from driftgauge.common.quoting import listed
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.drift.bins import IntArray
from driftgauge.drift.multivariate.report import MOST_ROWS
from driftgauge.drift.multivariate.sample import RowSample, drawn_rows
from driftgauge.drift.novelty.attach import with_novelty
from driftgauge.drift.novelty.build import QUANTILE
from driftgauge.drift.novelty.novelty import MAHALANOBIS, Detector
from driftgauge.drift.quality.constraints import Constraints
from driftgauge.drift.quality.suggestion import suggest, table_facts
from driftgauge.drift.reference.baseline import PREDICTION_CLASS, RESERVED, Baseline, measuring_length
from driftgauge.drift.reference.build import WINDOW_SIZES, build_baseline
from driftgauge.drift.reference.columns import Kind, Table
from driftgauge.drift.statistics.psi import ZeroBin
from driftgauge.drift.verdict.policy import OF_VALUES, STATISTICS, Statistic
from driftgauge.drift.windows.blocks import FEWEST_HOUR_ROWS, hours_of, rows_by_hour
from driftgauge.engines.options import IN_MEMORY
from driftgauge.engines.source import opened, uses_engine
from driftgauge.errors import BaselineError, TableError
from driftgauge.models.bundle import FeatureKind
from driftgauge.models.creation.outlier_detector import detect
from driftgauge.tables.cells import text_lengths
from driftgauge.tables.stream import require_columns, separator_hint
from driftgauge.tables.table import (
    column,
    in_order,
    index_columns,
    infer_kinds,
    is_csv,
    read_table,
    seconds_since_1970,
)

COLUMNS, BASELINE = "Columns", "Baseline"
"""Groups of the options in the commands' help."""
KEPT_SEED: Final = 0
"""Of the rows that are kept, so that the same table keeps the same ones."""
_SIZES: Final = ",".join(map(str, WINDOW_SIZES))


def window_size(text: str) -> int:
    """Return a size in rows; ValueError for a text that is none."""
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a number of rows; give sizes such as {_SIZES}")
    return int(text)


def statistic_name(text: str) -> Statistic:
    """Return a statistic beside PSI; ValueError for a text that is none."""
    found = next((name for name in STATISTICS[1:] if name == text), None)
    if found is None:
        raise ValueError(f"{text!r} is no statistic beside PSI; give {', '.join(STATISTICS[1:])}")
    return found


@dataclass(frozen=True)
class BaselineOptions:
    """How the baseline of a table is built.

    The fields are the options of `driftgauge baseline build`. Raises BaselineError for values that contradict each
    other or are out of range.
    """

    time: Annotated[
        str | None,
        Option(
            "Column of times. The baseline then measures the autocorrelation and the expected range of each column, "
            "which evidence and thresholds use. It is not a feature.",
            "COLUMN",
            COLUMNS,
        ),
    ] = None
    kinds: Mapping[str, FeatureKind] = field(default_factory=dict)
    """The kinds of columns where inference is wrong: `numeric`, `categorical` or `text`."""
    ignore: Annotated[
        Sequence[str],
        Option(
            "A column that is not a feature; repeat it, or separate with commas.", "COLUMN,…", COLUMNS, commas=False
        ),
    ] = ()
    by_hour: Annotated[
        bool,
        Option(
            "Compare rows with the reference of their hour of the day (UTC). For data with a daily cycle; needs --time "
            "and a few thousand rows per hour.",
            group=BASELINE,
        ),
    ] = False
    window_sizes: Annotated[
        Sequence[int],
        Option(
            "Window sizes in rows for which the expected range is measured.",
            "ROWS,…",
            BASELINE,
            flag="--windows",
            parse=window_size,
        ),
    ] = WINDOW_SIZES
    expected_range_quantile: Annotated[
        float,
        Option(
            "Quantile of PSI among the reference's own windows that is the expected range; 1 is the largest.",
            "QUANTILE",
            BASELINE,
        ),
    ] = 1.0
    statistics: Annotated[
        Sequence[Statistic],
        Option(
            "Statistics beside PSI that verdicts may rest on: their expected ranges are measured too. Needs --time.",
            "NAME,…",
            BASELINE,
            parse=statistic_name,
        ),
    ] = ()
    zero_bin: Annotated[
        ZeroBin,
        Option(
            "How PSI counts empty bins: jeffreys adds half a row to every bin, clip raises shares to 1e-4.",
            group=BASELINE,
        ),
    ] = "jeffreys"
    outlier_quantile: Annotated[
        float,
        Option(
            "Share of the reference's rows that are no outliers: it sets the threshold of a row's outlier score.",
            "QUANTILE",
            BASELINE,
        ),
    ] = QUANTILE
    outlier_detector: Annotated[
        Detector,
        Option(
            "What tells outliers: mahalanobis is fast; isolation_forest and one_class_svm of scikit-learn are written "
            "to a file beside the baseline.",
            "NAME",
            BASELINE,
        ),
    ] = MAHALANOBIS
    keep_rows: Annotated[
        int,
        Option(
            "Rows of the reference to keep beside the baseline, drawn at random, so that whole rows can be compared "
            f"later; at most {MOST_ROWS:,}. They are copies of its rows.",
            "ROWS",
            BASELINE,
        ),
    ] = 0
    keep_without: Annotated[
        Sequence[str],
        Option("A column that the kept rows leave out; repeat it, or separate with commas.", "COLUMN,…", BASELINE),
    ] = ()
    about: About = NOTHING
    """Whose the model is."""

    def __post_init__(self) -> None:
        """Raise BaselineError before a table is read."""
        if self.by_hour and self.time is None:
            raise BaselineError("a baseline by hour of the day needs times: name the column that holds them (--time)")
        if any(size < 1 for size in self.window_sizes):
            sizes = ",".join(map(str, self.window_sizes))
            raise BaselineError(f"--windows {sizes}: a window has at least one row; give sizes such as {_SIZES}")
        if self.statistics and self.time is None:
            raise BaselineError("--statistics needs times: name the column that holds them (--time)")
        of_values = [name for name in self.statistics if name in OF_VALUES]
        if of_values and self.by_hour:
            raise BaselineError(
                f"--statistics {of_values[0]} compares with the whole reference: leave it out, or --by-hour"
            )
        if not 0.0 <= self.expected_range_quantile <= 1.0:
            raise BaselineError(
                f"--expected-range-quantile {self.expected_range_quantile:g}: give a number from 0 to 1"
            )
        if not 0 <= self.keep_rows <= MOST_ROWS:
            raise BaselineError(f"--keep-rows {self.keep_rows}: give a number of rows from 0 to {MOST_ROWS:,}")
        if self.keep_without and not self.keep_rows:
            raise BaselineError("--keep-without leaves columns out of the kept rows: add --keep-rows ROWS")
        if not 0.5 <= self.outlier_quantile < 1.0:
            raise BaselineError(
                f"--outlier-quantile {self.outlier_quantile:g}: give a number from 0.5 to below 1, such as {QUANTILE:g}"
            )


def create_baseline(reference: Any, options: BaselineOptions | None = None) -> Baseline:
    """Build the baseline of a table alone, for a model that is served elsewhere.

    `reference` is a DataFrame, an Arrow table, a dict of columns, the path of a file or folder, or a table
    expression of Ibis or the URL of a table in a database, which is counted there. A column
    `prediction_class` is one of categories, also if its classes are numbers. Raises BaselineError or TableError, both
    of them DriftgaugeError.

    >>> import driftgauge
    >>> driftgauge.create_baseline({"age": [31, 42, 57, 38] * 50, "country": ["DE", "FR", "DE", "NL"] * 50})
    <Baseline of 200 rows: 2 columns>
    """
    if uses_engine(reference, IN_MEMORY):
        from driftgauge.models.creation.engine_baseline import baseline_in_engine  # which imports this module

        with opened(reference) as source:
            return baseline_in_engine(source, options).built.baseline
    return baseline_and_beside(reference, options).baseline


@dataclass(frozen=True)
class BuiltBaseline:
    """A baseline, and what is written beside it."""

    baseline: Baseline
    constraints: Constraints
    """Those that the table suggests."""
    sample: RowSample | None
    """Rows that are kept; None without `keep_rows`."""


def baseline_and_beside(reference: Any, options: BaselineOptions | None = None) -> BuiltBaseline:
    """Build the baseline of a table alone, and what is written beside it; see `create_baseline`."""
    options = options or BaselineOptions()
    table = ordered(read_table(reference, [*stated_text(options), PREDICTION_CLASS]), options)
    hint = separator_hint(table.column_names) if is_csv(reference) else ""
    if hint:
        raise TableError(f"the table has one column, {table.column_names[0]}{hint}")
    left_out = not_features(options, table)
    names = [name for name in table.column_names if name not in left_out]
    classes: dict[str, Kind] = {PREDICTION_CLASS: "categorical"} if PREDICTION_CLASS in names else {}
    kinds = infer_kinds(table, names, {**classes, **column_kinds(options.kinds)})
    lengths = [name for name, kind in options.kinds.items() if kind == "text"]
    columns = {
        name: text_lengths(table[name], name) if name in lengths else column(table, name, kinds[name]) for name in names
    }
    baseline = measuring_length(baseline_with(columns, options, table), lengths)
    return BuiltBaseline(
        telling_outliers(baseline, columns, options, table),
        suggest(baseline, table_facts(columns, baseline)),
        kept_rows(columns, options),
    )


def kept_rows(columns: Table, options: BaselineOptions) -> RowSample | None:
    """Return the rows of the features that are kept; None if none are asked for.

    BaselineError for a column to leave out that is none of them.
    """
    if not options.keep_rows:
        return None
    features = {name: data for name, data in columns.items() if name not in RESERVED}
    unknown = [name for name in options.keep_without if name not in features]
    if unknown:
        raise BaselineError(f"--keep-without {unknown[0]}: there is no such feature; there is {listed(list(features))}")
    if len(set(options.keep_without)) == len(features):
        raise BaselineError("--keep-without leaves no column: name fewer, or leave out --keep-rows")
    return drawn_rows(features, options.keep_rows, options.keep_without, np.random.default_rng(KEPT_SEED))


def ordered(table: pa.Table, options: BaselineOptions) -> pa.Table:
    """Return a table in the order of its times, if there is a column of times."""
    return table if options.time is None else in_order(table, options.time)


class Named(Protocol):
    """A table, wherever it is, whose columns have names."""

    @property
    def column_names(self) -> Sequence[str]:
        """Names of the columns."""


def not_features(options: BaselineOptions, table: Named, *others: str) -> list[str]:
    """Return the columns that are not features: ignored ones, times, the target, an index."""
    require_columns(table.column_names, options.ignore, "the table")
    stored = index_columns(table.column_names)
    return [*others, *options.ignore, *([options.time] if options.time else []), *stored]


def baseline_with(columns: Table, options: BaselineOptions, source: pa.Table) -> Baseline:
    """Build the baseline of columns; their times are in the table `source`."""
    built = build_baseline(
        columns,
        created=now_text(),
        ordered_by=options.time,
        window_sizes=options.window_sizes,
        expected_range_quantile=options.expected_range_quantile,
        zero_bin=options.zero_bin,
        statistics=options.statistics,
        hours=_hours(options, source),
    )
    return replace(built, about=options.about)


def telling_outliers(baseline: Baseline, columns: Table, options: BaselineOptions, source: pa.Table) -> Baseline:
    """Return the baseline of columns with what tells outliers; their times are in the table `source`."""
    return with_novelty(
        baseline,
        columns,
        options.outlier_quantile,
        window_sizes=options.window_sizes,
        expected_range_quantile=options.expected_range_quantile,
        statistics=options.statistics,
        hours=_hours(options, source),
        detect=None if options.outlier_detector == MAHALANOBIS else partial(detect, options.outlier_detector),
    )


def _hours(options: BaselineOptions, source: pa.Table) -> IntArray | None:
    return hours_of(seconds_since_1970(source, options.time)) if options.by_hour and options.time else None


def of_scores(options: BaselineOptions, table: pa.Table) -> BaselineOptions:
    """Return the options of the scores' baseline: not by hour if the table has too few rows."""
    if not options.by_hour or options.time is None:
        return options
    most = rows_by_hour(seconds_since_1970(table, options.time)).max()
    return replace(options, by_hour=bool(most >= FEWEST_HOUR_ROWS))


def now_text() -> str:
    """Return the current time in UTC as RFC 3339."""
    return rfc3339(time.time())


def stated_text(options: BaselineOptions) -> list[str]:
    """Return the columns that are stated not to be numeric: a csv file may spell them as numbers."""
    return [name for name, kind in options.kinds.items() if kind != "numeric"]


def column_kinds(stated: Mapping[str, FeatureKind]) -> dict[str, Kind]:
    """Return how columns of stated kinds are read from a table: free text as categories."""
    return {name: "numeric" if kind == "numeric" else "categorical" for name, kind in stated.items()}
