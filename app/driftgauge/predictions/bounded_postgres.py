"""Connections to PostgreSQL that end when the server does not answer, such as one whose machine has stopped."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Final, TypeVar

import psycopg

CONNECT_SECONDS: Final = 5
"""Longest wait for a connection."""
ANSWER_SECONDS: Final = 30.0
"""Longest wait for the answer to a statement."""
LOOK_SECONDS: Final = 0.5
"""Time between two looks at the deadline."""
Answer = TypeVar("Answer")


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is closed when a statement takes too long; PostgreSQL's own timeouts need a running server."""

    def wait(self, gen: Generator[Any, Any, Answer], *_: Any, **__: Any) -> Answer:
        """Wait for an answer; OperationalError after ANSWER_SECONDS."""
        try:
            return super().wait(_until(gen, time.monotonic() + ANSWER_SECONDS), LOOK_SECONDS)
        except _TooLateError as error:
            self.close()
            raise psycopg.OperationalError(f"the server did not answer within {ANSWER_SECONDS:g} s") from error


class _TooLateError(Exception):
    """The deadline has passed."""


def _until(gen: Generator[Any, Any, Answer], deadline: float) -> Generator[Any, Any, Answer]:
    """Pass on what a connection waits for; nothing is ready at a look, and after the deadline that is an error."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                raise _TooLateError
            wanted = gen.send(ready)
    except StopIteration as end:
        answer: Answer = end.value
        return answer
