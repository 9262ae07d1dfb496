"""Keeps a process from forking in the middle of something that a child would inherit half done."""

from __future__ import annotations

import threading
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
        self._inside = 0
        self._is_closed = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Keep forks waiting meanwhile; wait itself while one is under way."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_closed)
            self._inside += 1
        changed = self._changed
        try:
            yield
        finally:
            with changed:
                if self._changed is changed:  # otherwise this is a child, forked meanwhile
                    self._inside -= 1
                    changed.notify_all()

    def before_fork(self) -> None:
        """Let no thread in, and wait until all have left, for some seconds at most."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: self._inside == 0, FORK_SECONDS)

    def after_fork_in_parent(self) -> None:
        """Let threads in again."""
        with self._changed:
            self._is_closed = False
            self._changed.notify_all()

    def after_fork_in_child(self) -> None:
        """Begin as a process that has one thread."""
        self._renew()
