"""Options of `driftgauge replicas`; what it says of real servers is in tests/e2e."""

from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.cli.main import app
from driftgauge.cli.replicas import PrometheusAccess
from driftgauge.errors import PrometheusError
from typer.testing import CliRunner


def test_headers_come_from_options_and_files(tmp_path: Path) -> None:
    token, more = tmp_path / "token", tmp_path / "headers"
    token.write_text("secret\n")
    more.write_text("X-Key: a:b\n")
    assert PrometheusAccess(token, ("X-Scope-OrgID: team",), more).headers == {
        "Authorization": "Bearer secret",
        "X-Scope-OrgID": "team",
        "X-Key": "a:b",
    }


@pytest.mark.parametrize("line", ["no colon", "X-Key:", ": value", "X Key: a", "X-Key: a\x00"])
def test_a_header_that_cannot_be_sent_is_named_and_one_of_a_file_is_not_printed(line: str, tmp_path: Path) -> None:
    more = tmp_path / "headers"
    more.write_text(line)
    with pytest.raises(PrometheusError, match=r"--header .*: give NAME: VALUE"):
        _ = PrometheusAccess(header=(line,)).headers
    with pytest.raises(PrometheusError, match=f"--header-file {more}: give NAME: VALUE"):
        _ = PrometheusAccess(header_file=more).headers


def test_files_that_cannot_be_read_and_unknown_findings_are_named(tmp_path: Path) -> None:
    with pytest.raises(PrometheusError, match=r"--token-file: cannot read .*: No such file or directory$"):
        _ = PrometheusAccess(tmp_path / "none").headers
    with pytest.raises(PrometheusError, match="--ignore rain: choose from no_samples, "):
        CliRunner().invoke(app, ["replicas", "--ignore", "rain,drift"], catch_exceptions=False)


@pytest.mark.parametrize("minutes", ["0", "0.09", "-1", "nan", "soon"])
def test_a_time_that_no_sample_can_keep_is_refused(minutes: str) -> None:
    result = CliRunner().invoke(app, ["replicas", "--stale-minutes", minutes])
    assert result.exit_code == 2
    assert "--stale-minutes" in result.output
