"""Options that several commands have: how they are written, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from driftgauge.cli.column_options import chosen, stated_kinds
from driftgauge.common.comma_lists import comma_list
from driftgauge.drift.reference.build import WINDOW_SIZES
from driftgauge.drift.statistics.psi import ZeroBin
from driftgauge.errors import BaselineError
from driftgauge.models.creation.baseline import BaselineOptions
from driftgauge.models.model_file import TRUSTED_VARIABLE, UntrustedTypes
from driftgauge.tables.stream import TableStream

Kinds = Annotated[
    list[str] | None,
    typer.Option(
        help="Kind of a column where inference is wrong, e.g. zip=categorical; once for each, or several with commas.",
        metavar="COL=KIND",
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(help="A column that is no feature; once for each, or several with commas.", metavar="COL"),
]
Time = Annotated[
    str | None,
    typer.Option(
        help="Column of times. With it the baseline learns how much the data varies by itself, and how far rows "
        "depend on one another: thresholds and evidence allow for that. It is not a feature."
    ),
]
ByHour = Annotated[
    bool,
    typer.Option(
        "--by-hour",
        help="Compare rows with the reference of their hour of the day (UTC): takes --time and a few thousand rows "
        "an hour. For data that has a daily cycle.",
    ),
]
Windows = Annotated[
    str, typer.Option(help="Window sizes in rows of which the natural variation is measured.", metavar="N,…")
]
Quantile = Annotated[
    float,
    typer.Option(
        help="Quantile of the reference's own windows that counts as natural; 1 is the largest.", min=0, max=1
    ),
]
ZeroBinOption = Annotated[
    ZeroBin,
    typer.Option(help="How PSI counts an empty bin: half a row in each bin, or shares clipped at 1e-4 as is common."),
]
TrustedTypes = Annotated[
    str | None,
    typer.Option(
        help="Types beyond the built-in list that the model file may contain; each can run code.",
        metavar="TYPE,…",
        envvar=TRUSTED_VARIABLE,
        show_default=False,
    ),
]
SIZES: Final = ",".join(map(str, WINDOW_SIZES))
"""The window sizes of a baseline, as `--windows` is written."""


def baseline_options(
    table: Path,
    time: str | None,
    by_hour: bool,
    kinds: list[str] | None,
    ignore: list[str] | None,
    windows: str,
    quantile: float,
    zero_bin: ZeroBin,
) -> BaselineOptions:
    """Return how the baseline of a table is built; BaselineError or TableError for what cannot be."""
    sizes = comma_list(windows)
    if not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise BaselineError(f"--windows {windows}: give sizes in rows, e.g. {SIZES}")
    known = TableStream(table).column_names if kinds or ignore else ()
    return BaselineOptions(
        time=time,
        by_hour=by_hour,
        kinds=stated_kinds(kinds or (), known),
        ignore=chosen(ignore or (), known, "--ignore"),
        window_sizes=[int(size) for size in sizes],
        expected_range_quantile=quantile,
        zero_bin=zero_bin,
    )


@contextmanager
def told_by_option() -> Iterator[None]:
    """Let an error about types that are not trusted name the option of the command line."""
    try:
        yield
    except UntrustedTypes as error:
        raise error.phrased_for("option") from error
