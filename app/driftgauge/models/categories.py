"""What a category is called: one name for a value, whichever way it comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from driftgauge.drift.bins import category_name
from driftgauge.models.bundle import Feature
from driftgauge.tables.cells import number_of

_BOOLEANS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("true", "True", "TRUE", "1"), "true"),
    **dict.fromkeys(("false", "False", "FALSE", "0"), "false"),
}
"""How a boolean may be written."""


def plain_name(text: str) -> str:
    """Return the name that a number or boolean has as a value of JSON, where a text spells it: 1 for 1.0."""
    number = number_of(text)
    if number is None:
        return _BOOLEANS.get(text, text)
    name = category_name(number) or text
    return name if text == f"{name}.0" else text


def other_names(categories: Iterable[str]) -> dict[str, str]:
    """Return the categories by the names that their values have as JSON numbers or booleans.

    A number 1 is the category `1.0` of a reference that holds such texts, and true its `True`, unless it
    has a category of that very name, or two that would fit.
    """
    known = set(categories)
    found: dict[str, list[str]] = {}
    for category in sorted(known):
        found.setdefault(plain_name(category), []).append(category)
    return {name: fitting[0] for name, fitting in found.items() if name not in known and len(fitting) == 1}


class CategoryNames:
    """Names the values of one feature."""

    def __init__(self, feature: Feature) -> None:
        self._known = frozenset(feature.categories)
        self._as_plain = feature.kind == "categorical" and feature.values in ("number", "integer", "boolean")
        self._booleans = feature.values == "boolean"
        of_text = feature.kind == "categorical" and not self._as_plain
        self._others = other_names(feature.categories) if of_text else {}
        self._emptied = feature.kind == "categorical" and feature.missing == "empty"
        self._is_simple = not (self._as_plain or self._others or self._emptied)

    def of(self, values: Sequence[Any]) -> list[str | None]:
        """Return the names of JSON's values: texts, numbers, booleans, and null for a missing one."""
        if self._is_simple:
            return [value if type(value) is str else category_name(value) for value in values]
        return [self._name(value) for value in values]

    def of_table(self, names: Sequence[str | None], *, as_written: bool) -> list[str | None]:
        """Return the names of a table's distinct cells; `as_written` where text may spell a number or a boolean."""
        if self._is_simple:
            return list(names)
        return [self._settled(self._renamed(name) if as_written else name) for name in names]

    def _name(self, value: Any) -> str | None:
        name = category_name(value)
        return self._settled(self._renamed(name) if type(value) is not str else name)

    def _renamed(self, name: str | None) -> str | None:
        return name if name is None or name in self._known else self._others.get(name, name)

    def _settled(self, name: str | None) -> str | None:
        if self._emptied and name is None:  # an empty text is what a missing one is
            return ""
        if self._as_plain and name is not None and name not in self._known:
            if self._booleans:
                return _BOOLEANS.get(name, name)
            number = number_of(name)
            return name if number is None or _is_long(name) else category_name(number)
        return name


def _is_long(name: str) -> bool:
    """Say whether a text spells an integer that a float64 does not hold."""
    return name.lstrip("-").isdigit() and abs(int(name[:400])) > 2**53
