"""`driftgauge check --sagemaker-out` and `driftgauge baseline import-sagemaker`, as their entry points run them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.reference import Reference
from driftgauge.checks.sagemaker.execution import Job
from driftgauge.cli.check_sagemaker import Runner, follow
from driftgauge.drift.reference.baseline import dumps
from driftgauge.edges.files.folders import folder_of
from driftgauge.models import constraints_file
from driftgauge.models.bundle import read_baseline
from rich.console import Console

from tests.checks.sagemaker.tables import baseline, table
from tests.checks.sagemaker.test_baseline import FILES
from tests.cli.runs import Run, runs
from tests.sketches import require_sketches


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    require_sketches()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "baseline.json").write_text(dumps(baseline()))
    monkeypatch.chdir(tmp_path)
    return runs(monkeypatch, capfd, "check", "--baseline", "model", "--sagemaker-out", "out")


@pytest.fixture
def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    return runs(monkeypatch, capfd, "baseline", "import-sagemaker")


def rows(path: str, seed: int, *, shift: float = 0.0, count: int = 2_000) -> str:
    frame = pd.DataFrame(table(seed, count))
    frame["income"] += shift
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)
    return path


def content(path: Path | str) -> Any:
    return orjson.loads(Path(path).read_bytes())


def test_a_check_writes_the_four_files_and_prints_its_own_report(check: Run) -> None:
    code, out, err = check(rows("same.csv", 1))
    assert (code, "verdict  normal" in out) == (0, True)
    assert err.splitlines() == ["Completed: Job completed successfully with no violations.", "wrote out"]
    assert {path.name for path in Path("out").iterdir()} == {
        *("statistics.json", "constraints.json", "constraint_violations.json", "execution_summary.json")
    }


def test_violations_are_printed_and_give_the_exit_code_of_drift(check: Run) -> None:
    code, _, err = check(rows("other.csv", 1, shift=1.0))
    assert code == 1
    assert "baseline_drift_check of income: Numerical distance: 0.3" in err
    assert content("out/constraint_violations.json")["violations"][0]["feature_name"] == "income"


def test_a_failed_execution_and_a_stopped_one_have_codes_of_their_own(check: Run) -> None:
    assert check("absent.csv")[0] == 2
    assert content("out/execution_summary.json")["MonitoringExecutionStatus"] == "Failed"
    assert check(rows("same.csv", 1), "--max-run-seconds", "0.000001")[0] == 4
    assert content("out/execution_summary.json")["MonitoringExecutionStatus"] == "Stopped"


def test_files_that_cannot_be_written_have_another_code(check: Run) -> None:
    Path("out").write_text("a file")
    code, _, err = check(rows("same.csv", 1))
    assert (code, "driftgauge: cannot write out/statistics.json" in err) == (3, True)


def test_constraints_beside_the_baseline_are_checked_unless_others_are_given(check: Run) -> None:
    asked = {"features": [{"name": "age", "inferred_type": "Integral", "completeness": 1.0}], "monitoring_config": {}}
    Path("model/constraints.json").write_bytes(orjson.dumps(asked))
    frame = pd.DataFrame(table(1))
    frame.loc[:9, "age"] = None
    frame.to_csv("gaps.csv", index=False)
    assert check("gaps.csv")[0] == 1
    assert content("out/constraints.json")["features"][0]["name"] == "age"
    asked["features"] = [{"name": "age", "inferred_type": "Integral", "completeness": 0.9}]
    Path("own.json").write_bytes(orjson.dumps(asked))
    assert check("gaps.csv", "--sagemaker-constraints", "own.json")[0] == 0


def test_each_execution_checks_the_rows_since_the_last(check: Run) -> None:
    rows("in/a.csv", 1)
    assert check("in", "--once")[0] == 0
    code, out, _ = check("in", "--once")
    assert (code, "there are no new rows since the last execution" in out) == (2, True)
    rows("in/b.csv", 2, shift=1.0)
    grown = Path(rows("more.csv", 3, count=500)).read_text().partition("\n")[2]
    with Path("in/a.csv").open("a") as file:
        file.write(grown)
    code, out, _ = check("in", "--once")
    assert (code, "CompletedWithViolations: 1 violation in 2,500 rows" in out) == (1, True)
    records = [orjson.loads(line) for line in Path("out/executions.jsonl").read_bytes().splitlines()]
    assert [record["status"] for record in records] == ["Completed", "Failed", "CompletedWithViolations"]
    assert [record["rows"] for record in records] == [2_000, 0, 2_500]
    assert content(f"{records[2]['report']}/statistics.json")["dataset"]["item_count"] == 2_500
    assert {path: own["rows"] for path, own in content("out/positions.json").items()} == {
        "in/a.csv": 2_500,
        "in/b.csv": 2_000,
    }


def test_rows_of_a_failed_execution_are_read_by_the_next(check: Run) -> None:
    rows("in/a.csv", 1)
    Path("in/b.csv").write_text('income,age,plan\n"1')
    assert check("in", "--once")[0] == 2
    Path("in/b.csv").unlink()
    code, out, _ = check("in", "--once")
    assert (code, "0 violations in 2,000 rows" in out) == (0, True)


@pytest.fixture
def storage() -> Iterator[Any]:
    memory = import_module("fsspec").filesystem("memory")
    yield memory
    memory.rm("/s3", recursive=True)


def test_tables_files_and_list_may_be_in_object_storage(check: Run, storage: Any) -> None:
    storage.pipe("/s3/in/a.csv", Path(rows("a.csv", 1)).read_bytes())
    storage.pipe("/s3/in/b.csv", Path(rows("b.csv", 2)).read_bytes())
    options = ("memory://s3/in", "--once", "--sagemaker-out", "memory://s3/out")
    assert check(*options)[0] == 0
    assert check(*options)[0] == 2
    records = [orjson.loads(line) for line in storage.cat("/s3/out/executions.jsonl").splitlines()]
    assert [record["rows"] for record in records] == [4_000, 0]
    assert check("memory://s3/in/a.csv", "--sagemaker-out", "memory://s3/one")[0] == 0
    assert orjson.loads(storage.cat("/s3/one/statistics.json"))["dataset"]["item_count"] == 2_000


class EachMoment:
    """A schedule that is always due."""

    def after(self, at: float) -> float:
        return at + 0.01


def test_a_schedule_goes_on_until_it_is_stopped(tmp_path: Path) -> None:
    require_sketches()
    stopping = threading.Event()
    source = tmp_path / "in"
    rows(str(source / "0.csv"), 1)

    class Out(StringIO):
        """Adds a file after each execution but the third, which ends the schedule."""

        def write(self, text: str) -> int:
            done = len(list(source.iterdir()))
            if done == 3:
                stopping.set()
            else:
                rows(str(source / f"{done}.csv"), 1)
            return super().write(text)

    job = Job(Reference(baseline()), (), CheckOptions())
    runner = Runner(job, [str(source)], None, folder_of(str(tmp_path / "out")), stopping)
    out = Out()
    follow(runner, EachMoment(), Console(file=out, width=200), Console(file=StringIO()), stopping)
    assert stopping.is_set()
    records = [orjson.loads(line) for line in (tmp_path / "out" / "executions.jsonl").read_bytes().splitlines()]
    assert [record["rows"] for record in records][:2] == [2_000, 2_000]
    assert max(datetime.fromisoformat(record["scheduled"]).timestamp() for record in records) <= time.time()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--once", "--schedule", "hourly"), "--schedule and --once: give one of them"),
        (("--max-run-seconds", "0"), "--max-run-seconds 0: give a number above 0"),
        (("--schedule", "sometimes"), "--schedule 'sometimes': give hourly, daily"),
    ],
)
def test_options_that_contradict_each_other_are_refused(check: Run, options: tuple[str, ...], says: str) -> None:
    code, _, err = check("x.csv", *options)
    assert (code, says in err) == (2, True)


def test_options_without_a_folder_are_refused(
    imports: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = runs(monkeypatch, capfd, "check", "x.csv", "--baseline", "model")
    code, _, err = run("--once", "--max-run-seconds", "5")
    assert (code, "--max-run-seconds, --once: name the folder for the files too (--sagemaker-out DIR)" in err) == (
        2,
        True,
    )


def test_a_baseline_is_imported_with_its_constraints(imports: Run) -> None:
    code, out, err = imports(FILES / "statistics.json", FILES / "constraints.json", "-o", "imported")
    assert (code, "age" in out) == (0, True)
    assert err.splitlines() == [
        "left out, because the statistics have no values of it: note",
        "bins of SageMaker's ten buckets, because there is no sketch: balance",
        "wrote imported/baseline.json, imported/constraints.json, imported/constraints.yaml",
    ]
    assert "has no times: rows are assumed" in out
    assert read_baseline(Path("imported/baseline.json")).names == ("age", "balance", "plan")
    assert Path("imported/constraints.json").read_bytes() == (FILES / "constraints.json").read_bytes()
    own = constraints_file.read(Path("imported/constraints.yaml"))
    assert (own.names, own.extra_columns) == (("age", "balance", "plan"), False)
    Path("imported/constraints.yaml").write_text("version: 1\n")
    code, _, err = imports(FILES / "statistics.json", FILES / "constraints.json", "-o", "imported")
    assert (code, err.splitlines()[2:]) == (
        0,
        [
            "wrote imported/baseline.json, imported/constraints.json",
            "kept imported/constraints.yaml as it is; remove it to have constraints suggested again",
        ],
    )
    assert Path("imported/constraints.yaml").read_text() == "version: 1\n"


def test_a_baseline_is_imported_into_a_file_of_its_own(imports: Run) -> None:
    assert imports(FILES / "statistics.json", FILES / "constraints.json", "-o", "in/credit.json")[0] == 0
    assert {path.name for path in Path("in").iterdir()} == {
        *("credit.json", "constraints.json", "credit.constraints.yaml")
    }


def test_files_in_each_others_place_are_named(imports: Run) -> None:
    code, _, err = imports(FILES / "constraints.json", FILES / "statistics.json")
    assert (code, "constraints.json is malformed: dataset is absent" in err) == (2, True)
    assert not Path("baseline").exists()
