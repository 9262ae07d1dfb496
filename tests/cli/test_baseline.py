"""`driftgauge baseline build`: what is written beside a baseline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.runs import Run, runs

OPTIONS = ("--keep-rows", "10", "--outlier-detector", "isolation_forest")
FILES = ("own.sample.parquet", "own.outliers.skops")


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    table = tmp_path / "table.csv"
    pd.DataFrame({"a": np.random.default_rng(0).normal(size=50)}).to_csv(table, index=False)
    return runs(monkeypatch, capfd, "baseline", "build", str(table), "--out", str(tmp_path / "own.json"))


def test_kept_rows_and_the_detector_are_written_and_those_of_an_earlier_baseline_removed(
    build: Run, tmp_path: Path
) -> None:
    code, _, errors = build(*OPTIONS)
    assert code == 0
    assert all(f"wrote {tmp_path / file}: " in errors and (tmp_path / file).is_file() for file in FILES)
    code, _, errors = build()
    assert code == 0
    assert all(f"removed {tmp_path / file}: " in errors and not (tmp_path / file).exists() for file in FILES)
    assert "removed" not in build()[2]


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_cannot_be_written_or_removed_is_named(build: Run, tmp_path: Path, file: str) -> None:
    (tmp_path / file).mkdir()
    for options, verb in ((OPTIONS, "write"), ((), "remove")):
        code, _, errors = build(*options)
        assert code == 2
        assert f"cannot {verb} {tmp_path / file}: " in errors
