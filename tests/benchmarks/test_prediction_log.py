from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.prediction_log import SIZES, cost


@pytest.mark.parametrize("size", SIZES)
def test_a_row_takes_no_more_than_400_bytes(size: int, tmp_path: Path) -> None:
    found = cost(size, 5_000, tmp_path)
    assert 240 < found.disk_bytes <= 400
    assert found.cpu_us > 0
