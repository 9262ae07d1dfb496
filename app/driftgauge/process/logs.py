"""Log lines: JSON for machines, or text for people."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import structlog

from driftgauge.common.log_throttle import MOST_KINDS, LogThrottle
from driftgauge.process.log_file import LogFile

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
Level = Literal["debug", "info", "warning", "error"]
Form = Literal["auto", "json", "console"]


_ORIGIN: Final = re.compile(r".*?:[0-9]+: \w+")
"""Matches file, line and category of a formatted warning."""


class _RepeatedWarnings(logging.Filter):
    """Drops repeated warnings of libraries: a model may issue the same one with every prediction."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is written."""
        if record.name != "py.warnings":
            return True
        text = record.getMessage()
        origin = found[0] if (found := _ORIGIN.match(text)) else text
        if origin in self._seen or len(self._seen) >= MOST_KINDS:
            return False
        self._seen.add(origin)
        return True


class _RequestLines(logging.Filter):
    """Throttles uvicorn's lines about single requests to one a minute, with the number it dropped."""

    def __init__(self) -> None:
        super().__init__()
        self._throttle = LogThrottle(time.monotonic)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is written."""
        if record.name != "uvicorn.error" or record.levelno < logging.WARNING or record.args:
            return True
        failed = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        suppressed = self._throttle.passes(f"{record.msg}{failed}")
        if suppressed:
            record.msg = f"{str(record.msg).rstrip()} (and {suppressed} more since the last line like this)"
        return suppressed is not None


def _add_pid(logger: object, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {**line, "pid": os.getpid()}


class LogStream:
    """Standard error for log lines, and a file if there is one: a line that cannot be written is dropped.

    A server must not end because its disk is full, or because the process that reads its log has ended.
    """

    def __init__(self, stream: TextIO | None, file: LogFile | None = None) -> None:
        self._stream: Final = stream
        self._file: Final = file

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        if self._file:
            self._file.write(text)
        if self._stream:
            with suppress(OSError, ValueError):  # a closed stream is a ValueError
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what was written, or drop it."""
        if self._stream:
            with suppress(OSError, ValueError):
                self._stream.flush()

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:
            return False


def log_stream(file: LogFile | None = None) -> LogStream:
    """Return the stream of log lines; Python has no standard error if the caller closed it."""
    return LogStream(sys.stderr, file)


def is_console(form: Form) -> bool:
    """Return whether log lines are for people: `auto` means on a terminal."""
    return form == "console" or (form == "auto" and log_stream().isatty())


def configure_logs(level: Level, form: Form, *, pid: bool = False, file: Path | None = None) -> None:
    """Send all log lines to standard error, and to a file, in one format; `pid` adds the process id.

    Each warning of a library is written once, each line about single requests once a minute. A file that cannot be
    opened is a warning: the lines are on standard error too.
    """
    opened, problem = _opened(file)
    stream: Any = log_stream(opened)  # structlog and logging call nothing else of a file
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,  # the trace of a request, where requests are traced
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([_add_pid] if pid else []),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if not is_console(form)
        else [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    handler.addFilter(_RepeatedWarnings())
    handler.addFilter(_RequestLines())
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_LEVELS[level])
    if problem:
        structlog.get_logger().warning("log_file_unusable", detail=problem)


def _opened(path: Path | None) -> tuple[LogFile | None, str]:
    """Return the file of log lines, or why there is none."""
    try:
        return (LogFile(path) if path else None), ""
    except OSError as error:
        return None, f"log_file {path}: {error.strerror}; give a file in a folder that the server may write to"
