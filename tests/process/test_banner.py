from __future__ import annotations

from typing import Any

import pytest
from driftgauge.process.banner import address_of, announce
from structlog.testing import capture_logs

from tests.examples import quiet

BANNER = """
Driftgauge serves at http://127.0.0.1:8000 (Ctrl-C stops it)
  page     http://127.0.0.1:8000/
  ready    http://127.0.0.1:8000/health/ready
  docs     http://127.0.0.1:8000/docs
  drift    http://127.0.0.1:8000/drift/status
  metrics  http://127.0.0.1:8000/metrics

"""


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("example.com", "http://example.com:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104
        ("::", "http://[::1]:80"),
        ("fe80::1", "http://[fe80::1]:80"),
    ],
)
def test_an_address_can_be_opened(host: str, address: str) -> None:
    assert address_of(host, 80) == address


@pytest.mark.parametrize(("level", "shown"), [("debug", BANNER), ("info", BANNER), ("warning", ""), ("error", "")])
def test_for_people_the_addresses_are_lines(level: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    with capture_logs() as lines:
        announce(quiet(log_format="console", log_level=level), 8000)
    assert (lines, tuple(capsys.readouterr())) == ([], ("", shown))


@pytest.mark.parametrize("form", ["json", "auto"])  # the standard error of a test is no terminal
def test_elsewhere_they_are_one_log_line(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with capture_logs() as lines:
        announce(quiet(log_format=form), 8000)
    assert capsys.readouterr().err == ""
    assert lines == [
        {
            "event": "ready",
            "log_level": "info",
            "address": "http://127.0.0.1:8000",
            "page": "http://127.0.0.1:8000/",
            "ready": "http://127.0.0.1:8000/health/ready",
            "docs": "http://127.0.0.1:8000/docs",
            "drift": "http://127.0.0.1:8000/drift/status",
            "metrics": "http://127.0.0.1:8000/metrics",
        }
    ]
