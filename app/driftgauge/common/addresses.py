"""What the name of a host means, and addresses without their secrets."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

_PASSWORD: Final = re.compile(r"^([a-z][a-z0-9+.-]*://[^/@:]*):([^/]*|(?!\d*/).*)@", re.IGNORECASE | re.DOTALL)
"""It goes on to the last @, because secret keys may hold a slash; `host:80/` has a port."""
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def is_loopback(name: str) -> bool:
    """Return whether a name or address always means the local machine.

    >>> is_loopback("127.0.0.1"), is_loopback("[::1]"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def is_address(name: str) -> bool:
    """Return whether a name is an IP address."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def is_url(text: str) -> bool:
    """Return whether a text is an address with a scheme, and no path of this machine.

    >>> is_url("s3://bucket/rows.parquet"), is_url("rows.parquet"), is_url("C:/rows.parquet")
    (True, False, False)
    """
    return _SCHEME.match(text) is not None


def without_password(address: str) -> str:
    """Return an address without its password, as messages and files show it; any other text stays as it is.

    >>> without_password("sftp://me:secret@host/rows.parquet")
    'sftp://me@host/rows.parquet'
    """
    return _PASSWORD.sub(r"\1@", address)


def hide_password(text: object, address: str) -> str:
    """Return a text, such as an error's, without the password of an address that it quotes in part.

    >>> hide_password("there is no bucket me:secret@rows", "s3://me:secret@rows/part.parquet")
    'there is no bucket me@rows'
    """
    found = _PASSWORD.match(address)
    return str(text) if found is None else str(text).replace(address[found.end(1) : found.end()], "@")
