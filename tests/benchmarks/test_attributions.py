from __future__ import annotations

from pathlib import Path

from benchmarks.attributions import ROWS, bundle_of, quiet, tables


def test_rows_without_drift_stay_above_the_threshold(tmp_path: Path) -> None:
    _, table, models = next(tables())
    bundle, rows = bundle_of(models[0], table, tmp_path / "bundle")
    found = quiet(bundle, rows, ROWS[0], 20)
    assert found.lowest > 0.95
    assert found.alarms == 0.0
    assert found.significant <= 0.1
