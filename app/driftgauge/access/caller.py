"""Callers of the server, and the scopes that say what each of them may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """What a token allows; a scope includes no other."""

    PREDICT = "predict"
    """Send rows to the model."""
    INGEST = "ingest"
    """Send rows that another server has predicted."""
    LABELS = "labels"
    """Send ground truth."""
    READ = "read"
    """Read verdicts, metrics, pages and the description of the model."""
    ADMIN = "admin"
    """Load model versions and roll them back."""
    ACTIONS = "actions"
    """Ask for the actions that a verdict leads to."""
    TIMESTAMPS = "timestamps"
    """Send the time of an event with a row, which decides the window that the row is in."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: the name of a token, and its scopes."""

    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Return whether the caller has a scope."""
        return scope in self.scopes


ANYONE: Final = Caller("", frozenset(Scope))
"""The caller of every request to a server without tokens."""
NOBODY: Final = Caller("", frozenset())
"""The caller of a request without a token, to a server with tokens."""
