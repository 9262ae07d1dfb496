"""Names and values in messages: long enough to help, too short to copy a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

ECHO_LENGTH: Final = 40
"""Most characters of a name or value in a message."""
NAMED: Final = 3
"""Most names in a message of the server."""
NAMED_BYTES: Final = 200
"""Most UTF-8 bytes of these names together."""
LISTED: Final = 20
"""Most columns in a message of the command line."""


def spelled(name: str) -> str:
    """Return a name for a list with commas: in quotes if it holds a comma itself.

    >>> spelled("Size, cm"), spelled("")
    ('"Size, cm"', 'one without a name')
    """
    if not name:
        return "one without a name"
    return f'"{name}"' if "," in name else name


def shortened(text: str, most: int = ECHO_LENGTH) -> str:
    """Return a text cut to the length that a message may repeat."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def bounded_name(name: str) -> str:
    """Return a feature's name, cut if it is longer than all names of a message may be."""
    if len(name) * 4 <= NAMED_BYTES:
        return name
    sent = name.encode("utf-8", "replace")
    return name if len(sent) <= NAMED_BYTES else f"{sent[: NAMED_BYTES - 3].decode('utf-8', 'ignore')}…"


def named(names: Iterable[str]) -> str:
    """Return the first three names, in at most 200 bytes, and the number of others.

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
    """Return names for a terminal, each with its remark if it has one.

    The first 20 are named, then the number of others follows.
    """
    known = remarks or {}
    shown = [f"{spelled(name)} ({known[name]})" if name in known else spelled(name) for name in names[:LISTED]]
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(shown) + more
