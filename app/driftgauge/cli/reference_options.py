"""Options that several commands share, and how they are resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from driftgauge.about import About
from driftgauge.cli.column_options import chosen, stated_kinds
from driftgauge.models.bundle import Bundle, load_bundle
from driftgauge.models.creation.baseline import COLUMNS, BaselineOptions
from driftgauge.models.model_file import TRUSTED_VARIABLE, UntrustedTypes
from driftgauge.tables.stream import TableStream

MODEL = "Model"
"""A group of options in the help."""

Kinds = Annotated[
    list[str] | None,
    typer.Option(
        help="Kind of a column where inference is wrong: numeric, categorical or text, as in zip=categorical; repeat "
        "it, or separate with commas.",
        metavar="COLUMN=KIND",
        rich_help_panel=COLUMNS,
        show_default=False,
    ),
]
TrustedTypes = Annotated[
    str | None,
    typer.Option(
        help="Types beyond the built-in list that the model file may contain, and what else a bundle may load: "
        "python:MODULE:OBJECT, mlflow.pyfunc. Each can run code.",
        metavar="TYPE,…",
        envvar=TRUSTED_VARIABLE,
        rich_help_panel=MODEL,
        show_default=False,
    ),
]


def for_table(options: BaselineOptions, table: Path, kinds: Sequence[str] | None, about: About) -> BaselineOptions:
    """Return the options with the columns that a table has; TableError for a column that it lacks."""
    names = TableStream(table).column_names if kinds or options.ignore else ()
    return for_columns(options, names, kinds, about)


def for_columns(
    options: BaselineOptions, names: Sequence[str], kinds: Sequence[str] | None, about: About
) -> BaselineOptions:
    """Return the options with these columns; TableError for one that is none of them."""
    ignored = chosen(options.ignore, names, "--ignore")
    return replace(options, kinds=stated_kinds(kinds or (), names), ignore=ignored, about=about)


@contextmanager
def trust_by_option() -> Iterator[None]:
    """Let an error about untrusted types name the option `--trusted-types`."""
    try:
        yield
    except UntrustedTypes as error:
        raise error.phrased_for("option") from error


def loading(trusted_types: Sequence[str]) -> Callable[[Path], Bundle]:
    """Return the function that loads a bundle, trusting these types."""

    def load(folder: Path) -> Bundle:
        with trust_by_option():
            return load_bundle(folder, trusted_types)

    return load
