"""Commands that run in the process of a test."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from driftgauge.cli import main as cli

Run = Callable[..., tuple[object, str, str]]
"""Takes arguments; returns exit code, output and errors."""


def runs(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *command: str) -> Run:
    """Return what runs `driftgauge COMMAND` with arguments on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["driftgauge", *command, *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return (left.value.code or 0, *capfd.readouterr())

    return run
