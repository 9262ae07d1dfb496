"""Failpoints: named steps of a writer at which a test may kill it."""

from collections.abc import Callable
from typing import Final

Failpoint = Callable[[str], None]

FAILPOINTS: Final = (
    *("append.written", "append.committed", "counters.copied", "counters.checked", "counters.published"),
    *("catch_up.binned", "checkpoint.page", "checkpoint.copied", "checkpoint.checked", "checkpoint.published"),
    *("fold.committed", "fold.deleted"),
    *("history.changed", "history.copied", "history.checked", "history.published"),
    *("history.written", "history.recorded"),
)


def no_failpoint(point: str) -> None:
    """Pass a failpoint."""
