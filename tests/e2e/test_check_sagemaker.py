"""`driftgauge check` on a schedule, as processes: it ends on a signal, and reads and writes object storage."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import orjson
import pytest
from driftgauge.drift.reference.baseline import dumps

from tests.checks.sagemaker.tables import baseline
from tests.cli.test_check_sagemaker import rows
from tests.e2e.processes import run, running, until
from tests.sketches import require_sketches

pytestmark = [pytest.mark.e2e, pytest.mark.long]


@pytest.fixture
def options(tmp_path: Path) -> tuple[str, ...]:
    require_sketches()
    (tmp_path / "baseline.json").write_text(dumps(baseline()))
    return ("--baseline", str(tmp_path / "baseline.json"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_schedule_ends_on_a_signal(tmp_path: Path, options: tuple[str, ...], number: signal.Signals) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    command = ("check", str(tmp_path), *options, "--sagemaker-out", str(out), "--schedule", "daily")
    with running(*command, log=log) as process:
        until(lambda: "the first execution is due" in log.read_text(), process, log, 60.0)
        process.send_signal(number)
        assert process.wait(30.0) == 0
    assert not out.exists()


def test_tables_and_files_are_in_object_storage(tmp_path: Path, options: tuple[str, ...], bucket: Any) -> None:
    bucket.pipe("bucket/rows/2026/11/30/00/a.csv", Path(rows(str(tmp_path / "a.csv"), 1)).read_bytes())
    command = ("check", "s3://bucket/rows", *options, "--sagemaker-out", "s3://bucket/monitor", "--once")
    assert run(*command).returncode == 0
    bucket.pipe("bucket/rows/2026/11/30/01/b.csv", Path(rows(str(tmp_path / "b.csv"), 2, shift=1.0)).read_bytes())
    done = run(*command)
    assert done.returncode == 1, done.stderr
    bucket.invalidate_cache()
    first, second = (orjson.loads(line) for line in bucket.cat("bucket/monitor/executions.jsonl").splitlines())
    assert (first["status"], second["status"]) == ("Completed", "CompletedWithViolations")
    violations = orjson.loads(bucket.cat(f"{second['report']}/constraint_violations.json"))["violations"]
    assert [own["feature_name"] for own in violations] == ["income"]
    files = [f"{first['report']}/{name}.json" for name in ("statistics", "constraints")]
    imported = run("baseline", "import-sagemaker", *files, "-o", str(tmp_path / "imported"))
    assert imported.returncode == 0, imported.stderr
    bad = run("check", "s3://absent/rows", *options, "--sagemaker-out", "s3://bucket/other")
    assert bad.returncode == 2
