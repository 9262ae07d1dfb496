from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.checks.check import Check
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.report import CheckReport
from driftgauge.checks.table import check
from driftgauge.drift.reference.baseline import Baseline, dumps
from driftgauge.drift.verdict.rule import Status
from driftgauge.errors import CheckError, TableError
from driftgauge.models import sample_file
from driftgauge.models.beside import path_beside
from driftgauge.models.creation.baseline import BaselineOptions, baseline_and_beside, create_baseline


def _table(rows: int, seed: int, correlation: float = 0.8) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    first, other = rng.normal(size=(2, rows))
    second = correlation * first + np.sqrt(1.0 - correlation**2) * other
    return pd.DataFrame(
        {"first": first, "second": second, "alone": rng.normal(size=rows), "city": rng.choice(["x", "y"], rows)}
    )


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "reference.parquet"
    _table(6_000, 0).to_parquet(path)
    return path


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return create_baseline(_table(6_000, 0))


def _check(baseline: Baseline, table: Any, reference: Path | None) -> CheckReport:
    return Check(baseline, [table], CheckOptions(multivariate=reference)).report(now=0.0)


def test_correlation_alone_that_changes_is_said_beside_the_verdict(baseline: Baseline, reference: Path) -> None:
    report = _check(baseline, _table(3_000, 1, correlation=0.0), reference)
    assert report.status is Status.NORMAL
    found = report.windows[0].multivariate
    assert found is not None
    assert found.is_significant
    assert {name for name, _ in found.columns[:2]} == {"first", "second"}
    written = report.to_dict()["multivariate"]
    assert written["auc"]["low"] > 0.5
    assert set(written["columns"]) == {name for name, _ in found.columns}
    assert written["reconstruction_error"]["low"] > 0.0


def test_rows_of_the_reference_are_not_told_apart(baseline: Baseline, reference: Path) -> None:
    found = _check(baseline, _table(3_000, 2), reference).windows[0].multivariate
    assert found is not None
    assert not found.is_significant


def test_nothing_is_compared_or_written_unless_asked_for(baseline: Baseline) -> None:
    report = _check(baseline, _table(500, 3), None)
    assert report.windows[0].multivariate is None
    assert "multivariate" not in report.to_dict()


def test_few_rows_say_so(baseline: Baseline, reference: Path) -> None:
    written = _check(baseline, _table(150, 4), reference).to_dict()["multivariate"]
    assert written["auc"] is None
    assert written["reconstruction_error"] is None
    assert written["reason"].startswith("not enough data: 150 rows")


def test_a_reference_without_a_feature_is_refused(baseline: Baseline, tmp_path: Path) -> None:
    _table(300, 5).drop(columns="city").to_parquet(tmp_path / "other.parquet")
    with pytest.raises(TableError, match="city"):
        _check(baseline, _table(300, 6), tmp_path / "other.parquet")


def test_rows_that_a_baseline_keeps_stand_for_a_table_of_the_reference(tmp_path: Path) -> None:
    built = baseline_and_beside(_table(6_000, 0), BaselineOptions(keep_rows=2_000))
    path = tmp_path / "baseline.json"
    path.write_text(dumps(built.baseline), encoding="utf-8")
    with pytest.raises(CheckError, match="build it again with --keep-rows"):
        check(path, _table(3_000, 1), CheckOptions(whole_rows=True), now=0.0)
    assert built.sample is not None
    path_beside(path, sample_file.SAMPLE_FILE).write_bytes(sample_file.dumps(built.sample, built.baseline))
    found = [
        check(path, _table(3_000, 1, correlation), CheckOptions(whole_rows=True), now=0.0).windows[0].multivariate
        for correlation in (0.8, 0.0)
    ]
    assert [own is not None and own.is_significant for own in found] == [False, True]


def test_kept_rows_and_a_table_of_the_reference_exclude_each_other(reference: Path) -> None:
    with pytest.raises(CheckError, match="leave out --multivariate"):
        CheckOptions(multivariate=reference, whole_rows=True)
