"""Points in time as people and clients write them: RFC 3339, seconds since 1970, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

TIME_PATTERN: Final = (
    r"^(?!0000)[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))"
    r"([Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?)?)?$"
)
"""RFC 3339, where the offset or the whole time of day may be missing; UTC is then assumed."""
_IS_TIME: Final = re.compile(TIME_PATTERN.replace("$", r"\Z"))
_LEAP_SECOND: Final = slice(17, 19)
_AGO: Final = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_IS_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def instant(text: str) -> datetime:
    """Return a time in UTC; ValueError or OverflowError if the text is not one.

    Second 60, a leap second, counts as the following second.
    """
    if not _IS_TIME.match(text):
        raise ValueError(text)
    leap = text[_LEAP_SECOND] == "60"
    at = datetime.fromisoformat(f"{text[:17]}59{text[19:]}".upper() if leap else text.upper())
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC) + timedelta(seconds=leap)


def seconds_of(value: str | float) -> float:
    """Return a time in seconds since 1970, from RFC 3339 text (UTC without an offset) or from seconds.

    ValueError, OverflowError or OSError for anything else, and for times outside the years 1 to 9999.
    """
    found = instant(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
    return found.timestamp()


def moment(text: str, now: float) -> float:
    """Return the time that a text names, seconds since 1970: how long before `now`, or a moment; else ValueError.

    >>> moment("2h", 10_000.0), moment("1970-01-01T00:01:00Z", 0.0), moment("60", 0.0)
    (2800.0, 60.0, 60.0)
    """
    if found := _AGO.fullmatch(text):
        return now - int(found[1]) * _UNIT_SECONDS[found[2]]
    try:
        return seconds_of(float(text) if _IS_NUMBER.fullmatch(text) else text)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(
            f"{text!r} is not a time: give how long ago, such as 24h or 7d, or a moment such as 2026-01-31T12:00:00Z"
        ) from error
