"""The contents of a bundle and of a baseline, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from driftgauge.about import NOTHING, About
from driftgauge.cli.console import widest_that_fits
from driftgauge.drift.bin_names import number_name
from driftgauge.drift.diagnosis.importances import Importances
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.columns import ColumnBaseline
from driftgauge.drift.verdict.numbers import short
from driftgauge.drift.verdict.wording import notes
from driftgauge.models.bundle import BundleInfo, Performance, Timing
from driftgauge.models.formats.spec import ModelSpec
from driftgauge.tables.stream import TableStream
from driftgauge.tables.table import index_columns

LONGEST_NAME: Final = 24
"""Characters of a column's name before it is folded in a narrow terminal."""
MOST_IMPORTANCES: Final = 10
"""Features whose importance is named."""
LAYOUTS: Final = (
    ("column", "kind", "bins", "missing", "mean", "sd", "min", "max", "usual PSI", "tau"),
    ("column", "kind", "missing", "mean", "sd", "usual PSI", "tau"),
    ("column", "kind", "missing", "usual PSI", "tau"),
    ("column", "usual PSI", "tau"),
)
"""Columns of the table, from a wide terminal to a narrow one: the first layout that fits is printed."""


def show_bundle(info: BundleInfo, baseline: Baseline, console: Console, importances: Importances | None = None) -> None:
    """Print the model, its performance and its baseline."""
    facts = _facts()
    facts.add_row("model", f"{info.name} {info.version}, {info.task}")
    facts.add_row("format", _format(info.model))
    if info.classes:
        facts.add_row("classes", ", ".join(map(str, info.classes)))
    facts.add_row("missing values", _missing_values(info))
    facts.add_row("model input", _input(info))
    if info.timing:
        facts.add_row("prediction time", _prediction_time(info.timing))
    if info.performance:
        facts.add_row("performance", _performance(info.performance))
    if importances is not None:
        facts.add_row("importances", _importances(importances))
    facts.add_row("created", f"{info.created} with {', '.join(f'{k} {v}' for k, v in info.libraries.items())}")
    _add_about(facts, info.about)
    console.print(facts)
    show_baseline(replace(baseline, about=NOTHING), console)


def _format(spec: ModelSpec) -> str:
    """Return the format of the model, its place, and the outputs that are read."""
    outputs = "".join(f", {role} from {name}" for role, name in spec.outputs.items())
    return f"{spec.format}, {spec.object or spec.file}{outputs}"


def _performance(performance: Performance) -> str:
    measured = ", ".join(f"{name} {value:.4g}" for name, value in performance.metrics.items())
    return f"{measured} on {performance.rows:,} {'training' if performance.in_sample else 'held-out'} rows"


def _importances(importances: Importances) -> str:
    """Return the features that the model depends on most, and by what they were found."""
    ranked = sorted(importances.shares.items(), key=lambda pair: -pair[1])
    shown = ", ".join(f"{name} {share:.0%}" for name, share in ranked[:MOST_IMPORTANCES])
    more = ", …" if len(ranked) > MOST_IMPORTANCES else ""
    return f"{shown}{more} (by {importances.method}, {importances.metric.replace('_', ' ')})"


def _input(info: BundleInfo) -> str:
    """Return what the model is given, and how a DataFrame could be avoided."""
    if info.input == "columns":
        return "tensors of numbers and texts" if info.model.format == "onnx" else "a table of numbers and texts"
    if info.input != "dataframe":
        return "a matrix" if info.input == "matrix" else "a list of texts"
    if info.model.format != "sklearn":
        return "a DataFrame"
    kinds = {feature.kind for feature in info.features if feature.codes is None}
    if "text" in kinds:
        return "a DataFrame, because free text needs one"
    if "categorical" in kinds:
        return "a DataFrame. A matrix is faster: fit the estimator on numbers instead of text (--category-codes)"
    return "a DataFrame. A matrix is faster: let the estimator select columns by position, not by name"


def _prediction_time(timing: Timing) -> str:
    one = f"{_duration(timing.one_row_seconds)} for one row"
    many = "" if timing.rows_seconds is None else f", {_duration(timing.rows_seconds)} for {timing.rows}"
    return f"{one}{many}, measured when the bundle was created"


def _duration(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"


def _missing_values(info: BundleInfo) -> str:
    refusing = [feature.name for feature in info.features if not feature.accepts_missing]
    if not refusing:
        return "accepted"
    if len(refusing) == len(info.features):
        return "refused"
    return f"accepted, except in {', '.join(refusing[:10])}" + ("…" if len(refusing) > 10 else "")


def show_baseline(baseline: Baseline, console: Console, *, takes_times: bool = True) -> None:
    """Print the properties of a baseline and a line for each column.

    `takes_times` says whether the command that built it has the option `--time`.
    """
    size = max((size for column in baseline.columns for size in column.expected_range), default=None)
    console.print(_baseline_facts(baseline, size, takes_times=takes_times))
    usual = baseline.expected_range(size or 0).tolist()
    rows = [_column_cells(column, own) for column, own in zip(baseline.columns, usual, strict=True)]
    layouts = [_columns_table(rows, headings) for headings in LAYOUTS]
    table = widest_that_fits(layouts, console)
    console.print(table)
    if table is not layouts[0]:
        console.print("A wider terminal shows more statistics.")


def _columns_table(rows: Sequence[dict[str, str]], headings: Sequence[str]) -> Table:
    """Return a line per column; numbers are never cut, only long names are folded."""
    table = Table(box=None)
    longest = max((len(cells["column"]) for cells in rows), default=0)
    table.add_column("column", overflow="fold", min_width=min(longest, LONGEST_NAME))
    for heading in headings[1:]:
        table.add_column(heading, no_wrap=True, min_width=len(heading))
    for cells in rows:
        table.add_row(*(cells[heading] for heading in headings))
    return table


def _baseline_facts(baseline: Baseline, size: int | None, *, takes_times: bool = True) -> Table:
    """Return the properties of a baseline; `size` is that of its largest measured windows."""
    order = f"in order of {baseline.time_column}" if baseline.time_column else "without times"
    order += ", by hour of the day" if baseline.is_by_hour else ""
    facts = _facts()
    facts.add_row("baseline", f"{baseline.rows:,} rows, {order}")
    facts.add_row("hash", baseline.hash)
    _add_about(facts, baseline.about)
    if size is not None:
        what = f"the largest noise-corrected PSI among the reference's own windows of {size:,} rows"
        facts.add_row("usual PSI", f"expected range: {what}")
    if baseline.time_column:
        facts.add_row(
            "tau", "autocorrelation time: consecutive rows that carry as much information as one independent row"
        )
    error = max(column.quantile_error for column in baseline.columns)
    if error:
        what = f"at most {error:.2g} of a column's values away from their rank"
        facts.add_row("quantiles", f"approximate: {what}; rows in bins are exact")
    for note in notes(baseline):
        facts.add_row("note", note if takes_times else note.replace(" (--time)", ""))
    return facts


def _column_cells(column: ColumnBaseline, usual: float) -> dict[str, str]:
    missing = column.counts[column.bins.special["missing"]] / column.rows
    return {
        "column": column.name + (" (in-sample)" if column.in_sample else ""),
        "kind": column.kind,
        "bins": str(len(column.bins.names)),
        "missing": f"{missing:.1%}",
        "mean": _short(column.mean),
        "sd": _short(column.std),
        "min": _short(column.min),
        "max": _short(column.max),
        "usual PSI": f"{usual:.2g}" if column.expected_range else "unknown",
        "tau": "unknown" if column.tau is None else short(column.tau),
    }


def show_bins(baseline: Baseline, name: str, console: Console) -> None:
    """Print the bins of a column with the reference rows in each."""
    column = baseline.columns[baseline.names.index(name)]
    table = Table("bin", "rows", "share", box=None)
    for bin_name, count in zip(column.bins.names, column.counts, strict=True):
        table.add_row(bin_name, number_name(count), f"{count / column.rows:.2%}")
    console.print(table)


def left_out_of(table: Path, used: Sequence[str | None]) -> list[str]:
    """Return a line that names the columns of a table that are left out, because they are a DataFrame's index."""
    left_out = [name for name in index_columns(TableStream(table).column_names) if name not in used]
    named = ", ".join(name or "the first column, which has no name" for name in left_out)
    return [f"left out, because it is a DataFrame's index, not a feature: {named}"] if left_out else []


def about_facts(about: About) -> Table:
    """Return what is known about a model, a line for each text."""
    facts = _facts()
    _add_about(facts, about)
    if not about.stated:
        facts.add_row("about", "nothing is stated")
    return facts


def _add_about(facts: Table, about: About) -> None:
    for name, text in about.stated.items():
        facts.add_row("documentation" if name == "docs_url" else name.replace("_", " "), text)


def _facts() -> Table:
    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _short(value: float) -> str:
    return "" if value != value else f"{value:.4g}"  # NaN


def kept_constraints(path: Path) -> str:
    """Return the line on a file of constraints that was not written, because it may have been edited."""
    return f"kept {path} as it is; remove it to have constraints suggested again"
