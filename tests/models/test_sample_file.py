from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from driftgauge.drift.multivariate.report import MOST_ROWS
from driftgauge.drift.multivariate.sample import RowSample
from driftgauge.drift.reference.baseline import dumps as baseline_text
from driftgauge.drift.reference.columns import Table
from driftgauge.errors import BaselineError, BundleError
from driftgauge.models.beside import path_beside
from driftgauge.models.bundle import read_baseline
from driftgauge.models.creation.baseline import BaselineOptions, BuiltBaseline, baseline_and_beside
from driftgauge.models.sample_file import SAMPLE_FILE, dumps, loads, of_baseline
from pyarrow import parquet


def table(rows: int = 900) -> dict[str, object]:
    rng = np.random.default_rng(0)
    number = rng.normal(size=rows)
    number[::50] = np.nan
    city = rng.choice(["x", "y", "rare"], rows, p=[0.5, 0.49, 0.01]).tolist()
    return {"number": number, "city": [None, *city[1:]], "note": ["a" * int(n) for n in rng.integers(1, 90, rows)]}


def built(**options: object) -> BuiltBaseline:
    kinds = {"note": "text"}
    return baseline_and_beside(table(), replace(BaselineOptions(kinds=kinds, keep_rows=300), **options))  # type: ignore[arg-type]


def kept(found: BuiltBaseline) -> RowSample:
    assert found.sample is not None
    return found.sample


def test_kept_rows_survive_the_file(tmp_path: Path) -> None:
    found = built()
    path = tmp_path / "loans.json"
    path.write_text(baseline_text(found.baseline), encoding="utf-8")
    path_beside(path, SAMPLE_FILE).write_bytes(dumps(kept(found), found.baseline))
    again = of_baseline(path, read_baseline(path))
    assert again is not None
    assert again.rows == 300
    assert np.array_equal(again.values(found.baseline), kept(found).values(found.baseline), equal_nan=True)


def test_the_file_is_a_table_with_lengths_of_free_text_and_no_column_that_was_left_out() -> None:
    found = built(keep_without=("city",))
    written = parquet.read_table(io.BytesIO(dumps(kept(found), found.baseline)))
    assert written.column_names == ["number", "note"]
    assert written.schema.field("note").type == pa.float64()


def test_nothing_is_kept_unless_asked_for(tmp_path: Path) -> None:
    found = built(keep_rows=0)
    assert found.sample is None
    assert of_baseline(tmp_path / "baseline.json", found.baseline) is None


def test_rows_of_another_baseline_are_refused(tmp_path: Path) -> None:
    found, other = built(), built(outlier_quantile=0.9)
    (tmp_path / "sample.parquet").write_bytes(dumps(kept(found), found.baseline))
    with pytest.raises(BundleError, match=r"sample\.parquet: these rows were kept of another reference"):
        of_baseline(tmp_path / "baseline.json", other.baseline)


@pytest.mark.parametrize("place", [0.2, 0.5, -3])
def test_a_damaged_file_is_refused(place: float) -> None:
    found = built()
    content = bytearray(dumps(kept(found), found.baseline))
    at = int(place * len(content)) if isinstance(place, float) else place
    content[at] ^= 0x40
    with pytest.raises(BundleError, match=r"damaged|not as the baseline|another reference"):
        loads(bytes(content), found.baseline)


def test_a_file_cut_short_or_of_another_kind_is_refused() -> None:
    found = built()
    for content in (b"", b"PAR1", dumps(kept(found), found.baseline)[:-9], b"number,city\n1,x\n"):
        with pytest.raises(BundleError, match="damaged, or no parquet file"):
            loads(content, found.baseline)


def test_columns_that_the_baseline_lacks_and_too_many_rows_are_refused() -> None:
    found = built()
    unknown: Table = {"age": np.zeros(5)}
    with pytest.raises(BundleError, match="the column age is not as the baseline has it"):
        loads(dumps(RowSample(5, unknown), found.baseline), found.baseline)
    wrong: Table = {"city": np.zeros(5)}
    with pytest.raises(BundleError, match="the column city is not as the baseline has it"):
        loads(dumps(RowSample(5, wrong), found.baseline), found.baseline)
    many: Table = {"number": np.zeros(MOST_ROWS + 1)}
    with pytest.raises(BundleError, match="at most 2,000 are kept"):
        loads(dumps(RowSample(MOST_ROWS + 1, many), found.baseline), found.baseline)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keep_rows": -1}, "--keep-rows -1: give a number of rows from 0 to 2,000"),
        ({"keep_rows": 3_000}, "--keep-rows 3000"),
        ({"keep_rows": 0, "keep_without": ("city",)}, "add --keep-rows"),
        ({"keep_without": ("town",)}, "--keep-without town: there is no such feature"),
        ({"keep_without": ("city", "note", "number")}, "leaves no column"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(BaselineError, match=said):
        built(**options)
