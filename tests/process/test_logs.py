from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from driftgauge.common.log_throttle import INTERVAL_SECONDS
from driftgauge.process.logs import Form, Level, configure_logs, is_console

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Give structlog and the root logger back as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    known = structlog.get_config() if structlog.is_configured() else None
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()
    if known is not None:
        structlog.configure(**known)


def _lines(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = captured.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_our_lines_are_json_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    before = datetime.now(UTC)
    structlog.get_logger().info("started", model="churn", rows=3)
    (line,) = _lines(capsys)
    assert before <= datetime.fromisoformat(line.pop("timestamp")) <= datetime.now(UTC)
    assert line == {"event": "started", "level": "info", "model": "churn", "rows": 3}


def test_lines_that_cannot_be_written_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full, open(os.devnull, "w") as closed:
        closed.close()
        for stream in (full, closed, None):
            monkeypatch.setattr(sys, "stderr", stream)
            configure_logs("info", "auto")
            structlog.get_logger().info("started", detail="x" * 10_000)
            logging.getLogger("uvicorn.error").info("x" * 10_000)
            assert not is_console("auto")
        with contextlib.suppress(OSError):
            full.close()


def test_a_file_gets_the_same_lines_as_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "server.log"
    configure_logs("info", "json", file=file)
    structlog.get_logger().info("started", model="churn")
    logging.getLogger("uvicorn.error").warning("listening")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", "listening"]
    assert lines == _lines(capsys)


def test_a_file_that_cannot_be_opened_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json", file=tmp_path / "missing" / "server.log")
    structlog.get_logger().info("started")
    warning, started = _lines(capsys)
    assert warning["event"] == "log_file_unusable"
    assert "server.log: No such file or directory; give a file in a folder" in warning["detail"]
    assert started["event"] == "started"


@pytest.mark.parametrize(
    ("form", "terminal", "console"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("json", True, False),
        ("console", False, True),
    ],
)
def test_lines_are_for_people_on_a_terminal_or_if_the_setting_says_so(
    form: Form, terminal: bool, console: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    configure_logs("info", form)
    structlog.get_logger().info("started", rows=3)
    assert is_console(form) is console
    assert capsys.readouterr().err.startswith("{") is not console


def test_lines_of_libraries_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    logging.getLogger("uvicorn.error").warning("listening on %s", "127.0.0.1")
    (line,) = _lines(capsys)
    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo is not None
    assert line == {"event": "listening on 127.0.0.1", "level": "warning"}


def test_of_several_processes_each_line_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json", pid=True)
    structlog.get_logger().info("started")
    logging.getLogger("uvicorn.error").info("listening")
    assert [line["pid"] for line in _lines(capsys)] == [os.getpid()] * 2


def test_warnings_of_libraries_are_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logs("info", "json")
        warnings.warn("overflow encountered", RuntimeWarning, stacklevel=1)
        logging.captureWarnings(False)
    (line,) = _lines(capsys)
    assert line["level"] == "warning"
    assert "RuntimeWarning: overflow encountered" in line["event"]


def test_a_warning_is_written_once_of_each_place_whatever_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logs("info", "json")
        for row in range(50):
            warnings.warn(f"row {row} has unknown categories", UserWarning, stacklevel=1)
        warnings.warn("row 7 has unknown categories", UserWarning, stacklevel=1)
        warnings.warn("overflow encountered", RuntimeWarning, stacklevel=1)
        logging.captureWarnings(False)
    said = [re.sub(r".*:[0-9]+: ", "", line["event"].splitlines()[0]) for line in _lines(capsys)]
    assert said == [
        "UserWarning: row 0 has unknown categories",
        "UserWarning: row 7 has unknown categories",
        "RuntimeWarning: overflow encountered",
    ]


def test_lines_about_single_requests_are_written_once_a_minute_with_a_count(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr("driftgauge.process.logs.time.monotonic", lambda: now[0])
    configure_logs("info", "json")
    log = logging.getLogger("uvicorn.error")
    for _ in range(100):
        log.warning("Invalid HTTP request received.")
        log.warning("Unsupported upgrade request.")
        log.info("Shutting down")
    now[0] += INTERVAL_SECONDS
    log.warning("Invalid HTTP request received.")
    log.error("Child process [%s]: it died", 7)
    log.error("Child process [%s]: it died", 8)
    events = [line["event"] for line in _lines(capsys)]
    assert events.count("Shutting down") == 100
    assert [event for event in events if event != "Shutting down"] == [
        "Invalid HTTP request received.",
        "Unsupported upgrade request.",
        "Invalid HTTP request received. (and 99 more since the last line like this)",
        "Child process [7]: it died",
        "Child process [8]: it died",
    ]


def test_a_line_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    structlog.get_logger().error("odd\nevent", name='"\u2028\x1b[31m', value=object())
    (line,) = _lines(capsys)
    assert (line["event"], line["name"]) == ("odd\nevent", '"\u2028\x1b[31m')


def _raised() -> ValueError:
    try:
        raise ValueError("no such bin")
    except ValueError as error:
        return error


def test_errors_come_with_their_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    error = _raised()
    structlog.get_logger().error("observation_failed", exc_info=error)
    logging.getLogger("library").error("failed", exc_info=error)
    for line in _lines(capsys):
        assert line["exception"].startswith("Traceback")
        assert line["exception"].endswith("ValueError: no such bin")
        assert "exc_info" not in line


@pytest.mark.parametrize("level", LEVELS)
def test_lines_below_the_level_are_left_out(level: Level, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(level, "json")
    for name in LEVELS:
        getattr(structlog.get_logger(), name)(f"our {name}")
        getattr(logging.getLogger("library"), name)(f"their {name}")
    written = [line["event"] for line in _lines(capsys)]
    wanted = LEVELS[LEVELS.index(level) :]
    assert written == [f"{whose} {name}" for name in wanted for whose in ("our", "their")]


def test_lines_for_a_person_are_text_without_colours_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("info", "console")
    structlog.get_logger().info("started", model="churn")
    logging.getLogger("library").error("failed")
    out, err = capsys.readouterr()
    assert out == ""
    ours, theirs = err.splitlines()
    assert "started" in ours
    assert "model=churn" in ours
    assert "failed" in theirs
    assert "\x1b" not in err


def test_configuring_again_does_not_write_lines_twice(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        configure_logs("info", "json")
    structlog.get_logger().info("ours")
    logging.getLogger("library").info("theirs")
    assert [line["event"] for line in _lines(capsys)] == ["ours", "theirs"]
