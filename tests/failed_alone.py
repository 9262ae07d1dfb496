"""Run the tests that failed in the last run again, one at a time, if they are few."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

FEW: Final = 10
"""More failures than this have a reason other than a busy machine."""
LAST_FAILED: Final = Path(".pytest_cache/v/cache/lastfailed")


def failed(cache: Path) -> list[str]:
    """Return the tests that failed in the last run, as pytest's cache names them."""
    return sorted(json.loads(cache.read_text())) if cache.exists() else []


def run_again(tests: Sequence[str], arguments: Sequence[str]) -> int:
    """Run these tests in one process; return pytest's exit code, or 1 without a run if they are none or many."""
    if not 0 < len(tests) <= FEW:
        sys.stdout.write(f"{len(tests)} tests failed: they are not run again\n")
        return 1
    sys.stdout.write("\n".join(["Failed beside others, and run again alone:", *tests, ""]))
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", "--last-failed", "--last-failed-no-failures=none", *arguments]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(run_again(failed(LAST_FAILED), sys.argv[1:]))
