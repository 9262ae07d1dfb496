"""Files that belong to a baseline are beside it, by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.models.beside import path_beside
from driftgauge.models.constraints_file import CONSTRAINTS_FILE
from driftgauge.models.outlier_file import OUTLIERS_FILE
from driftgauge.models.sample_file import SAMPLE_FILE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (CONSTRAINTS_FILE, "loans.constraints.yaml"),
        (OUTLIERS_FILE, "loans.outliers.skops"),
        (SAMPLE_FILE, "loans.sample.parquet"),
    ],
)
def test_a_baseline_of_the_usual_name_gives_its_files_theirs_and_another_one_its_own(name: str, expected: str) -> None:
    assert path_beside(Path("bundle/baseline.json"), name) == Path("bundle", name)
    assert path_beside(Path("bundle/loans.json"), name) == Path("bundle", expected)
