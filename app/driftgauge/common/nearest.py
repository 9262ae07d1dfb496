"""The known name that was probably meant by an unknown one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most similar to an unknown one, None if no name is similar.

    >>> nearest("prot", ["port", "host"])
    'port'
    """
    return next(iter(get_close_matches(name, list(known), n=1)), None)
