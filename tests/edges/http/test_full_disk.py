"""A real disk that fills up under a server: logging stops before it is full, predictions go on, and logging resumes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from driftgauge.errors import Reason
from driftgauge.predictions import upkeep

from tests.e2e.programs import require
from tests.edges.http.test_postgres_away import ask, until_written
from tests.edges.http.test_prediction_log import DROPPED, WRITTEN, logged
from tests.examples import Example
from tests.served import Served, served

MIB = 1 << 20
DISK_BYTES = 96 * MIB
LEAST_BYTES = 8 * MIB
AS_ROOT: Sequence[str] = () if os.geteuid() == 0 else ("sudo", "-n")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own; where none can be mounted the test is skipped, or fails in CI."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = f"size={DISK_BYTES},mode=700,uid={os.geteuid()}"
    command = [*AS_ROOT, "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        missing = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr.strip()
    except FileNotFoundError as error:
        missing = str(error)
    require(missing or None, in_ci=os.environ.get("CI", "").lower() in {"true", "1"})
    yield folder
    lazily = "--lazy"  # files that are still mapped keep the disk until this process ends
    subprocess.run([*AS_ROOT, "umount", lazily, str(folder)], check=True, timeout=60)


def leave(disk: Path, free: int) -> None:
    """Fill a disk until so many bytes are free."""
    (disk / "ballast").unlink(missing_ok=True)
    with (disk / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - free)


def free_and_threshold(running: Served) -> tuple[float, float]:
    """Return what the alert DriftgaugeDiskNearlyFull compares, after a new look."""
    log = running.context.monitoring.predictions
    assert log is not None
    log.upkeep.once()
    found = [running.metric(f"prediction_log_disk_free_{what}") for what in ("bytes", "threshold_bytes")]
    return found[0], found[1]


def test_logging_stops_before_the_disk_is_full_and_begins_again(
    binary: Example, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "LOOK_SECONDS", 0.0)
    with served(binary, state_dir=disk / "state", prediction_log_min_free_bytes=LEAST_BYTES) as running:
        kept = ask(running, binary, "empty", 3)
        until_written(running)
        free, threshold = free_and_threshold(running)
        assert free > threshold

        leave(disk, LEAST_BYTES + 4 * MIB)  # the alert comes first, and predictions are still logged
        kept += ask(running, binary, "nearly full", 3)
        until_written(running)
        free, threshold = free_and_threshold(running)
        assert LEAST_BYTES < free < threshold
        assert running.metric(WRITTEN) == len(kept)

        leave(disk, LEAST_BYTES - MIB)
        lost = ask(running, binary, "full", 5)
        until_written(running)
        assert running.metric(DROPPED, reason=Reason.PREDICTION_LOG_DISK_FULL) == len(lost)
        assert shutil.disk_usage(disk).free > 0

        (disk / "ballast").unlink()
        kept += ask(running, binary, "room again", 3)
        until_written(running)
        assert running.metric(WRITTEN) == len(kept)
    assert sorted(logged(disk / "state", "binary").ids) == sorted(kept)


@pytest.mark.long
def test_a_disk_that_is_full_all_the_same_keeps_rows_in_the_queue(
    binary: Example, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "LOOK_SECONDS", 0.0)
    with served(binary, state_dir=disk / "state", prediction_log_min_free_bytes=0) as running:
        ids = ask(running, binary, "empty", 1)
        until_written(running)
        leave(disk, 0)
        for number in range(40):  # pages that SQLite has may take some of them
            ids += ask(running, binary, f"full {number}", 1, rows=100)
        log = running.context.monitoring.predictions
        assert log is not None
        assert log.writer.queued_rows > 0
        (disk / "ballast").unlink()
        until_written(running)
        assert running.metric(DROPPED, reason=Reason.PREDICTION_LOG_FAILED) == 0
    assert sorted(logged(disk / "state", "binary").ids) == sorted(ids)
