"""Keeps a process from forking in the middle of something that a child would inherit half done."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

FORK_SECONDS: Final = 2.0
"""Longest wait of a fork; after it the child may find what it inherits locked."""


class ForkGate:
    """Lets threads pass while no fork waits, and a fork once all have left."""

    def __init__(self) -> None:
        """Open the gate."""
        self._renew()

    def _renew(self) -> None:
        self._changed = threading.Condition()
        self._inside: Counter[int] = Counter()
        """How often each thread that is inside has entered; a thread is named by its identifier."""
        self._forks = 0
        """Forks that wait or are under way."""

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Keep forks waiting meanwhile; wait itself while one is under way, unless this thread is inside already."""
        changed, inside, me = self._changed, self._inside, threading.get_ident()
        with changed:
            if not inside[me]:
                changed.wait_for(lambda: self._forks == 0)
            inside[me] += 1
        try:
            yield
        finally:
            if self._changed is changed:  # otherwise this is a child, forked meanwhile
                with changed:
                    inside[me] -= 1
                    if not inside[me]:
                        del inside[me]
                        changed.notify_all()

    def before_fork(self) -> None:
        """Let no thread in, and wait until all others have left, for some seconds at most."""
        me = threading.get_ident()
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: self._inside.keys() <= {me}, FORK_SECONDS)

    def after_fork_in_parent(self) -> None:
        """Let threads in again, unless another fork waits."""
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()

    def after_fork_in_child(self) -> None:
        """Begin as a process that has one thread."""
        self._renew()
