from __future__ import annotations

import doctest
import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import driftgauge
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from driftgauge.checks import table as module
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.report import CheckReport
from driftgauge.checks.table import check
from driftgauge.drift.reference.baseline import dumps
from driftgauge.errors import BundleError, CheckError, TableError
from driftgauge.models.bundle import load_bundle

from tests.checks.test_check import csv_of, frame_of, parquet_of, usual_frame
from tests.examples import Example
from tests.monitors import START, small_baseline, some_rows

PAGE = Path(__file__).parents[2] / "docs" / "check.md"


def timed_frame(age: float = 44.0) -> pd.DataFrame:
    """Return rows with missing, unseen and awkward cells, and with times."""
    frame = pd.concat([frame_of(some_rows(700, age=age)), usual_frame(700, age=age)], ignore_index=True)
    return frame.assign(at=START + np.arange(1_400))


def _jsonl(frame: pd.DataFrame, path: Path) -> Path:
    lines = [json.dumps(row) for row in frame.to_dict("records")]
    path.with_suffix(".jsonl").write_text("\n".join(lines), encoding="utf-8")
    return path.with_suffix(".jsonl")


def _folder(frame: pd.DataFrame, path: Path) -> Path:
    path.mkdir()
    for part, rows in enumerate((slice(0, 300), slice(300, None))):
        parquet_of(frame.iloc[rows], path / f"part-{part}")
    return path


def _polars(frame: pd.DataFrame, path: Path) -> Any:
    polars: Any = pytest.importorskip("polars")
    return polars.from_arrow(pa.Table.from_pandas(frame))


KINDS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "csv": csv_of,
    "parquet": parquet_of,
    "json lines": _jsonl,
    "folder": _folder,
    "text of a path": lambda frame, path: str(csv_of(frame, path)),
    "pandas": lambda frame, _: frame,
    "pandas with categories": lambda frame, _: frame.astype({"city": "category", "note": "category"}),
    "polars": _polars,
    "arrow": lambda frame, _: pa.Table.from_pandas(frame),
    "arrow batch": lambda frame, _: pa.Table.from_pandas(frame).combine_chunks().to_batches()[0],
    "dict of arrays": lambda frame, _: {name: frame[name].to_numpy() for name in frame},
    "dict of lists": lambda frame, _: {name: frame[name].tolist() for name in frame},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_same_report(kind: str, tmp_path: Path) -> None:
    frame = timed_frame().replace([np.inf], np.nan)
    source = KINDS[kind](frame, tmp_path / "t")
    options = CheckOptions(time="at")
    report = check(small_baseline(), source, options)
    found, expected = report.to_dict(), check(small_baseline(), frame, options).to_dict()
    assert expected.pop("tables") == []
    assert found.pop("tables") == ([str(source)] if isinstance(source, str | Path) else [])
    assert found == expected
    assert report.has_drift


def test_the_baseline_may_be_a_path_or_a_bundle(binary: Example, tmp_path: Path) -> None:
    baseline = binary.bundle.baseline
    (tmp_path / "baseline.json").write_text(dumps(baseline), encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "baseline.json").write_text(dumps(baseline), encoding="utf-8")
    rows = binary.evaluation
    alone: list[Any] = [baseline, tmp_path / "baseline.json", str(tmp_path / "baseline.json"), tmp_path / "folder"]
    with_model: list[Any] = [binary.folder, str(binary.folder), load_bundle(binary.folder)]
    told = [[check(source, rows, now=START).to_dict() for source in sources] for sources in (alone, with_model)]
    for reports in told:
        assert all(one == reports[0] for one in reports)
    assert "prediction" not in told[0][0]
    assert told[1][0]["prediction"]["rows"] == len(rows)
    assert told[1][0]["performance"]["rows"] == len(rows)


def test_what_is_predicted_or_left_out_is_remarked(binary: Example) -> None:
    features = binary.evaluation[binary.names]
    (said,) = check(binary.folder, features).remarks
    assert said == "predicted by the bundle's model, because the table lacks it: prediction"
    (said,) = check(binary.bundle.baseline, features).remarks
    assert said == "not compared, because the table lacks it: prediction"
    assert check(small_baseline(), usual_frame(300)).remarks == ()


def test_the_time_of_rows_without_times_is_the_one_given() -> None:
    assert check(small_baseline(), usual_frame(300), now=START).to_dict()["evaluated_at"] == "2023-11-14T22:13:20.000Z"
    assert check(small_baseline(), usual_frame(300)).worst.report.evaluated_at > START


@pytest.mark.parametrize("source", [None, 3, pd.DataFrame({"a": [1]}), {"a": [1]}])
def test_what_is_no_baseline_is_refused(source: Any) -> None:
    with pytest.raises(
        CheckError, match=f"cannot compare with a {type(source).__name__}: give a Baseline, a Bundle, or"
    ):
        check(source, usual_frame(300))


def test_an_absent_baseline_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"absent\.json: No such file"):
        check(tmp_path / "absent.json", usual_frame(300))


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (usual_frame(300).drop(columns="flag"), "the table has no column flag; it has age, city, prediction"),
        (usual_frame(300).iloc[:0], "the table has no rows"),
        (pd.DataFrame(), "the table has no columns age, flag, city; it has none"),
        (
            usual_frame(300).assign(age=["41", "old"] * 150),
            r"the table, row 2: age: 'old' is not a number, .* or leave the column out \(--ignore age\)",
        ),
        (usual_frame(300).assign(city=pd.Series([["north"]] * 300)), "city: it holds lists or objects"),
        (5, "int is neither a path, a DataFrame, an Arrow table nor a dict of columns"),
    ],
)
def test_a_wrong_table_has_the_error_of_the_command(frame: Any, problem: str) -> None:
    with pytest.raises(TableError, match=problem):
        check(small_baseline(), frame)


def test_columns_that_the_baseline_lacks_are_ignored_whatever_they_hold() -> None:
    frame = usual_frame(300)
    expected = check(small_baseline(), frame, now=START).to_dict()
    assert check(small_baseline(), frame.assign(extra=pd.Series([object()] * 300)), now=START).to_dict() == expected


def test_the_options_are_those_of_the_command() -> None:
    frame = timed_frame()
    report = check(small_baseline(), frame, CheckOptions(ignore=("age",), psi_threshold_warning=0.05))
    assert "age" not in report.to_dict()["features"]
    assert report.to_dict()["thresholds"]["warning"] == 0.05
    with pytest.raises(CheckError, match="the baseline has no column height"):
        check(small_baseline(), frame, CheckOptions(ignore=("height",)))


def test_a_thousand_columns_are_one_report_each() -> None:
    reference, generator = small_baseline().columns[0], np.random.default_rng(3)
    names = [f"c{i}" for i in range(1_000)]
    baseline = replace(small_baseline(), columns=tuple(replace(reference, name=name) for name in names))
    table = {name: generator.normal(40.0, 10.0, 300) for name in names}
    table["c7"] += 100.0
    report = check(baseline, table)
    assert report.to_frame().index[0] == "c7"
    assert len(report.to_frame()) == len(report.to_dict()["features"]) == 1_000
    assert "950 more columns: to_frame() has all of them." in report._repr_html_()


def test_the_example_of_the_docstring_runs() -> None:
    found = doctest.testmod(module)
    assert (found.failed, found.attempted > 5) == (0, True)


def test_the_example_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "baseline.json").write_text(dumps(small_baseline()), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(example, {"frame": timed_frame().rename(columns={"at": "ordered_at"})})  # noqa: S102  # our own page
    assert capsys.readouterr().out.startswith("age: mean 4")


def test_the_page_names_the_fields_of_options_and_report() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## From Python")[2].partition("\n## ")[0]
    internal = {"held_rows", "held_cells", "bytes_at_once", "worst", "is_history", "held_out"}
    named = {field.name for field in fields(CheckOptions)} | {name for name in vars(CheckReport) if name[0] != "_"}
    assert [name for name in sorted(named - internal) if f"`{name}" not in section] == []


def test_the_function_has_its_public_name_after_its_package_was_imported() -> None:
    assert driftgauge.check is check
