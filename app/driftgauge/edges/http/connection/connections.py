"""The connections of one process: their number, their deadlines, and the log of refused ones."""

from __future__ import annotations

import asyncio
import resource
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import Enum
from operator import itemgetter
from typing import Final, Protocol, Self

import structlog

from driftgauge.common.log_throttle import INTERVAL_SECONDS
from driftgauge.errors import Reason
from driftgauge.settings.limits import LimitSettings

STATE_KEY: Final = "connections"
"""Key of the lifespan state under which the protocol finds `Connections`."""
REFUSED_KEY: Final = "refused"
"""Key of the request state that holds the status of a refusal during its body."""
DEFAULT_CONNECTIONS: Final = 10_000
"""Default maximum per process, if its limit of open files allows it."""
RESERVED_FILES: Final = 64
"""Files that a process needs besides connections: state, log, libraries loaded late."""
MIN_CONNECTIONS: Final = 8
LINGER_SECONDS: Final = 2.0
"""How long a refused client is still read, so that it sees its answer (RFC 9112, 9.6)."""
EVICTION_TRIES: Final = 8
"""Idle connections examined to find one that can be closed for a new one."""
SLOW_SECONDS: Final = 3.0
"""When connections are scarce, requests slower than this lose theirs to a new one."""
CROWDED: Final = 0.9
"""Share of the maximum above which slow connections are tracked."""
SWEEP_SECONDS: Final = 1.0
_DEFAULTS: Final = LimitSettings()

_MORE: Final = "see max_connections, and the limit of open files (ulimit -n)"
HINTS: Final = {
    Reason.TOO_MANY_CONNECTIONS: f"all connections are in use: {_MORE}",
    Reason.IDLE_EVICTED: f"idle connections were closed for new ones: {_MORE}",
    Reason.SLOW_EVICTED: f"clients that send slowly were disconnected for new ones: {_MORE}",
}
"""What an operator can do, by reason."""


class Stage(Enum):
    """What a connection waits for from its client."""

    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    """The client has not read the whole answer."""
    LINGER = "linger"
    """The answer is sent, the client has not closed yet."""


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of one connection, and of their number."""

    max_connections: int = DEFAULT_CONNECTIONS
    max_header_bytes: int = _DEFAULTS.max_header_bytes
    max_header_count: int = _DEFAULTS.max_header_count
    max_url_bytes: int = _DEFAULTS.max_url_bytes
    max_body_bytes: int = _DEFAULTS.max_body_bytes
    head_timeout_seconds: float = _DEFAULTS.head_timeout_seconds
    body_timeout_seconds: float = _DEFAULTS.body_timeout_seconds
    answer_timeout_seconds: float = _DEFAULTS.answer_timeout_seconds
    idle_timeout_seconds: float = _DEFAULTS.idle_timeout_seconds
    stop_timeout_seconds: float = 12.0
    """How long a connection may stall once the server is stopping."""

    @classmethod
    def of(cls, options: LimitSettings, max_connections: int, stop_timeout_seconds: float) -> Self:
        """Return the limits that the settings name; the two others depend on the process."""
        named = {own.name: getattr(options, own.name) for own in fields(cls) if own.name in LimitSettings.model_fields}
        return cls(**{**named, "max_connections": max_connections, "stop_timeout_seconds": stop_timeout_seconds})

    def seconds(self, stage: Stage) -> float:
        """Return how long a connection may stay at a stage."""
        return {
            Stage.HEAD: self.head_timeout_seconds,
            Stage.BODY: self.body_timeout_seconds,
            Stage.ANSWER: self.answer_timeout_seconds,
            Stage.LINGER: LINGER_SECONDS,
        }[stage]

    @property
    def sweep_seconds(self) -> float:
        """Time between two sweeps: short compared with the shortest timeout."""
        timeouts = [*map(self.seconds, Stage), self.idle_timeout_seconds, self.stop_timeout_seconds]
        return min(SWEEP_SECONDS, min(timeouts) / 4)


def most_connections(requested: int | None, files: int) -> int:
    """Return the maximum number of connections, at most as many as the limit of open files allows."""
    possible = max(MIN_CONNECTIONS, files - RESERVED_FILES)
    return min(possible, DEFAULT_CONNECTIONS if requested is None else requested)


def file_limit() -> int:
    """Return this process's limit of open files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DEFAULT_CONNECTIONS + RESERVED_FILES if soft == resource.RLIM_INFINITY else soft


class Connection(Protocol):
    """One connection, as the sweep sees it."""

    def stage(self) -> tuple[Stage, object] | None:
        """Return what it waits for and a token that changes with progress; None if it waits for nothing."""

    def give_up(self, stage: Stage) -> None:
        """End it because it has stayed at a stage for too long."""

    def end_idle(self) -> None:
        """Close it between two requests."""

    def cut_off(self) -> None:
        """Abort it."""


@dataclass
class _Logged:
    """When a reason was last logged, and how often it occurred since."""

    at: float
    count: int = 0


@dataclass
class Connections:
    """All connections of a process, with one timer for all their deadlines.

    Requests need no timers of their own.
    `count` is called for each refused connection or request, with the status of its answer if it got one.
    """

    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    count: Callable[[Reason, int | None], None] = lambda reason, status: None
    stopping: bool = False
    _open: set[Connection] = field(default_factory=set)
    idle: OrderedDict[Connection, float] = field(default_factory=OrderedDict)
    """Connections between two requests, and since when; each adds and removes itself."""
    _seen: dict[Connection, tuple[Stage, object, float]] = field(default_factory=dict)
    """What stalled connections waited for at the last sweep, and since when."""
    _slow: deque[tuple[Connection, Stage, object]] = field(default_factory=deque)
    """Connections with an incomplete request, the slowest first; only tracked when connections are scarce."""
    _logged: dict[Reason, _Logged] = field(default_factory=dict)
    _stop_at: float = float("inf")
    _timer: asyncio.TimerHandle | None = None

    def all(self) -> frozenset[Connection]:
        """Return the open connections."""
        return frozenset(self._open)

    def __len__(self) -> int:
        return len(self._open)

    # ------------------------------------------------------------ called by connections

    def admit(self, one: Connection, loop: asyncio.AbstractEventLoop) -> bool:
        """Admit a connection, evicting another one if needed; return whether it may stay."""
        now = loop.time()
        if len(self._open) >= self.limits.max_connections and not self._evict(now):
            self.refused(Reason.TOO_MANY_CONNECTIONS, None, now)
            return False
        self._open.add(one)
        self.idle[one] = now
        if self._timer is None:
            self._timer = loop.call_later(self.limits.sweep_seconds, self._tick, loop)
        return True

    def left(self, one: Connection) -> None:
        """Remove a closed connection."""
        self._open.discard(one)
        self.idle.pop(one, None)

    def refused(self, reason: Reason, status: int | None, now: float) -> None:
        """Count a refusal, and log it at most once a minute for each reason."""
        self.count(reason, status)
        logged = self._logged.setdefault(reason, _Logged(-INTERVAL_SECONDS + now))
        logged.count += 1
        self._log(reason, logged, now)

    def stop(self, now: float) -> None:
        """Give stalled connections a last deadline, because the server is stopping."""
        if not self.stopping:
            self.stopping = True
            self._stop_at = now + self.limits.stop_timeout_seconds

    # ------------------------------------------------------------ the sweep

    def sweep(self, now: float) -> None:
        """End connections that have been idle or stalled for too long."""
        while self.idle and now - next(iter(self.idle.values())) >= self.limits.idle_timeout_seconds:
            self._end(self.idle.popitem(last=False)[0], now)
        seen: dict[Connection, tuple[Stage, object, float]] = {}
        late: list[tuple[Connection, Stage]] = []
        for one in self._open:
            at = one.stage()
            if at is None:
                continue
            stage, token = at
            before = self._seen.get(one)
            same = before is not None and before[0] is stage and before[1] is token
            since = before[2] if before is not None and same else now
            seen[one] = (stage, token, since)
            if now - since >= self.limits.seconds(stage) or now >= self._stop_at:
                late.append((one, stage))
        self._seen = seen
        self._slow = self._slowest(now)
        for one, stage in late:
            one.give_up(stage)
        for reason, logged in self._logged.items():
            self._log(reason, logged, now)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        try:
            self.sweep(loop.time())
        finally:
            if self._open or any(logged.count for logged in self._logged.values()):
                self._timer = loop.call_later(self.limits.sweep_seconds, self._tick, loop)

    def _evict(self, now: float) -> bool:
        """End the longest idle or else the slowest connection for a new one; says whether there was one."""
        for _ in range(min(EVICTION_TRIES, len(self.idle))):
            one, _ = self.idle.popitem(last=False)
            if self._end(one, now):
                return self._evicted(one, Reason.IDLE_EVICTED, now)
        while self._slow:
            one, stage, token = self._slow.popleft()
            at = one.stage() if one in self._open else None
            if at is not None and at[0] is stage and at[1] is token:
                one.cut_off()
                return self._evicted(one, Reason.SLOW_EVICTED, now)
        return False

    def _evicted(self, one: Connection, reason: Reason, now: float) -> bool:
        self._open.discard(one)  # its file is closed in the next turn of the event loop
        self.refused(reason, None, now)
        return True

    def _slowest(self, now: float) -> deque[tuple[Connection, Stage, object]]:
        if len(self._open) < self.limits.max_connections * CROWDED:
            return deque()
        slow = [
            (since, one, stage, token)
            for one, (stage, token, since) in self._seen.items()
            if stage in (Stage.HEAD, Stage.BODY) and now - since >= SLOW_SECONDS
        ]
        return deque((one, stage, token) for _, one, stage, token in sorted(slow, key=itemgetter(0)))

    def _end(self, one: Connection, now: float) -> bool:
        """Close an idle connection, unless its client is reading an answer or sending a request."""
        if one.stage() is not None:
            self.idle[one] = now
            return False
        one.end_idle()
        return True

    def _log(self, reason: Reason, logged: _Logged, now: float) -> None:
        if logged.count and now - logged.at >= INTERVAL_SECONDS:
            hint = HINTS.get(reason)
            structlog.get_logger().warning(
                "connections_refused",
                reason=reason,
                count=logged.count,
                open=len(self._open),
                **({"hint": hint} if hint else {}),
            )
            logged.at, logged.count = now, 0
