"""Lists that are written as one text, with commas between their parts."""

from __future__ import annotations


def comma_list(text: str) -> list[str]:
    """Return the parts of a comma-separated list, without spaces around them and without empty ones.

    >>> comma_list("temp, dewp,,")
    ['temp', 'dewp']
    """
    return [part for piece in text.split(",") if (part := piece.strip())]
