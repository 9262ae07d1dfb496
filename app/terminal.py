"""Standard output and error, whatever the terminal or the log can show."""

from __future__ import annotations

import codecs
from io import TextIOWrapper
from typing import Any, Final

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
"""What some characters are written as where they cannot be shown."""
_HANDLER: Final = "driftgauge-plain"


def replace_unprintable(*streams: Any) -> None:
    """Let streams write what their encoding lacks in plain characters, or as a question mark, instead of failing."""
    codecs.register_error(_HANDLER, _plain)
    for stream in streams:
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end
