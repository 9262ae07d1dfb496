"""Who sent a request, whether its token allows what it asks for, and whether its caller asks for too much."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from fastapi import Request
from starlette.types import Scope as AsgiScope

from driftgauge.access.caller import ANYONE, NOBODY, Caller, Scope
from driftgauge.access.tokens import Tokens
from driftgauge.errors import Reason, Refused
from driftgauge.monitor.problems import Problems
from driftgauge.serving.caller_limits import CallerBounds, CallerLimits
from driftgauge.serving.queue_shares import QueueShares
from driftgauge.settings.access import AccessSettings
from driftgauge.settings.limits import LimitSettings

CALLER_KEY: Final = "driftgauge.caller"
"""Where the state of a request holds its caller."""
ENTERED_KEY: Final = "driftgauge.entered"
"""Where the state of a request that counts for a limit holds the name of its caller."""
IPV6_HOST_BITS: Final = 64
LONGEST_ADDRESS: Final = 64
TOKENS_NOT_READ: Final = "tokens_not_read"
REFRESH_SECONDS: Final = 1.0
"""Time between two looks at the file of tokens."""
HOW: Final = "send one in the header `Authorization: Bearer TOKEN`"


class Access:
    """The check of tokens and of callers' limits; `denied` is called with the reason of each refused token."""

    def __init__(
        self,
        tokens: Tokens | None = None,
        denied: Callable[[Reason], None] = lambda _: None,
        limits: CallerLimits | None = None,
    ) -> None:
        """Without tokens every request is allowed, within the limits."""
        self.tokens: Final = tokens
        self.is_on: Final = tokens is not None
        """Whether requests need a token."""
        self._denied = denied
        self._callers: Final = CallerLimits(CallerBounds()) if limits is None else limits  # an empty one is false
        self._limits = self._callers if self._callers.is_on else None

    @property
    def is_checking(self) -> bool:
        """Whether requests need a token, or are counted by caller."""
        return self.tokens is not None or self._limits is not None

    def admit(self, asgi: AsgiScope, needed: Scope, *, is_limited: bool = True) -> Caller:
        """Return the caller of a request and keep it with the request; Refused if it may not do this.

        A request that is limited counts for its caller until `leave`.
        """
        caller = self._identify(asgi, needed)
        if self._limits is not None and is_limited:
            name = caller_name(asgi, caller)
            self._limits.enter(name)
            asgi.setdefault("state", {})[ENTERED_KEY] = name
        return caller

    def shares(self, queued_requests: int, queued_rows: int) -> QueueShares:
        """Return what callers hold of a model's queue of this size."""
        callers = self._callers
        return QueueShares(callers.bounds.queue_share_ratio, queued_requests, queued_rows, callers.limited)

    def leave(self, asgi: AsgiScope) -> None:
        """Count an answered request no longer for its caller."""
        if self._limits is not None and (name := (asgi.get("state") or {}).pop(ENTERED_KEY, None)) is not None:
            self._limits.leave(name)

    def _identify(self, asgi: AsgiScope, needed: Scope) -> Caller:
        if self.tokens is None:
            return ANYONE
        try:
            caller = self._caller(self.tokens, asgi["headers"])
            if needed not in caller.scopes:
                raise without_scope(caller, needed)
        except Refused as error:
            self._denied(error.reason)
            raise
        asgi.setdefault("state", {})[CALLER_KEY] = caller
        return caller

    def require(self, asgi: AsgiScope, needed: Scope, what: str) -> None:
        """Refuse a part of an admitted request, named in words, that its caller may not send."""
        caller = caller_of(asgi)
        if not caller.may(needed):
            self._denied(Reason.MISSING_SCOPE)
            raise without_scope(caller, needed, what)

    def shows(self, asgi: AsgiScope) -> bool:
        """Return whether a request that needs no token has one that may read; an unknown token is counted as denied."""
        if self.tokens is None:
            return True
        try:
            return Scope.READ in self._caller(self.tokens, asgi["headers"]).scopes
        except Refused as error:
            if error.reason is not Reason.MISSING_TOKEN:
                self._denied(error.reason)
            return False

    def enter(self, asgi: AsgiScope) -> None:
        """Leave a request without a caller until `admit` finds one."""
        if self.tokens is not None:
            asgi.setdefault("state", {})[CALLER_KEY] = NOBODY

    def requires(self, needed: Scope, *, is_limited: bool = True) -> Callable[[Request], Awaitable[None]]:
        """Return a dependency of FastAPI that refuses requests without a scope, and of callers that send too many."""

        async def check(request: Request) -> None:
            self.admit(request.scope, needed, is_limited=is_limited)

        return check

    async def watch(self) -> None:
        """Read the file of tokens again whenever it changes, until cancelled."""
        while self.tokens is not None:
            await asyncio.sleep(REFRESH_SECONDS)
            await asyncio.to_thread(self.tokens.refresh)

    @staticmethod
    def _caller(tokens: Tokens, headers: Iterable[tuple[bytes, bytes]]) -> Caller:
        given = [value for name, value in headers if name == b"authorization"]
        if not given:
            raise Refused(Reason.MISSING_TOKEN, f"this server needs a token: {HOW}", {"field": "authorization"})
        found = tokens.find(given[0]) if len(given) == 1 else None
        if found is None:
            raise Refused(Reason.INVALID_TOKEN, f"the token is unknown: {HOW}", {"field": "authorization"})
        return found


def caller_bounds(settings: LimitSettings, workers: int) -> CallerBounds:
    """Return what one caller may ask of a service with this number of workers."""
    return CallerBounds(
        settings.max_requests_per_second,
        settings.max_request_burst,
        settings.max_concurrent_requests,
        settings.max_queue_share_ratio,
        workers,
    )


def access_of(
    settings: AccessSettings,
    host: str,
    problems: Problems,
    denied: Callable[[Reason], None],
    limits: CallerLimits | None = None,
) -> Access:
    """Return the access that settings describe for a server on an address; SettingsError if they cannot be used."""
    settings.require_protection(host)
    if settings.tokens_file is None:
        return Access(limits=limits)

    def tell(problem: str) -> None:
        if problem:
            problems.record_lasting(TOKENS_NOT_READ, f"{problem}. The tokens read before stay valid")
        else:
            problems.resolve(TOKENS_NOT_READ)

    return Access(Tokens(settings.tokens_file, tell), denied, limits)


def caller_of(asgi: AsgiScope) -> Caller:
    """Return the caller of a request: ANYONE without tokens, NOBODY on a route that needs none."""
    state: dict[str, Any] = asgi.get("state") or {}
    caller: Caller = state.get(CALLER_KEY, ANYONE)
    return caller


def caller_name(asgi: AsgiScope, caller: Caller) -> str:
    """Return the name under which a caller is counted: that of its token, else the client's address.

    Addresses of IPv6 count by their network of 64 bits, because one client has all of them.
    """
    if caller.name:
        return caller.name
    host: str = (asgi.get("client") or ("",))[0][:LONGEST_ADDRESS]  # a proxy may forward any text
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(address) >> IPV6_HOST_BITS << IPV6_HOST_BITS)}/{IPV6_HOST_BITS}"


def without_scope(caller: Caller, needed: Scope, what: str = "this request") -> Refused:
    """Return the refusal of a caller whose token lacks a scope."""
    return Refused(
        Reason.MISSING_SCOPE,
        f"{what} needs the scope {needed}, which the token {caller.name} does not have: add it to the token's line",
        {"scope": needed.value},
    )
