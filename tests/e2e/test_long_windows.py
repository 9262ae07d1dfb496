"""Time windows of weeks on a real server that is killed and started again between the days."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest

from tests.e2e.processes import answers, free_port, running, status_after, until
from tests.examples import Example

pytestmark = [pytest.mark.e2e, pytest.mark.long]

ENV = {
    "DRIFTGAUGE_TIME_WINDOWS": "1h,7d,30d",
    "DRIFTGAUGE_CLOCK": "event",
    "DRIFTGAUGE_EVALUATION_REST_FACTOR": "0",
}
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 24
ROWS = 60
"""Rows a day, an equal time apart."""


def body(example: Example, day: int) -> dict[str, Any]:
    """Return the rows of a day, of which the first column with fractions is moved."""
    rows = [example.rows()[number % len(example.held_out)] for number in range(day * ROWS, (day + 1) * ROWS)]
    moved = moved_column(example)
    rows = [{**row, moved: 1_000.0} for row in rows]
    at = [BEGIN + timedelta(days=day, minutes=24 * minute) for minute in range(ROWS)]
    return {"instances": rows, "timestamps": [own.isoformat() for own in at]}


def moved_column(example: Example) -> str:
    return next(name for name, value in example.rows(1)[0].items() if isinstance(value, float))


@contextmanager
def served(example: Example, state: Path, log: Path) -> Iterator[tuple[Popen[bytes], str]]:
    port = free_port()
    arguments = ("--bundle", str(example.folder), "--port", str(port), "--state-dir", str(state))
    with running("serve", *arguments, log=log, env=ENV) as process:
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(address), process, log, 180.0)
        yield process, address


def test_a_server_that_is_killed_knows_the_days_before(binary: Example, tmp_path: Path) -> None:
    log = tmp_path / "log"
    found: list[dict[str, Any]] = []
    for first, last in ((0, 10), (10, 17), (17, DAYS)):
        with served(binary, tmp_path / "state", log) as (process, address):
            if found:
                again = status_after(first * ROWS, address, process, log)
                assert again["gradual_drift"] == found[-1]
            for day in range(first, last):
                httpx.post(f"{address}/predict", json=body(binary, day), timeout=60.0).raise_for_status()
            found.append(status_after(last * ROWS, address, process, log)["gradual_drift"])
            month, week = found[-1]["windows"]["30d"], found[-1]["windows"]["7d"]
            assert month["rows"] == last * ROWS
            # The newest row is 24 minutes before midnight, so the oldest day of the week has all of its hours.
            assert week["rows"] == 7 * ROWS
            assert moved_column(binary) in found[-1]["changed"]
            assert found[-1]["severity"] == "warning"
            text = httpx.get(f"{address}/metrics", timeout=60.0).text
            process.kill()
    (rows,) = [line for line in text.splitlines() if line.startswith("model_long_window_rows{") and "30d" in line]
    assert float(rows.rpartition(" ")[2]) == DAYS * ROWS
