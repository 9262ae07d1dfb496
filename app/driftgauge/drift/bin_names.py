"""Names of numeric bins: numbers rounded to the digits that tell neighbours apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

EDGE_DIGITS: Final = 3
"""Significant digits of an edge, where its neighbours do not need more."""
VALUE_DIGITS: Final = 6
"""Significant digits of a bin that holds one value: an integer below a million is named exactly."""
_ALL_DIGITS: Final = 17
_MARGIN: Final = 2.1
"""A rounded number is closer to its own than to a neighbour's by more than the error of this arithmetic."""


def number_name(value: float) -> str:
    """Return the shortest text that reads back as the same number, without a trailing `.0`."""
    return repr(float(value) + 0.0).removesuffix(".0")  # + 0.0 makes one zero of two


def value_names(values: Sequence[float]) -> list[str]:
    """Return a name for each of ascending values."""
    texts = _rounded(values, VALUE_DIGITS)
    return [texts[value] for value in values]


def interval_names(edges: Sequence[float]) -> list[str]:
    """Return a name for each interval between ascending edges, such as `(12.8, 13.5]`.

    The first edge lies just below the smallest value, which is named instead. A value with a bin of its own has an edge
    just below it: `[0, 5)`, `5`, `(5, 9]`.
    """
    texts = _rounded(_named(edges), EDGE_DIGITS)
    names = []
    for i, (low, high) in enumerate(pairwise(edges)):
        if _touch(low, high):
            names.append(texts[high])
            continue
        start = f"[{texts[math.nextafter(low, math.inf)]}" if i == 0 else f"({texts[low]}"
        names.append(f"{start}, {texts[high]}]" if high in texts else f"{start}, {texts[edges[i + 2]]})")
    return names


def _named(edges: Sequence[float]) -> list[float]:
    """Return the edges to print; of two edges around a single value, the second."""
    numbers = [math.nextafter(edge, math.inf) for edge in edges[:1]]
    for i in range(1, len(edges)):
        ends_value = _touch(edges[i - 1], edges[i])
        starts_value = i + 1 < len(edges) and _touch(edges[i], edges[i + 1])
        if ends_value or not starts_value:
            numbers.append(edges[i])
    return numbers


def _touch(low: float, high: float) -> bool:
    """Return whether an interval holds a single number."""
    return low == math.nextafter(high, -math.inf)


def _rounded(numbers: Iterable[float], digits: int) -> Mapping[float, str]:
    """Return a text for each number, so that the texts read back in the order of the numbers."""
    distinct = sorted(set(numbers))
    gaps = [math.inf, *(high - low for low, high in pairwise(distinct)), math.inf]
    return {
        number: _shortest(number, min(before, after), digits)
        for number, before, after in zip(distinct, gaps, gaps[1:], strict=False)
    }


def _shortest(number: float, gap: float, digits: int) -> str:
    """Return a number with the fewest digits that distinguish it from its neighbour at `gap`."""
    for count in range(digits, _ALL_DIGITS):
        rounded = float(f"{number:.{count}g}")
        if rounded == number or _MARGIN * abs(rounded - number) < gap:
            return number_name(rounded)
    return number_name(number)
