"""How much of what is known, and of what was sent, a message repeats: enough to help, too little to copy a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

ECHO_LENGTH: Final = 40
"""Characters of one name or value that a message repeats."""
NAMED: Final = 3
"""Names that a message lists."""
NAMED_BYTES: Final = 200
"""UTF-8 bytes that these take together."""
LISTED: Final = 20
"""Columns that a message of the command line lists."""


def spelled(name: str) -> str:
    """Return a name as a list with commas can hold it: in quotes if it has a comma itself, or no characters.

    >>> spelled("Size, cm"), spelled("")
    ('"Size, cm"', 'one without a name')
    """
    if not name:
        return "one without a name"
    return f'"{name}"' if "," in name else name


def shortened(text: str, most: int = ECHO_LENGTH) -> str:
    """Return a text as short as a message can repeat it."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def told(name: str) -> str:
    """Return the name of a feature as a message repeats it: whole, unless it is longer than all names may be."""
    if len(name) * 4 <= NAMED_BYTES:
        return name
    sent = name.encode("utf-8", "replace")
    return name if len(sent) <= NAMED_BYTES else f"{sent[: NAMED_BYTES - 3].decode('utf-8', 'ignore')}…"


def named(names: Iterable[str]) -> str:
    """Return the first three names and how many more there are, in 200 bytes of names at most.

    >>> named(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    known = list(names)
    shown: list[str] = []
    left = NAMED_BYTES
    for name in (spelled(shortened(name)) for name in known[:NAMED]):
        left -= len(name.encode("utf-8", "replace")) + 2 * bool(shown)
        if left < 0:
            break
        shown.append(name)
    more = len(known) - len(shown)
    listed = ", ".join(shown)
    return f"{listed} and {more} more" if more else listed


def listed(names: Sequence[str], remarks: Mapping[str, str] | None = None) -> str:
    """Return names for a person at a terminal, each with its remark if it has one.

    Of many the first are named, and it is said how many more there are.
    """
    known = remarks or {}
    shown = [f"{spelled(name)} ({known[name]})" if name in known else spelled(name) for name in names[:LISTED]]
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(shown) + more
