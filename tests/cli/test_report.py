"""`driftgauge report` where Evidently is not installed; `test_report_evidently.py` runs where it is."""

from __future__ import annotations

import pytest

from tests.cli.runs import runs


def test_without_evidently_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, errors = runs(monkeypatch, capfd, "report", "evidently")("--reference", "reference.parquet")
    assert (code, out) == (2, "")
    assert errors == (
        "driftgauge: Evidently is not installed: pip install 'driftgauge[evidently]', in an environment of its own, "
        "because it needs pandas 2\n"
    )


def test_the_command_is_in_the_help(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = runs(monkeypatch, capfd, "report")("--help")
    assert (code, "evidently" in out) == (0, True)
