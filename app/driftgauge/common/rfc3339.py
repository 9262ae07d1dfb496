"""Points in time as RFC 3339 text in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC).timestamp()


def rfc3339(at: float, precision: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Return seconds since 1970 as text; a time before the year 1 becomes its beginning.

    >>> rfc3339(0.5), rfc3339(0.5, "milliseconds")
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:00.500Z')
    """
    moment = datetime.fromtimestamp(max(at, _EARLIEST), UTC)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
