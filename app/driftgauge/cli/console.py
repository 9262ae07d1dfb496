"""Consoles that print any text on any terminal or log."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
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

_COMMANDS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that command a terminal or turn the direction of a text; all have a width of 0."""


class NamesConsole(Console):
    """Prints names from outside without the characters by which they could command a terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the parts of what is printed; colours are added to them later."""
        for part in super().render(renderable, options):
            if part.control or part.text.isprintable() or part.text == "\n":
                yield part
            else:
                yield Segment(_COMMANDS.sub("", part.text), part.style)


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints names as they are, brackets and colons included, but no commands to a terminal."""
    own = NamesConsole(stderr=stderr, markup=False, emoji=False, highlight=False)
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
