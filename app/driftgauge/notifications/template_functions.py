"""The functions of Prometheus' and Alertmanager's templates that ours call."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote_plus

_LARGE: Final = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_SMALL: Final = ("m", "u", "n", "p", "f", "a", "z", "y")
_BINARY: Final = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_VERB: Final = re.compile(r"%(?:\[(\d+)\])?(\.\d+)?([qgfsdv%])")
_EXPONENT: Final = 21
"""Power of ten from which Go prints a number with an exponent."""


def text_of(value: Any) -> str:
    """Return a value as Go prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value and not 1e-4 <= abs(value) < 10.0**_EXPONENT:
        mantissa, _, power = repr(value).partition("e")
        return f"{mantissa.removesuffix('.0')}e{power}" if power else f"{value:e}"
    return format(value, "f").rstrip("0").rstrip(".") if value == int(value) else _decimal(value)


def _decimal(value: float) -> str:
    shortest = repr(value)
    return shortest if "e" not in shortest else format(value, ".20f").rstrip("0")


def _short(value: float) -> str:
    return _number(value) if not math.isfinite(value) else f"{value:.4g}"


def humanize(value: float) -> str:
    """Return a number with a metric prefix.

    >>> humanize(1_200_000.0), humanize(0.0), humanize(0.02)
    ('1.2M', '0', '20m')
    """
    if not value or not math.isfinite(value):
        return _short(value)
    prefix = ""
    for following in _LARGE if abs(value) >= 1 else _SMALL:
        if abs(value) >= 1 and (prefix in _SMALL or abs(value) < 1000):
            break
        prefix = following
        value = value / 1000 if following in _LARGE else value * 1000
    return f"{value:.4g}{prefix}"


def humanize1024(value: float) -> str:
    """Return a number with a binary prefix.

    >>> humanize1024(1_048_576.0), humanize1024(0.5)
    ('1Mi', '0.5')
    """
    prefix = ""
    if abs(value) > 1 and math.isfinite(value):
        for following in _BINARY:
            if abs(value) < 1024:
                break
            prefix, value = following, value / 1024
    return f"{_short(value)}{prefix}"


def humanize_percentage(value: float) -> str:
    """Return a ratio in percent.

    >>> humanize_percentage(0.125)
    '12.5%'
    """
    return f"{_short(100 * value)}%"


def humanize_duration(value: float) -> str:
    """Return seconds in days, hours, minutes and seconds.

    >>> humanize_duration(3_661.0), humanize_duration(0.25), humanize_duration(2.5)
    ('1h 1m 1s', '250ms', '2.5s')
    """
    if not value or not math.isfinite(value):
        return f"{_short(value)}s" if not value else _short(value)
    if abs(value) < 1:
        prefix = ""
        for following in _SMALL:
            if abs(value) >= 1:
                break
            prefix, value = following, value * 1000
        return f"{value:.4g}{prefix}s"
    sign, value = ("-" if value < 0 else ""), abs(value)
    whole = int(value)
    days, hours, minutes, seconds = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    return f"{sign}{minutes}m {seconds}s" if minutes else f"{sign}{value:.4g}s"


def humanize_timestamp(value: float) -> str:
    """Return seconds since 1970 as Go prints a time in UTC.

    >>> humanize_timestamp(1_767_225_600.5)
    '2026-01-01 00:00:00.5 +0000 UTC'
    """
    if not math.isfinite(value):
        return _short(value)
    moment = datetime.fromtimestamp(math.floor(value), UTC)
    part = f"{math.floor(value * 1000) % 1000 / 1000:.3f}"[1:].rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%d %H:%M:%S}{part} +0000 UTC"


def printf(pattern: str, *values: Any) -> str:
    """Return text with values in it, by Go's verbs.

    >>> printf("max(x{a=%[1]q}) %.1f", 'b "c"', 2.25)
    'max(x{a="b \\\\"c\\\\""}) 2.2'
    """
    next_value = 0

    def filled(found: re.Match[str]) -> str:
        nonlocal next_value
        index, digits, verb = found.groups()
        if verb == "%":
            return "%"
        next_value = int(index) if index else next_value + 1
        value = values[next_value - 1]
        if verb in "gf":
            return format(float(value), f"{digits or ''}{verb}")
        return json.dumps(text_of(value), ensure_ascii=False) if verb == "q" else text_of(value)

    return _VERB.sub(filled, pattern)


def _is_equal(first: Any, *others: Any) -> bool:
    return any(first == other for other in others)


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "humanize": humanize,
    "humanize1024": humanize1024,
    "humanizePercentage": humanize_percentage,
    "humanizeDuration": humanize_duration,
    "humanizeTimestamp": humanize_timestamp,
    "printf": printf,
    "urlquery": lambda value: quote_plus(text_of(value)),
    "toUpper": lambda value: str(value).upper(),
    "eq": _is_equal,
    "ne": lambda one, other: one != other,
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "or": lambda *values: next((value for value in values if value), values[-1]),
    "not": lambda value: not value,
    "len": len,
    "index": lambda value, key: value[key],
    "first": lambda values: values[0],
    "value": lambda sample: sample["Value"],
    "sortByLabel": lambda label, values: sort_by_label(label, values),
}


def sort_by_label(label: str, values: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the results of a query in the order of a label's values."""
    return sorted(values, key=lambda value: str(value["Labels"].get(label, "")))
