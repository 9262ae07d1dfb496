"""Points in time as RFC 3339 text in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

EARLIEST: Final = datetime.min.replace(tzinfo=UTC).timestamp()
"""The first second of the year 1, seconds since 1970."""
LATEST: Final = datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp()
"""The last second of the year 9999, seconds since 1970."""


def rfc3339(at: float, precision: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Return seconds since 1970 as text; a time outside the years 1 to 9999 becomes their beginning or end.

    >>> rfc3339(0.5), rfc3339(0.5, "milliseconds")
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:00.500Z')
    """
    moment = datetime.fromtimestamp(min(max(at, EARLIEST), LATEST), UTC)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
