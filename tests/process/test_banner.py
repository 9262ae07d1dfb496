from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driftgauge.process.banner import address_of, announce, prediction_log
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


def test_a_server_with_a_prediction_log_says_where_and_how_much(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = quiet(log_format="console", state_dir=tmp_path)
    kept = f"predictions of 7 d, at most 2 GiB, in {tmp_path / 'predictions'}"
    assert prediction_log(settings) == kept
    announce(settings, 8000)
    assert f"  log      {kept}\n" in capsys.readouterr().err
    with capture_logs() as lines:
        announce(quiet(log_format="json", state_dir=tmp_path), 8000)
    assert lines[0]["prediction_log"] == kept


def test_a_database_elsewhere_is_named_without_its_password() -> None:
    settings = quiet(prediction_log_url="postgresql://me:secret@host/log", prediction_log_max_bytes=1 << 29)
    assert prediction_log(settings) == "predictions of 7 d, at most 0.5 GiB, in PostgreSQL"


def test_a_server_without_a_prediction_log_says_nothing_of_it(tmp_path: Path) -> None:
    assert prediction_log(quiet()) is None
    assert prediction_log(quiet(state_dir=tmp_path, prediction_log=False)) is None
