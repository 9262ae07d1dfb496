"""What a bundle and a baseline contain, for a person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from driftgauge.drift.bin_names import number_name
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.wording import notes
from driftgauge.models.bundle import BundleInfo
from driftgauge.tables.stream import TableStream
from driftgauge.tables.table import index_columns


def show_bundle(info: BundleInfo, baseline: Baseline, console: Console) -> None:
    """Print what a bundle contains."""
    facts = _facts()
    facts.add_row("model", f"{info.name} {info.version}, {info.task}")
    if info.classes:
        facts.add_row("classes", ", ".join(map(str, info.classes)))
    facts.add_row("missing values", _missing_values(info))
    facts.add_row("given to the model as", _input(info))
    if info.performance:
        measured = ", ".join(f"{name} {value:.4g}" for name, value in info.performance.metrics.items())
        where = "of its own training rows" if info.performance.in_sample else "held-out rows"
        facts.add_row("performance", f"{measured} on {info.performance.rows:,} {where}")
    facts.add_row("created", f"{info.created} with {', '.join(f'{k} {v}' for k, v in info.libraries.items())}")
    console.print(facts)
    show_baseline(baseline, console)


def _input(info: BundleInfo) -> str:
    """Say what the model is given, what that takes, and how it would take less."""
    what = {"matrix": "a matrix", "dataframe": "a DataFrame", "texts": "a list of texts"}[info.input]
    if info.timing:
        what += f": {_duration(info.timing.one_row_seconds)} for one row"
        if info.timing.rows_seconds is not None:
            what += f", {_duration(info.timing.rows_seconds)} for {info.timing.rows}"
        what += ", measured when the bundle was made"
    if info.input != "dataframe":
        return what
    kinds = {feature.kind for feature in info.features if feature.codes is None}
    if "text" in kinds:
        return f"{what}. Free text takes one"
    if "categorical" in kinds:
        return f"{what}. A matrix is faster: fit the estimator on numbers in place of texts (--category-codes)"
    return f"{what}. A matrix is faster: let the estimator select columns by their places, not by names"


def _duration(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"


def _missing_values(info: BundleInfo) -> str:
    refusing = [feature.name for feature in info.features if not feature.accepts_missing]
    if not refusing:
        return "accepted"
    if len(refusing) == len(info.features):
        return "refused"
    return f"accepted, but not of {', '.join(refusing[:10])}" + ("…" if len(refusing) > 10 else "")


def show_baseline(baseline: Baseline, console: Console) -> None:
    """Print a line for each column of a baseline."""
    order = (
        f"in order of {baseline.time_column}" if baseline.time_column else "without times: rows count as independent"
    )
    order += ", by hour of the day" if baseline.is_by_hour else ""
    facts = _facts()
    facts.add_row("baseline", f"{baseline.rows} rows, {order}")
    facts.add_row("hash", baseline.hash)
    size = max((size for column in baseline.columns for size in column.expected_range), default=None)
    if size is not None:
        facts.add_row("varies", f"how far the reference's own windows of {size:,} rows lie from it: debiased PSI")
    if baseline.time_column:
        facts.add_row("tau", "how many consecutive rows tell as much as one independent row")
    for note in notes(baseline):
        facts.add_row("note", note)
    console.print(facts)
    table = Table("column", "kind", "bins", "missing", "mean", "sd", "min", "max", "varies", "tau", box=None)
    for text in table.columns[:2]:
        text.no_wrap = True
    for column, varies in zip(baseline.columns, baseline.expected_range(size or 0).tolist(), strict=True):
        missing = column.counts[column.bins.special["missing"]] / column.rows
        numbers = [_short(value) for value in (column.mean, column.std, column.min, column.max)]
        name = column.name + (" (in-sample)" if column.in_sample else "")
        known = f"{varies:.2g}" if column.expected_range else "unknown"
        tau = "unknown" if column.tau is None else f"{column.tau:.3g}"
        table.add_row(name, column.kind, str(len(column.bins.names)), f"{missing:.1%}", *numbers, known, tau)
    console.print(table)


def show_bins(baseline: Baseline, name: str, console: Console) -> None:
    """Print the bins of a column with the reference's rows in each."""
    column = baseline.columns[baseline.names.index(name)]
    table = Table("bin", "rows", "share", box=None)
    for bin_name, count in zip(column.bins.names, column.counts, strict=True):
        table.add_row(bin_name, number_name(count), f"{count / column.rows:.2%}")
    console.print(table)


def show_left_out(table: Path, used: Sequence[str | None], console: Console) -> None:
    """Say which columns of a table are left out because they are a DataFrame's index."""
    left_out = [name for name in index_columns(TableStream(table).column_names) if name not in used]
    if left_out:
        named = ", ".join(name or "the first one, without a name" for name in left_out)
        console.print(f"left out, because it is a DataFrame's index and no feature: {named}", soft_wrap=True)


def _facts() -> Table:
    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    return table


def _short(value: float) -> str:
    return "" if value != value else f"{value:.4g}"  # NaN
