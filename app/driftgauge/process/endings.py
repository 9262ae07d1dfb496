"""How a process ends: exit codes with a meaning, and words for each ending."""

from __future__ import annotations

import signal
from typing import Final

STARTUP_FAILURE: Final = 3
"""Exit code of a worker, and of the service, whose application fails while it starts; it is uvicorn's."""
OUTDATED: Final = 4
"""Exit code of a worker whose bundle or settings changed since the fork server read them."""
UNKNOWN_EXIT: Final = 255
"""Stands for the exit code of a worker whose fork server ended before it."""


def describe_exit(exit_code: int | None) -> str:
    """Return how a process ended: by its exit code, or by the name of a signal."""
    if exit_code is None or exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"
