from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.failed_alone import FEW
from tests.pages import ROOT

ONCE = """
from pathlib import Path

def test_fails_once():
    seen = Path("seen").exists()
    Path("seen").touch()
    assert seen

def test_passes():
    Path("passed").open("a").write("x")
"""


def runs(folder: Path, tests: str) -> tuple[int, int, str]:
    """Return the exit codes of a run and of the run after it, and what the second printed."""
    (folder / "test_own.py").write_text(tests)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q"]
    first = subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False)
    again = [sys.executable, "-m", "tests.failed_alone", "-q"]
    second = subprocess.run(again, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return first.returncode, second.returncode, second.stdout


def test_a_test_that_passes_alone_passes_and_is_named(tmp_path: Path) -> None:
    first, second, printed = runs(tmp_path, ONCE)
    assert (first, second) == (1, 0)
    assert "Failed beside others, and run again alone:\ntest_own.py::test_fails_once\n" in printed
    assert "1 passed" in printed
    assert (tmp_path / "passed").read_text() == "x"


def test_a_test_that_fails_alone_fails_the_run(tmp_path: Path) -> None:
    first, second, printed = runs(tmp_path, "".join(f"def test_{i}(): assert {i} < 0\n" for i in range(FEW)))
    assert (first, second) == (1, 1)
    assert f"{FEW} failed" in printed


def test_many_failures_are_not_run_again(tmp_path: Path) -> None:
    first, second, printed = runs(tmp_path, "".join(f"def test_{i}(): assert {i} < 0\n" for i in range(FEW + 1)))
    assert (first, second) == (1, 1)
    assert printed == f"{FEW + 1} tests failed: they are not run again\n"


def test_tests_that_could_not_be_collected_fail_again(tmp_path: Path) -> None:
    _, second, _ = runs(tmp_path, "import no_such_module\n")
    assert second == 2
