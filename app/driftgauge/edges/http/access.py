"""Who sent a request, and whether its token allows what it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from fastapi import Request
from starlette.types import Scope as AsgiScope

from driftgauge.access.caller import ANYONE, NOBODY, Caller, Scope
from driftgauge.access.tokens import Tokens
from driftgauge.errors import Reason, Refused
from driftgauge.monitor.problems import Problems
from driftgauge.settings.access import AccessSettings

CALLER_KEY: Final = "driftgauge.caller"
"""Where the state of a request holds its caller."""
TOKENS_NOT_READ: Final = "tokens_not_read"
REFRESH_SECONDS: Final = 1.0
"""Time between two looks at the file of tokens."""
HOW: Final = "send one in the header `Authorization: Bearer TOKEN`"


class Access:
    """The check of tokens; `denied` is called with the reason of each refusal."""

    def __init__(self, tokens: Tokens | None = None, denied: Callable[[Reason], None] = lambda _: None) -> None:
        """Without tokens every request is allowed."""
        self.tokens: Final = tokens
        self._denied = denied

    @property
    def is_on(self) -> bool:
        """Whether requests need a token."""
        return self.tokens is not None

    def admit(self, asgi: AsgiScope, needed: Scope) -> Caller:
        """Return the caller of a request and keep it with the request; Refused if it may not do this."""
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

    def enter(self, asgi: AsgiScope) -> None:
        """Mark a request as one of nobody, until `admit` finds its caller."""
        if self.tokens is not None:
            asgi.setdefault("state", {})[CALLER_KEY] = NOBODY

    def requires(self, needed: Scope) -> Callable[[Request], Awaitable[None]]:
        """Return a dependency of FastAPI that refuses requests without a scope."""

        async def check(request: Request) -> None:
            self.admit(request.scope, needed)

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


def access_of(settings: AccessSettings, host: str, problems: Problems, denied: Callable[[Reason], None]) -> Access:
    """Return the access that settings describe for a server on an address; SettingsError if they cannot be used."""
    settings.require_protection(host)
    if settings.tokens_file is None:
        return Access()

    def tell(problem: str) -> None:
        if problem:
            problems.record_lasting(TOKENS_NOT_READ, f"{problem}. The tokens read before stay valid")
        else:
            problems.resolve(TOKENS_NOT_READ)

    return Access(Tokens(settings.tokens_file, tell), denied)


def caller_of(asgi: AsgiScope) -> Caller:
    """Return the caller of a request: ANYONE without tokens, NOBODY on a route that needs none."""
    state: dict[str, Any] = asgi.get("state") or {}
    caller: Caller = state.get(CALLER_KEY, ANYONE)
    return caller


def without_scope(caller: Caller, needed: Scope, what: str = "this request") -> Refused:
    """Return the refusal of a caller whose token lacks a scope."""
    return Refused(
        Reason.MISSING_SCOPE,
        f"{what} needs the scope {needed}, which the token {caller.name} does not have: add it to the token's line",
        {"scope": needed.value},
    )
