"""Refuses requests that a web page of another site sends from a visitor's browser.

A page can post to any address that its visitor's browser reaches. With a host name that resolves to that address
(DNS rebinding) it can even read the answer. Browsers send the page's origin (`Origin`, `Sec-Fetch-Site`) and the host
name it used (`Host`), and a page cannot change them. Other clients can send anything, but gain nothing by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from driftgauge.common.addresses import is_address, is_loopback
from driftgauge.common.quoting import shortened
from driftgauge.errors import Reason, Refused

Headers = Iterable[tuple[bytes, bytes]]
Header = tuple[bytes, bytes]
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:\[\]/@?#]+)(?::([0-9]*))?\Z")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_FORWARDED: Final = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port"}
)
_REMEMBERED: Final = 64
_PREFLIGHT_SECONDS: Final = 600
ANY: Final = "*"


class OriginPolicy:
    """Decides from a request's headers whether it is allowed."""

    def __init__(self, bound: str, allowed_hosts: Sequence[str] = (), allowed_origins: Sequence[str] = ()) -> None:
        """`bound` is the address on which the server listens."""
        self._names: Final = frozenset(name.lower().rstrip(".") for name in (*allowed_hosts, bound))
        self._any_host: Final = ANY in allowed_hosts or not (allowed_hosts or is_loopback(bound))
        self._by_default: Final = not allowed_hosts
        self._known: set[bytes] = set()
        self.origins: Final = frozenset(origin.lower() for origin in allowed_origins)
        """Allowed origins of other sites in lower case; may hold `*`."""

    def refusal(self, method: str, headers: Headers) -> Refused | None:
        """Return why a request is refused, None if it is allowed; one pass over its headers, for speed."""
        host = None
        browser = twice = False
        for name, value in headers:
            if name == b"host":
                twice = host is not None
                host = value
            elif name == b"origin" or name == b"sec-fetch-site":
                browser = True
        if host is not None and not self._any_host and (twice or host not in self._known):
            if twice or not self._is_allowed(host):
                return _other_host(host)
            if len(self._known) < _REMEMBERED:
                self._known.add(host)
        if browser and method not in _SAFE and not self._is_own_page(headers):
            return _other_site(headers)
        return None

    def _is_allowed(self, host: bytes) -> bool:
        found = _HOST.match(host.decode("latin-1").lower())
        if found is None:
            return False
        name = found[1].rstrip(".")
        if is_loopback(name) or is_address(name) or name in self._names:
            # DNS rebinding needs a host name, so an address is safe.
            return True
        if self._by_default and "." not in found[1]:
            return True  # a name of the local network; no site on the internet has one without a dot
        return any(name.endswith(allowed[1:]) for allowed in self._names if allowed.startswith("*."))

    def _is_own_page(self, headers: Headers) -> bool:
        """Say whether a browser's request comes from a page of this server or of an allowed origin."""
        found = dict(headers)
        site = found.get(b"sec-fetch-site", b"").lower()
        origin = found.get(b"origin")
        if site in (b"same-origin", b"none"):  # set by the browser; a page cannot forge it
            return True
        if ANY in self.origins or (origin is not None and self._is_allowed_origin(origin)):
            return True
        return not site and origin is not None and _is_same(origin, found)

    def _is_allowed_origin(self, origin: bytes) -> bool:
        return ANY in self.origins or origin.decode("latin-1").lower() in self.origins

    def shared(self, headers: Headers) -> list[Header]:
        """Return the CORS headers with which a page of an allowed origin can read the answer."""
        if not self.origins:
            return []
        origin = dict(headers).get(b"origin")
        varies = [(b"vary", b"Origin")]
        if origin is None or not self._is_allowed_origin(origin):
            return varies
        return [*varies, (b"access-control-allow-origin", origin), (b"access-control-expose-headers", b"Retry-After")]

    def preflight(self, method: str, headers: Headers) -> list[Header] | None:
        """Return the headers of a preflight's answer, in addition to those of `shared`; None for other requests."""
        if method != "OPTIONS" or not self.origins:
            return None
        found = dict(headers)
        origin = found.get(b"origin")
        if b"access-control-request-method" not in found or origin is None or not self._is_allowed_origin(origin):
            return None
        requested = found.get(b"access-control-request-headers")
        private = b"access-control-request-private-network" in found
        return [
            (b"vary", b"Access-Control-Request-Headers"),
            (b"access-control-allow-methods", b"GET, HEAD, POST"),
            *([(b"access-control-allow-headers", requested)] if requested else []),
            *([(b"access-control-allow-private-network", b"true")] if private else []),
            (b"access-control-max-age", b"%d" % _PREFLIGHT_SECONDS),
        ]


def _is_same(origin: bytes, headers: dict[bytes, bytes]) -> bool:
    """Say whether a page's origin is this server, judged by the `Host` header or that of a proxy.

    A page cannot send a proxy's headers without a preflight.
    """
    scheme, separator, page = origin.decode("latin-1").lower().partition("://")
    if not separator:
        return False
    own = _authority(page, scheme)
    forwarded = headers.get(b"x-forwarded-host", b"").split(b",")[0].strip()
    given = [host.decode("latin-1").lower() for host in (headers.get(b"host", b""), forwarded) if host]
    if own is None or not given:
        return False
    if own in (_authority(host, scheme) for host in given):
        return True
    # Many proxies forward the name without its port.
    return not _FORWARDED.isdisjoint(headers) and own[0] in given


def _authority(host: str, scheme: str) -> tuple[str, str] | None:
    """Return a host's name and port, by default the scheme's port."""
    found = _HOST.match(host)
    return None if found is None else (found[1], found[2] or _DEFAULT_PORTS.get(scheme, ""))


def _other_host(host: bytes) -> Refused:
    return Refused(
        Reason.HOST_NOT_ALLOWED,
        f"requests for the host {shortened(host.decode('latin-1'))!r} are refused: if it is a name of this server, "
        "add it to the setting allowed_hosts (DRIFTGAUGE_ALLOWED_HOSTS)",
        {"field": "host"},
    )


def _other_site(headers: Headers) -> Refused:
    origin = dict(headers).get(b"origin", b"").decode("latin-1")
    whose = f"a page of {shortened(origin)}" if origin else "a page of another site"
    return Refused(
        Reason.CROSS_SITE,
        f"requests from {whose} are refused: to allow them, add its origin to the setting allowed_origins "
        "(DRIFTGAUGE_ALLOWED_ORIGINS)",
        {"field": "origin"},
    )
