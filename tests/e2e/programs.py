"""Prometheus and Alertmanager for tests: what needs them is skipped loudly without them, and fails in CI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter
from driftgauge.demo.prometheus_stack import SERVERS, TOOLS, Programs, missing, programs

NOT_TESTED = "programs missing"
"""How the reason of a skip for missing programs begins."""

NO_HARDWARE = "hardware missing"
"""How the reason of a skip for missing hardware begins; CI, which has none, allows it."""

needs_servers = pytest.mark.usefixtures("servers")
"""Marks a test that starts Prometheus or Alertmanager, or asks promtool or amtool."""


@pytest.fixture(scope="session")
def servers() -> Programs:
    """Give the programs; without them the test is skipped, or fails in CI."""
    require(missing({**SERVERS, **TOOLS}), in_ci=os.environ.get("CI", "").lower() in {"true", "1"})
    return programs()


def require(sentence: str | None, *, in_ci: bool) -> None:
    """Skip the test for this sentence, or fail it in CI; None lets it run."""
    if sentence and in_ci:
        pytest.fail(f"{NOT_TESTED}: {sentence}", pytrace=False)
    if sentence:
        pytest.skip(f"{NOT_TESTED}: {sentence}")


def require_gpu() -> None:
    """Skip the test on a machine without a GPU of NVIDIA, also in CI."""
    if not Path("/proc/driver/nvidia/version").exists():
        pytest.skip(f"{NO_HARDWARE}: no GPU of NVIDIA, so no real one was read")


def say_what_was_skipped(terminalreporter: TerminalReporter) -> None:
    """Name at the end of a run what did not run for missing programs or hardware; for pytest_terminal_summary."""
    for missing_part in (NOT_TESTED, NO_HARDWARE):
        _say_skipped(terminalreporter, missing_part)


def _say_skipped(terminalreporter: TerminalReporter, missing_part: str) -> None:
    skipped = {
        report.nodeid: reason
        for report in terminalreporter.stats.get("skipped", [])
        if missing_part in (reason := str(report.longrepr))
    }
    if not skipped:
        return
    terminalreporter.section(f"NOT TESTED: {missing_part}", sep="!", red=True, bold=True)
    for test in skipped:
        terminalreporter.line(test)
    reason = next(iter(skipped.values()))
    terminalreporter.line(reason[reason.index(missing_part) :].strip("')"), yellow=True)
