"""Names of partitions whose rows are counted once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

_PERIOD: Final = re.compile(r"(?P<table>.+)#(?P<date>\d{4}-\d\d-\d\d)(?P<time>T\d\d:\d\d:\d\dZ)?")
"""The name of a partition that is a period of its table."""


def wholes_of(name: str) -> tuple[str, ...]:
    """Return the partitions that hold the rows of a period too: those of its day and of its table.

    >>> wholes_of("orders.parquet#2026-01-31T07:00:00Z")
    ('orders.parquet', 'orders.parquet#2026-01-31')
    """
    found = _PERIOD.fullmatch(name)
    if found is None:
        return ()
    return (found["table"], f"{found['table']}#{found['date']}") if found["time"] else (found["table"],)


class Partitions:
    """The partitions of profiles that are added up."""

    def __init__(self) -> None:
        self._names: Final[set[str]] = set()
        self._wholes: Final[dict[str, str]] = {}
        """A period by each partition that would hold its rows too."""

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def add(self, names: Iterable[str]) -> str | None:
        """Add partitions; if rows would be counted twice, add none and return why."""
        given = sorted(names)
        wholes = {whole: name for name in given for whole in wholes_of(name)}
        for name in given:
            if name in self._names:
                return f"the partition {name} is in two of the profiles: give each once"
            if name in self._wholes:
                return _both(name, self._wholes[name])
        for whole, name in wholes.items():
            if whole in self._names:
                return _both(whole, name)
        self._names.update(given)
        self._wholes.update(wholes)
        return None


def _both(whole: str, period: str) -> str:
    return f"the rows of {period} are in the profile of {whole} too: give the one or the other"
