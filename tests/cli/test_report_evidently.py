"""`driftgauge report evidently`, in the environment that `make test-all` has for Evidently."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driftgauge.cli import main as cli
from driftgauge.drift.multivariate.sample import drawn_rows
from driftgauge.drift.reference.baseline import dumps
from driftgauge.models import sample_file
from driftgauge.models.creation.baseline import create_baseline
from driftgauge.models.sample_file import SAMPLE_FILE

from tests.answers import log_answers
from tests.examples import MAKERS, Example

pytestmark = pytest.mark.filterwarnings("ignore")  # of Evidently's code
Report = Callable[..., tuple[object, str]]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """A model of numbers, a text and a boolean; the log has its answers of a day ago."""
    folder = tmp_path_factory.mktemp("bundles")
    made = MAKERS["text"](folder / "text")
    log_answers(made, folder / "text.state", name="text", days=0.5)
    made.reference.to_parquet(folder / "reference.parquet")
    return made


@pytest.fixture
def report(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Report:
    """Run the command in an empty folder, against the reference; return its exit code and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    for name in ("DRIFTGAUGE_CONFIG", "DRIFTGAUGE_BUNDLE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> tuple[object, str]:
        command = ["driftgauge", "report", "evidently", "--reference", example.folder.parent / "reference.parquet"]
        monkeypatch.setattr(sys, "argv", [str(own) for own in (*command, *arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, errors = capfd.readouterr()
        assert out == ""
        return left.value.code or 0, errors

    return run


def values(path: Path) -> dict[str, Any]:
    """Return Evidently's values by the metric's name up to its options."""
    found = json.loads(path.read_text())["metrics"]
    return {own["metric_name"].split(",")[0].removesuffix(")") + ")": own["value"] for own in found}


def test_it_reports_the_logged_predictions_against_the_reference(report: Report, example: Example) -> None:
    code, errors = report("--baseline", example.folder, "--out", "numbers.json")
    assert code == 0, errors
    found, logged = values(Path("numbers.json")), example.evaluation
    assert found["RowCount()"] == len(logged)
    assert found["MeanValue(column=radius)"] == pytest.approx(logged["radius"].mean())
    counts = found["UniqueValueCount(column=shape)"]["counts"]
    assert {name: count for name, count in counts.items() if count} == logged["shape"].value_counts().to_dict()
    assert f"{len(logged)} predictions" in errors
    assert f"against {len(example.reference)} rows" in errors
    assert "of 4 columns drift" in errors
    assert "predicted by the bundle's model, because the reference lacks it: prediction" in errors


def test_the_page_is_written_beside_where_it_is_run(report: Report, example: Example) -> None:
    assert report("--baseline", example.folder)[0] == 0
    assert [own.name for own in Path().iterdir()] == ["report.html"]
    assert Path("report.html").read_text().lstrip().startswith("<!DOCTYPE html>")


def test_a_sample_of_many_rows_is_reported(report: Report, example: Example) -> None:
    code, errors = report("--baseline", example.folder, "--out", "some.json", "--most-rows", "50")
    assert (code, values(Path("some.json"))["RowCount()"]) == (0, 50)
    assert "a sample of 50, against 50 rows" in errors


def test_a_time_without_predictions_is_an_error(report: Report, example: Example) -> None:
    code, errors = report("--baseline", example.folder, "--since", "1h")
    assert (code, list(Path().iterdir())) == (2, [])
    assert "the log has no predictions of text in that time: give another --since, --until or --version" in errors


def test_a_baseline_alone_has_no_model_that_predicts_scores(report: Report, example: Example) -> None:
    Path("baseline.json").write_text(dumps(example.bundle.baseline))
    state = example.folder.parent / "text.state"
    code, errors = report("--baseline", "baseline.json", "--state-dir", state, "--out", "numbers.json")
    assert code == 0, errors
    assert "left out, because the reference lacks it: prediction" in errors
    assert "DriftedColumnsCount(drift_share=0.5)" in values(Path("numbers.json"))
    assert "of 3 columns drift" in errors


def test_a_model_of_a_settings_file_is_found_by_its_name(report: Report, example: Example) -> None:
    Path("server.toml").write_text(
        f'state_dir = "{example.folder.parent}/text.state"\n[models.text]\nbundle = "{example.folder}"\n'
    )
    code, errors = report("--config", "server.toml", "--model", "text", "--out", "numbers.json")
    assert code == 0, errors
    assert values(Path("numbers.json"))["RowCount()"] == len(example.evaluation)


def test_columns_that_are_not_logged_are_left_out(report: Report, example: Example, tmp_path: Path) -> None:
    log_answers(example, tmp_path / "state", name="text", days=0.1, dropped=["shape"])
    code, errors = report("--baseline", example.folder, "--state-dir", "state", "--out", "numbers.json")
    assert code == 0, errors
    assert "left out, because the log does not have it as it is: shape" in errors
    assert "MeanValue(column=radius)" in values(Path("numbers.json"))
    assert not any("shape" in name for name in values(Path("numbers.json")))


def test_predictions_of_another_baseline_are_left_out(report: Report, example: Example) -> None:
    half = example.reference.iloc[: len(example.reference) // 2]
    Path("other.json").write_text(dumps(create_baseline(half[["radius", "shape", "smooth"]])))
    state = example.folder.parent / "text.state"
    code, errors = report("--baseline", "other.json", "--state-dir", state, "--model", "text")
    assert code == 2
    assert f"{len(example.evaluation)} were logged with another baseline" in errors


def test_a_file_that_cannot_be_written_is_named(report: Report, example: Example) -> None:
    code, errors = report("--baseline", example.folder, "--out", "absent/report.html")
    assert (code, "cannot write absent/report.html: No such file or directory" in errors) == (2, True)


def test_a_sample_of_nothing_is_refused(report: Report, example: Example) -> None:
    assert report("--baseline", example.folder, "--most-rows", "0") == (
        2,
        "driftgauge: --most-rows 0: give at least 1\n",
    )


def test_without_a_table_the_kept_rows_are_the_reference(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    sample = drawn_rows({"radius": example.reference["radius"].to_numpy(np.float64)}, 100, (), np.random.default_rng(0))
    shutil.copytree(example.folder, tmp_path / "text")
    (tmp_path / "text" / SAMPLE_FILE).write_bytes(sample_file.dumps(sample, example.bundle.baseline))
    state, out = example.folder.parent / "text.state", tmp_path / "numbers.json"
    command = ["report", "evidently", "--baseline", tmp_path / "text", "--state-dir", state, "--out", out]
    monkeypatch.setattr(sys, "argv", ["driftgauge", *map(str, command)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    errors = capfd.readouterr().err
    assert not left.value.code, errors
    assert "against 100 rows" in errors
    assert "left out, because the kept rows do not have it: shape, smooth" in errors
    assert values(out)["MeanValue(column=radius)"] == pytest.approx(example.evaluation["radius"].mean())
