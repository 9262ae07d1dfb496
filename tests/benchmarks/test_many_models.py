"""The benchmark of many models: a short run with two sizes, and its table."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.ingest_rows import write_baseline
from benchmarks.many_models import HEADS, found, row


@pytest.mark.long
def test_a_further_model_adds_its_series_and_files(tmp_path: Path) -> None:
    write_baseline(tmp_path / "baseline.json", 1)

    one, two = (found(tmp_path / "baseline.json", count, tmp_path / str(count), 1.0, 500) for count in (1, 2))

    assert two.series - one.series > 1_500
    assert two.files_mib > 1.5 * one.files_mib
    assert two.metrics_bytes > one.metrics_bytes
    assert one.scrape_ms >= 0.0
    assert one.busy_share > 0.0
    assert len(row(one)) == len(HEADS)
