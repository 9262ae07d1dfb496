"""The baseline of a table in a database: counted there, with the help of a sample of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from driftgauge.drift.bins import FloatArray, IntArray
from driftgauge.drift.quality.suggestion import ColumnFacts, TableFacts, suggest
from driftgauge.drift.reference.baseline import PREDICTION_CLASS, Baseline, measuring_length
from driftgauge.drift.reference.build import codes_of, with_correlations
from driftgauge.drift.reference.columns import Categories, ColumnBaseline, Kind, Table
from driftgauge.engines.categories import categorical_columns
from driftgauge.engines.columns import kinds_of
from driftgauge.engines.embedded import columns_at_once, sorted_columns
from driftgauge.engines.engine import EngineTable
from driftgauge.engines.numbers import numeric_columns, summaries
from driftgauge.errors import BaselineError, TableError
from driftgauge.models.creation.baseline import (
    KEPT_SEED,
    BaselineOptions,
    BuiltBaseline,
    baseline_and_beside,
    column_kinds,
    kept_rows,
    not_features,
    now_text,
    telling_outliers,
)
from driftgauge.tables.cells import text_lengths
from driftgauge.tables.table import column

FETCHED_CELLS: Final = 20_000_000
"""Cells of a table that is fetched whole: then every number is that of the same table in memory."""
SAMPLED_ROWS: Final = 200_000
"""Rows of a larger table that are drawn for correlations and outliers, which need whole rows."""


@dataclass(frozen=True)
class EnginePlan:
    """How much of a table leaves its database."""

    fetched_cells: int = FETCHED_CELLS
    sampled_rows: int = SAMPLED_ROWS
    progress: Callable[[str], object] = lambda _: None
    """Called with what was done."""
    exact: bool = True
    """Whether quantiles are exact where the database has to sort for them."""


@dataclass(frozen=True)
class EngineBaseline:
    """A baseline that a database counted, and what it rests on."""

    built: BuiltBaseline
    remarks: tuple[str, ...]
    """What the baseline has of a sample alone, or has not."""


@dataclass(frozen=True, eq=False)
class _Draw:
    """The rows that are drawn by chance, for what needs whole rows."""

    wanted: int
    rows: int
    """Of the table."""
    numbers: IntArray | None
    """Of the drawn rows, where every column is read in the same order; None where the database draws them."""

    @classmethod
    def of(cls, source: EngineTable, rows: int, wanted: int) -> _Draw:
        """Choose rows of files, so that they are taken from each column as it is read."""
        if not (source.of_files and columns_at_once(rows)):
            return cls(wanted, rows, None)
        rng = np.random.default_rng(KEPT_SEED)
        return cls(wanted, rows, np.sort(rng.choice(rows, min(rows, wanted), replace=False)))

    def fetch(self, source: EngineTable, columns: Any) -> pa.Table:
        """Return the rows of an expression of columns."""
        if self.numbers is None:
            return source.sample(columns, self.wanted, self.rows)
        return source.rows_at(columns, self.numbers)


def baseline_in_engine(
    source: EngineTable, options: BaselineOptions | None = None, plan: EnginePlan | None = None
) -> EngineBaseline:
    """Build the baseline of a table in a database; raises BaselineError or TableError.

    A small table is fetched. Of a larger one the database counts rows, and a sample gives correlations and outliers.
    """
    options, plan = options or BaselineOptions(), plan or EnginePlan()
    left_out = not_features(options, source)
    names = [name for name in source.column_names if name not in left_out]
    if not names:
        raise BaselineError("the reference has no columns: name at least one feature")
    texts: dict[str, Kind] = {name: "categorical" for name, kind in options.kinds.items() if kind == "text"}
    source = source.of_kinds({**_stated(names, options), **texts})
    rows = source.count()
    if rows == 0:
        raise BaselineError("the reference has no rows: a baseline needs at least one")
    if rows * len(names) <= plan.fetched_cells:
        fetched = source.fetch(
            source.columns([*names, *([options.time] if options.time else [])], _stated(names, options))
        )
        return EngineBaseline(baseline_and_beside(fetched, replace(options, ignore=())), ())
    if options.time is not None:
        raise BaselineError(_no_order(rows, len(names), plan, options))
    return _counted(source, names, rows, options, plan)


def _stated(names: Sequence[str], options: BaselineOptions) -> dict[str, Kind]:
    """Return the kinds that are stated, but of free text, which is fetched as it is."""
    classes: dict[str, Kind] = {PREDICTION_CLASS: "categorical"} if PREDICTION_CLASS in names else {}
    kinds = column_kinds({name: kind for name, kind in options.kinds.items() if kind != "text"})
    return {**classes, **kinds}


def _counted(
    source: EngineTable, names: list[str], rows: int, options: BaselineOptions, plan: EnginePlan
) -> EngineBaseline:
    """Build the baseline of a table that stays where it is."""
    lengths = [name for name, kind in options.kinds.items() if kind == "text"]
    kinds = kinds_of(source.schema, names, {**_stated(names, options), **dict.fromkeys(lengths, "numeric")})
    _require_numbers(source, [name for name, kind in kinds.items() if kind == "numeric" and name not in lengths])
    draw = _Draw.of(source, rows, plan.sampled_rows)
    columns, facts, read = _columns(source, kinds, draw, plan)
    own = tuple(columns[name] for name in names)
    baseline = Baseline(own, rows=rows, created=now_text(), zero_bin=options.zero_bin, about=options.about)
    baseline = measuring_length(baseline, lengths)
    drawn, cells = _drawn(source, kinds, lengths, draw, read)
    plan.progress("a sample of the rows")
    baseline = with_correlations(baseline, codes_of(baseline.binner, _observed(cells, baseline)))
    baseline = telling_outliers(baseline, cells, options, pa.table({}))  # without times, which need an order
    built = BuiltBaseline(baseline, suggest(baseline, TableFacts(facts)), kept_rows(cells, options))
    if source.count() != rows:
        raise BaselineError(f"{source.label} changed while its rows were counted: build the baseline of a copy")
    remarks = () if drawn == rows else (_of_sample(drawn),)
    return EngineBaseline(built, remarks)


def _require_numbers(source: EngineTable, names: Sequence[str]) -> None:
    """Raise TableError for text among numbers: databases count the lengths of texts."""
    for name in names:
        if source.schema[name].is_string():
            raise TableError(
                f"{source.label}: {name}: it holds text, and so large a table is not fetched to read numbers from it: "
                f"convert it in the database, or leave it out (--ignore {name})"
            )


def _columns(
    source: EngineTable, kinds: Mapping[str, Kind], draw: _Draw, plan: EnginePlan
) -> tuple[dict[str, ColumnBaseline], dict[str, ColumnFacts], dict[str, FloatArray]]:
    """Return the baselines of all columns, what constraints rest on, and the drawn rows of columns that were read."""
    rows = draw.rows
    numeric = [name for name, kind in kinds.items() if kind == "numeric"]
    columns: dict[str, ColumnBaseline] = {}
    facts: dict[str, ColumnFacts] = {}
    read: dict[str, FloatArray] = {}
    if source.is_embedded and columns_at_once(rows):
        for name, found in sorted_columns(source, numeric, rows, plan.progress, draw.numbers):
            columns[name], facts[name] = found.baseline, found.facts
            if draw.numbers is not None:
                read[name] = found.drawn
    else:
        counted = summaries(source, numeric)
        columns = numeric_columns(source, counted, plan.progress, exact=plan.exact)
        facts = {
            name: ColumnFacts(own.is_integral, completeness=(rows - own.unordinary.missing) / rows)
            for name, own in counted.items()
        }
    categorical = [name for name, kind in kinds.items() if kind != "numeric"]
    for name, own_column, own_facts in categorical_columns(source, categorical, rows):
        columns[name], facts[name] = own_column, own_facts
        plan.progress(name)
    return columns, facts, read


def _drawn(
    source: EngineTable, kinds: Mapping[str, Kind], lengths: list[str], draw: _Draw, read: Mapping[str, FloatArray]
) -> tuple[int, Table]:
    """Return the number of drawn rows, and their cells; those of columns that were read are there already."""
    more = {name: kind for name, kind in kinds.items() if name not in read}
    if not more:
        return len(next(iter(read.values()))), read
    stated = {name: kind for name, kind in more.items() if name not in lengths}
    drawn = draw.fetch(source, source.columns([*more], stated))
    cells = {
        name: read[name]
        if name in read
        else text_lengths(drawn[name], name)
        if name in lengths
        else column(drawn, name, kind)
        for name, kind in kinds.items()
    }
    return drawn.num_rows, cells


def _observed(cells: Table, baseline: Baseline) -> list[FloatArray]:
    """Return the cells as a monitor has them: categories by the codes of their bins."""
    found: list[FloatArray] = []
    for own, data in zip(baseline.columns, cells.values(), strict=True):
        known = np.append(own.bins.encode(data.names), np.nan)[data.codes] if isinstance(data, Categories) else data
        found.append(known + 0.0)
    return found


def _of_sample(rows: int) -> str:
    return (
        f"correlations and the threshold of outliers are those of {rows:,} rows drawn by chance; "
        "duplicate rows were not counted"
    )


def _no_order(rows: int, columns: int, plan: EnginePlan, options: BaselineOptions) -> str:
    return (
        f"--time {options.time}: {rows:,} rows of {columns} columns are more than are fetched "
        f"({plan.fetched_cells:,} cells), and expected ranges need all rows in order: leave out --time and add "
        f"--ignore {options.time}, or take a part of the rows"
    )
