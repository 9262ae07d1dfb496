"""How a command is measured: its time, its memory with that of its children, and its failures."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.tables_run import Cost, measured

HELD = 200 * 2**20


def of(program: str, folder: Path, **options: Any) -> Cost:
    """Measure a program in Python."""
    return measured([sys.executable, "-c", program], folder / "log", env=os.environ, **options)


def test_memory_and_time_of_a_child_count(tmp_path: Path) -> None:
    child = f"import time; kept = bytes(range(256)) * {HELD // 256}; time.sleep(0.5)"
    found = of(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])", tmp_path)

    assert found.status == 0
    assert found.peak_mib > HELD / 2**20
    assert found.wall_seconds >= 0.5
    assert found.cpu_seconds > 0.0


def test_a_failure_has_its_last_lines(tmp_path: Path) -> None:
    found = of("import sys; print('why'); sys.exit(3)", tmp_path)

    assert found.status == 3
    assert found.said == "why"
    assert of("import sys; sys.exit(1)", tmp_path, accepted=(0, 1)).status == 0


def test_a_process_that_asks_for_too_much_fails(tmp_path: Path) -> None:
    found = of(f"kept = bytearray({4 * HELD})", tmp_path, limit_gib=0.5)

    assert found.status == 1
    assert "MemoryError" in found.said


def test_a_process_whose_time_is_over_is_ended(tmp_path: Path) -> None:
    found = of("import time; time.sleep(600)", tmp_path, seconds=0.3)

    assert found.status < 0
