"""Consoles that print any text on any terminal or log."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any, Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_PLAIN: Final = {
    "→": "->",
    "≥": ">=",
    "≤": "<=",
    "·": "-",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "×": "x",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}
"""Substitutes for characters that an encoding lacks."""
_HANDLER: Final = "driftgauge-plain"
WIDTH: Final = 132
"""Least characters of a line if the output is no terminal: a table of all statistics fits."""

UNLIMITED: Final = 10_000
"""Characters of a line in which any table fits."""


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints names as they are, brackets and colons included."""
    own = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not own.is_terminal:
        own.width = max(own.width, WIDTH)
    return own


def widest_that_fits(layouts: Sequence[Table], console: Console) -> Table:
    """Return the first of some tables that a console can print without cutting a text, or the last."""
    return next((table for table in layouts if _least_width(table, console) <= console.width), layouts[-1])


def _least_width(table: Table, console: Console) -> int:
    return Measurement.get(console, console.options.update(width=UNLIMITED), table).minimum


def replace_unprintable(*streams: Any) -> None:
    """Replace characters that a stream's encoding lacks, instead of failing on them."""
    codecs.register_error(_HANDLER, _plain)
    for stream in streams:
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def printable(text: str) -> str:
    """Return a text without characters that standard output lacks; click would write them as UTF-8."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    codecs.register_error(_HANDLER, _plain)
    return text.encode(encoding, _HANDLER).decode(encoding)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end
