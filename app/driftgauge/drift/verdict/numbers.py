"""Numbers in words: a few significant digits, shares as percentages."""

from __future__ import annotations

import math


def two_decimals(value: float) -> str:
    """Return a number with two decimals; more if it is tiny, fewer from 10 on."""
    if value >= 10.0:
        return f"{value:.1f}" if value < 100.0 else f"{value:.0f}"
    return f"{value:.2f}" if value >= 0.005 or value == 0.0 else f"{value:.1g}"


def short(value: float) -> str:
    """Return a number with three significant digits; all digits of whole thousands."""
    return f"{value:,.0f}" if 999.5 <= abs(value) < 1e12 else f"{value:.3g}"


def percent(share: float) -> str:
    """Return a share as a percentage, with a decimal where it is small."""
    return f"{100.0 * share:.0f} %" if share >= 0.0995 or share == 0 else f"{100.0 * share:.2g} %"


def apart(first: float, second: float) -> tuple[str, str]:
    """Return two numbers as text, both with the digits that it takes to read their difference to two digits."""
    distance, size = abs(first - second), max(abs(first), abs(second))
    if distance == 0.0 or size >= 1e12 or distance < 1e-6:
        return f"{first:.6g}", f"{second:.6g}"
    decimals = max(0, 1 - math.floor(math.log10(distance)))
    return f"{first:,.{decimals}f}", f"{second:,.{decimals}f}"
