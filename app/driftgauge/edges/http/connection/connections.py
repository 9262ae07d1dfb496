"""The connections of one process: how many there may be, how long each may stall, and what is said of those refused."""

from __future__ import annotations

import asyncio
import resource
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from operator import itemgetter
from typing import Final, Protocol

import structlog

from driftgauge.common.log_throttle import INTERVAL_SECONDS
from driftgauge.errors import Reason

STATE_KEY: Final = "connections"
"""Under which the application's lifespan hands `Connections` to the protocol of each connection."""
REFUSED_KEY: Final = "refused"
"""Under which the state of a request has the status that it was refused with while its body came."""
DEFAULT_CONNECTIONS: Final = 10_000
"""The most that a process keeps unless it is told otherwise, however many files it may open."""
RESERVED_FILES: Final = 64
"""Files that a process needs beside its connections: the state, the log, libraries that are loaded late."""
LEAST_CONNECTIONS: Final = 8
LINGER_SECONDS: Final = 2.0
"""How long what a refused client still sends is read, so that it gets to see its answer (RFC 9112, 9.6)."""
EVICTION_TRIES: Final = 8
"""Idle connections that are looked at to find one that can be closed for a new one."""
SLOW_SECONDS: Final = 3.0
"""A request that takes longer to arrive gives its place to a new connection where there are too many."""
CROWDED: Final = 0.9
"""Share of the connections that there may be from which on the slow ones are looked for."""
SWEEP_SECONDS: Final = 1.0


_MORE: Final = "see max_connections, and the limit of open files (ulimit -n)"
HINTS: Final = {
    Reason.TOO_MANY_CONNECTIONS: f"all connections are in use: {_MORE}",
    Reason.IDLE_EVICTED: f"idle connections were closed for new ones: {_MORE}",
    Reason.SLOW_EVICTED: f"clients that send slowly were cut off for new ones: {_MORE}",
}
"""What can be done about it."""


class Stage(Enum):
    """What a connection waits for from its client."""

    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    """The client does not read what was written."""
    LINGER = "linger"
    """Everything was said, the client still has to close."""


@dataclass(frozen=True)
class ConnectionLimits:
    """What one connection may take, and how many there may be."""

    max_connections: int = DEFAULT_CONNECTIONS
    max_header_bytes: int = 65_536
    max_header_count: int = 100
    max_url_bytes: int = 8_192
    max_body_bytes: int = 8_388_608
    head_timeout_seconds: float = 10.0
    body_timeout_seconds: float = 30.0
    answer_timeout_seconds: float = 60.0
    idle_timeout_seconds: float = 75.0
    stop_timeout_seconds: float = 12.0
    """How long after the server was told to stop a connection may stall."""

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
        """Time between two looks at all connections: short beside the shortest timeout."""
        timeouts = [*map(self.seconds, Stage), self.idle_timeout_seconds, self.stop_timeout_seconds]
        return min(SWEEP_SECONDS, min(timeouts) / 4)


def most_connections(asked: int | None, files: int) -> int:
    """Return how many connections a process may keep that may open so many files; as many as asked for, if it can."""
    possible = max(LEAST_CONNECTIONS, files - RESERVED_FILES)
    return min(possible, DEFAULT_CONNECTIONS if asked is None else asked)


def file_limit() -> int:
    """Return how many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DEFAULT_CONNECTIONS + RESERVED_FILES if soft == resource.RLIM_INFINITY else soft


class Connection(Protocol):
    """One connection, as far as it is watched."""

    def stage(self) -> tuple[Stage, object] | None:
        """Return what it waits for, and an object that is another once it has made progress; None if for nothing."""

    def give_up(self, stage: Stage) -> None:
        """End it, for it has stayed at a stage for too long."""

    def end_idle(self) -> None:
        """End it between two requests."""

    def cut_off(self) -> None:
        """End it at once, whatever is under way."""


@dataclass
class _Said:
    """What the log has said of a reason, and how often it happened since."""

    at: float
    since: int = 0


@dataclass
class Connections:
    """All connections of a process; one timer looks at them, so that a request pays nothing for its deadlines.

    `count` is told of each connection or request that is refused, with the status of its answer if it got one.
    """

    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    count: Callable[[Reason, int | None], None] = lambda reason, status: None
    stopping: bool = False
    _open: set[Connection] = field(default_factory=set)
    idle: OrderedDict[Connection, float] = field(default_factory=OrderedDict)
    """Those between two requests, and since when; each adds itself, and takes itself out once a head has come."""
    _seen: dict[Connection, tuple[Stage, object, float]] = field(default_factory=dict)
    """What those that stall waited for at the last look, and since when."""
    _slow: deque[tuple[Connection, Stage, object]] = field(default_factory=deque)
    """Those whose request does not come to its end, the slowest first, where a new one may need the place."""
    _said: dict[Reason, _Said] = field(default_factory=dict)
    _stop_at: float = float("inf")
    _timer: asyncio.TimerHandle | None = None

    def all(self) -> frozenset[Connection]:
        """Return those that are open."""
        return frozenset(self._open)

    def __len__(self) -> int:
        return len(self._open)

    # ------------------------------------------------------------ what a connection tells

    def admit(self, one: Connection, loop: asyncio.AbstractEventLoop) -> bool:
        """Add a new connection, in place of an idle or slow one if there are too many; says whether it may stay."""
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
        """Forget a connection that is lost."""
        self._open.discard(one)
        self.idle.pop(one, None)

    def refused(self, reason: Reason, status: int | None, now: float) -> None:
        """Count what was refused or cut off, and log it at most once a minute for each reason."""
        self.count(reason, status)
        said = self._said.setdefault(reason, _Said(-INTERVAL_SECONDS + now))
        said.since += 1
        self._say(reason, said, now)

    def stop(self, now: float) -> None:
        """Give all that stall a last deadline, for the server was told to stop."""
        if not self.stopping:
            self.stopping = True
            self._stop_at = now + self.limits.stop_timeout_seconds

    # ------------------------------------------------------------ the watch

    def sweep(self, now: float) -> None:
        """End what has been idle or has stalled for too long."""
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
        for reason, said in self._said.items():
            self._say(reason, said, now)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        try:
            self.sweep(loop.time())
        finally:
            if self._open or any(said.since for said in self._said.values()):
                self._timer = loop.call_later(self.limits.sweep_seconds, self._tick, loop)

    def _evict(self, now: float) -> bool:
        """End the connection that has been idle for longest, or else the slowest, for a new one; says whether any."""
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
        self._open.discard(one)  # its file is closed when the event loop comes round
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
        """End an idle connection, unless its client still reads the last answer, or sends the head of a request."""
        if one.stage() is not None:
            self.idle[one] = now
            return False
        one.end_idle()
        return True

    def _say(self, reason: Reason, said: _Said, now: float) -> None:
        if said.since and now - said.at >= INTERVAL_SECONDS:
            hint = HINTS.get(reason)
            structlog.get_logger().warning(
                "connections_refused",
                reason=reason,
                count=said.since,
                open=len(self._open),
                **({"hint": hint} if hint else {}),
            )
            said.at, said.since = now, 0
