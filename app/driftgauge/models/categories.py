"""Names of categories: one name for a value, whether from JSON or a table."""

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
"""Spellings of the booleans."""


def plain_name(text: str) -> str:
    """Return the JSON name of the number or boolean that a text spells: 1 for 1.0."""
    number = number_of(text)
    if number is None:
        return _BOOLEANS.get(text, text)
    name = category_name(number) or text
    return name if text == f"{name}.0" else text


def other_names(categories: Iterable[str]) -> dict[str, str]:
    """Map the JSON names of numbers and booleans to the categories that spell them.

    With a category `1.0`, the JSON number 1 means `1.0`, and true means `True`; not if there is a category with the
    exact name, or several that fit.
    """
    known = set(categories)
    spelling: dict[str, list[str]] = {}
    for category in sorted(known):
        spelling.setdefault(plain_name(category), []).append(category)
    return {name: fitting[0] for name, fitting in spelling.items() if name not in known and len(fitting) == 1}


class CategoryNames:
    """Returns the category names of one feature's values."""

    def __init__(self, feature: Feature) -> None:
        self._known = frozenset(feature.categories)
        self._as_plain = feature.kind == "categorical" and feature.values in ("number", "integer", "boolean")
        self._booleans = feature.values == "boolean"
        of_text = feature.kind == "categorical" and not self._as_plain
        self._others = other_names(feature.categories) if of_text else {}
        self._emptied = feature.kind == "categorical" and feature.missing == "empty"
        self._is_simple = not (self._as_plain or self._others or self._emptied)

    def of(self, values: Sequence[Any]) -> list[str | None]:
        """Return the names of JSON values; None for null, which is missing."""
        if self._is_simple:
            return [value if type(value) is str else category_name(value) for value in values]
        return [self._name(value) for value in values]

    def of_table(self, names: Sequence[str | None], *, as_written: bool) -> list[str | None]:
        """Return the names of a table's distinct cells; `as_written` if text may spell numbers or booleans."""
        if self._is_simple:
            return list(names)
        return [self._settled(self._renamed(name) if as_written else name) for name in names]

    def _name(self, value: Any) -> str | None:
        name = category_name(value)
        return self._settled(self._renamed(name) if type(value) is not str else name)

    def _renamed(self, name: str | None) -> str | None:
        return name if name is None or name in self._known else self._others.get(name, name)

    def _settled(self, name: str | None) -> str | None:
        if self._emptied and name is None:  # an empty text stands for missing
            return ""
        if self._as_plain and name is not None and name not in self._known:
            if self._booleans:
                return _BOOLEANS.get(name, name)
            number = number_of(name)
            return name if number is None or _is_long(name) else category_name(number)
        return name


def _is_long(name: str) -> bool:
    """Return whether a text spells an integer that float64 cannot hold."""
    return name.lstrip("-").isdigit() and abs(int(name[:400])) > 2**53
