"""Log lines of a monitor inside another program: by Python's own logging, as the logger `driftgauge`."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any, Final

from driftgauge.monitor.problems import Log

LOGGER: Final = "driftgauge"


class StandardLog:
    """Writes an event and what belongs to it as one line."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def warning(self, event: str, **context: Any) -> None:
        """Write a warning."""
        self._write(logging.WARNING, event, context)

    def error(self, event: str, **context: Any) -> None:
        """Write an error; `exc_info` is an exception, as logging takes it."""
        self._write(logging.ERROR, event, context)

    def _write(self, level: int, event: str, context: dict[str, Any]) -> None:
        error = context.pop("exc_info", None)
        told = {name: value for name, value in context.items() if value}
        words = [
            event,
            *([f"{type(error).__name__}: {error}"] if error else []),
            *(f"{n}={v}" for n, v in told.items()),
        ]
        with suppress(Exception):  # a filter of the program may be what fails
            # A name may hold half a surrogate pair, which no file takes.
            self._logger.log(level, " ".join(words).encode("utf-8", "backslashreplace").decode())


def standard_log() -> Log:
    """Return the log of the library."""
    return StandardLog(logging.getLogger(LOGGER))
