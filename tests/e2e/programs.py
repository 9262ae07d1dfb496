"""Prometheus and Alertmanager for tests: what needs them is skipped loudly without them, and fails in CI."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter
from driftgauge.demo.prometheus_stack import SERVERS, TOOLS, Programs, missing, programs, running

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


@dataclass(frozen=True)
class Victoria:
    """Programs of VictoriaMetrics."""

    server: str
    alert: str
    """vmalert, which evaluates rules."""

    @contextlib.contextmanager
    def running(self, folder: Path, port: int) -> Iterator[str]:
        """Run the server with its data in a folder while the block runs; gives its address."""
        address = f"http://127.0.0.1:{port}"
        command = [
            self.server,
            f"-storageDataPath={folder / 'victoria'}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-search.latencyOffset=0s",  # the newest samples count too
            "-memory.allowedBytes=200MB",
        ]
        with running("VictoriaMetrics", command, f"{address}/health", folder / "victoria.log"):
            yield address


@pytest.fixture(scope="session")
def victoria() -> Victoria:
    """Give the programs of VictoriaMetrics; without them the test is skipped, or fails in CI."""
    found = [shutil.which(name) for name in ("victoria-metrics", "vmalert")]
    away = None if all(found) else "VictoriaMetrics is not installed (Debian: apt-get install victoria-metrics)"
    require(away, in_ci=os.environ.get("CI", "").lower() in {"true", "1"})
    return Victoria(*(own or "" for own in found))


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
