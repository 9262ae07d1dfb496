from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from driftgauge.checks.check import Check, restrict
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.report import WindowVerdict
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, CorrelationTable
from driftgauge.drift.statistics.two_sample import LEVELS
from driftgauge.drift.verdict.policy import ColumnPolicy, Policy
from driftgauge.drift.verdict.rule import Status
from driftgauge.drift.windows.blocks import Blocks, hours_of
from driftgauge.edges.formats.drift_status import report_json
from driftgauge.errors import CheckError, TableError
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
from driftgauge.monitor.monitor import ColumnMonitor
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.effort import examples
from tests.monitors import START, small_baseline, small_options, some_rows, timed_baseline

DAY = 86_400.0
CITIES = {0: "north", 1: "south", 3: "hamlet", 4: "elsewhere"}
"""What is written for the codes of the small baseline's cities: kept ones, one of the tail, one never seen."""


def frame_of(rows: FloatArray) -> pd.DataFrame:
    """Return rows of the small baseline as somebody would keep them: in another order, and with more columns."""
    names = small_baseline().bins[2].categories
    city = [None if math.isnan(code) else CITIES.get(int(code), names[int(code) % 3]) for code in rows[:, 2]]
    columns = {"city": city, "prediction": rows[:, 3], "note": "x", "flag": rows[:, 1], "age": rows[:, 0]}
    return pd.DataFrame(columns)


def usual_frame(count: int, seed: int = 0, *, age: float = 40.0) -> pd.DataFrame:
    """Return rows that look like the small baseline's reference, but for their age."""
    generator = np.random.default_rng(seed)
    ages = generator.normal(age, 10.0, count)
    ages[::50] = np.nan
    return pd.DataFrame(
        {
            "age": ages,
            "flag": generator.random(count) < 0.5,
            "city": generator.choice(small_baseline().bins[2].categories, count, p=[0.502, 0.302, 0.196]),
            "prediction": generator.beta(2.0, 3.0, count),
        }
    )


def csv_of(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path.with_suffix(".csv"), index=False)
    return path.with_suffix(".csv")


def parquet_of(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_parquet(path.with_suffix(".parquet"), index=False, row_group_size=700)
    return path.with_suffix(".parquet")


WRITERS = {"csv": csv_of, "parquet": parquet_of}
Writer = Callable[[pd.DataFrame, Path], Path]


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest) -> Writer:
    """Write a table in each of the formats."""
    return WRITERS[request.param]


def judged(baseline: Baseline, *tables: Path, now: float = START, **options: Any) -> list[WindowVerdict]:
    return list(Check(baseline, tables, CheckOptions(**options)).windows(now))


def only(baseline: Baseline, table: Path, **options: Any) -> WindowVerdict:
    (found,) = judged(baseline, table, **options)
    return found


def content(found: WindowVerdict) -> Any:
    """Return the report as JSON would have it, so that what is not known equals what is not known."""
    return orjson.loads(orjson.dumps(report_json(found.report), option=orjson.OPT_NON_STR_KEYS))


def counted(found: WindowVerdict, name: str) -> dict[str, int]:
    """Return the rows in each bin that has any, by its name."""
    place = found.report.baseline.names.index(name)
    bins = found.report.baseline.bins[place]
    return {bins.names[code]: int(n) for code, n in enumerate(found.report.main.counts[place]) if n}


# ---------------------------------------------------------------- one table


def test_rows_are_counted_as_pandas_counts_them(write: Writer, tmp_path: Path) -> None:
    frame = frame_of(some_rows(3_000))
    found = only(small_baseline(), write(frame, tmp_path / "t"))
    age = small_baseline().columns[0]
    edges = np.asarray(age.bins.edges)
    cut = pd.cut(frame["age"], edges.tolist(), right=True).value_counts(sort=False)
    counts = found.report.main.counts[0]
    assert counts[age.bins.ordinary].tolist() == cut.tolist()
    assert counts[age.bins.special["below"]] == (frame["age"] <= edges[0]).sum()
    assert counts[age.bins.special["above"]] == (frame["age"] > edges[-1]).sum()
    assert counts[age.bins.special["missing"]] == frame["age"].isna().sum()
    flags = frame["flag"].value_counts(dropna=False)
    assert counted(found, "flag") == {
        "0": flags[0.0],
        "1": flags[1.0],
        "unseen": flags[0.5],
        "above": flags[2.0],
        "missing": frame["flag"].isna().sum(),
    }
    kept = small_baseline().columns[2].bins.categories
    expected = {
        **{name: int((frame["city"] == name).sum()) for name in kept},
        "other": int((frame["city"] == "hamlet").sum()),
        "unseen": int((frame["city"] == "elsewhere").sum()),
        "missing": int(frame["city"].isna().sum()),
    }
    assert counted(found, "city") == {name: n for name, n in expected.items() if n}
    assert counts.sum() == found.rows == found.report.rows_observed == 3_000


def test_values_are_compared_as_scipy_compares_them(write: Writer, tmp_path: Path) -> None:
    frame = frame_of(some_rows(3_000, age=43.0))
    sample = only(small_baseline(), write(frame, tmp_path / "t")).report.main.sample
    for place, name in ((0, "age"), (1, "flag"), (3, "prediction")):
        known = frame[name].dropna().to_numpy()
        finite = known[np.isfinite(known)]
        column = small_baseline().columns[place]
        reference = np.asarray(column.quantiles)
        assert sample.rows[place] == known.size
        assert sample.finite_rows[place] == finite.size
        assert sample.ks_statistic[place] == pytest.approx(stats.ks_2samp(known, reference).statistic, abs=1e-12)
        low, high = column.min - 10.0 * column.std, column.max + 10.0 * column.std
        area = stats.wasserstein_distance(np.clip(known, low, high), reference) / column.std
        assert sample.wasserstein_ratio[place] == pytest.approx(area, abs=1e-9)
        assert sample.mean[place] == pytest.approx(finite.mean())
        assert sample.std[place] == pytest.approx(finite.std())
        assert (sample.min[place], sample.max[place]) == (finite.min(), finite.max())
        assert sample.quantiles[:, place] == pytest.approx(np.quantile(finite, LEVELS))


def test_a_monitor_that_saw_the_same_rows_says_the_same(write: Writer, tmp_path: Path) -> None:
    rows = some_rows(2_000, age=45.0)
    monitor = ColumnMonitor(
        small_baseline(), model_name="m", model_version="1", now=START, options=small_options(2_000)
    )
    cells = rows.copy()
    bins = small_baseline().bins[2]
    cells[:, 2] = bins.encode([name if isinstance(name, str) else None for name in frame_of(rows)["city"]])
    monitor.observe(cells, arrival=START)
    served = orjson.loads(orjson.dumps(report_json(monitor.evaluate(START).report), option=orjson.OPT_NON_STR_KEYS))
    # With times, rows are in order and weighed block by block.
    mine = content(only(small_baseline(), write(frame_of(rows).assign(at=START), tmp_path / "t"), time="at"))
    assert mine["status"] == "drift_detected"
    assert mine["features"]["age"]["since"] == served["features"]["age"]["since"] is not None
    assert set(mine) == set(served)
    for key in set(served) - {"windows", "features", "prediction", "reason"}:
        assert mine[key] == served[key], key
    assert mine["reason"] == served["reason"]
    for name in ("age", "flag", "city", "prediction"):
        one, other = ({**r["features"], "prediction": r["prediction"]}[name] for r in (mine, served))
        assert one["windows"]["table"] == other["windows"]["2000"]
        assert one["reason"] == other["reason"]
        assert {**one, "windows": None, "reason": None} == {**other, "windows": None, "reason": None}


def test_csv_and_parquet_in_parts_of_any_size_agree(tmp_path: Path) -> None:
    frame = frame_of(some_rows(2_500))
    csv, parquet = csv_of(frame, tmp_path / "t"), parquet_of(frame, tmp_path / "t")
    found = [
        content(only(small_baseline(), path, bytes_at_once=size))
        for path in (csv, parquet)
        for size in (500, 20_000, 2_097_152)
    ]
    assert all(other == found[0] for other in found[1:])


def test_the_order_of_columns_and_further_ones_do_not_matter(write: Writer, tmp_path: Path) -> None:
    frame = frame_of(some_rows(1_000))
    table = write(frame, tmp_path / "t")
    other = write(frame[["age", "flag", "prediction", "city"]].assign(more=np.arange(1_000)), tmp_path / "other")
    assert content(only(small_baseline(), table)) == content(only(small_baseline(), other))


@pytest.mark.parametrize(
    ("rows", "status"),
    [(1, Status.INSUFFICIENT_DATA), (199, Status.INSUFFICIENT_DATA), (200, Status.NORMAL), (499, Status.NORMAL)],
)
def test_from_two_hundred_rows_on_usual_ones_are_normal(
    rows: int, status: Status, write: Writer, tmp_path: Path
) -> None:
    found = only(small_baseline(), write(usual_frame(rows), tmp_path / "t"))
    assert (found.report.status, found.drifted) == (status, False)
    assert not found.report.main.judged.any()


@pytest.mark.parametrize("rows", [50, 150, 499])
def test_few_rows_that_are_real_drift_are_a_warning(rows: int, write: Writer, tmp_path: Path) -> None:
    found = only(small_baseline(), write(usual_frame(rows, age=90.0), tmp_path / "t"))
    assert (found.report.status, found.report.severity) == (Status.WARNING, "warning")
    assert (found.drifted, dict(found.since)) == (False, {})
    assert found.report.evidence.raised.tolist() == [True, False, False, False]
    assert f"size not known yet ({rows} of 500 rows)" in found.report.reason


def test_thresholds_are_the_options(write: Writer, tmp_path: Path) -> None:
    table = write(usual_frame(2_000, age=45.0), tmp_path / "t")
    assert only(small_baseline(), table).report.severity == "critical"
    assert only(small_baseline(), table, psi_threshold_critical=9.0).report.severity == "warning"
    lenient = only(small_baseline(), table, psi_threshold_warning=8.0, psi_threshold_critical=9.0)
    assert (lenient.report.status, lenient.report.severity, lenient.drifted) == (Status.NORMAL, "info", False)
    of_age = only(small_baseline(), table, base=Policy(columns={"age": ColumnPolicy(psi_thresholds=(8.0, 9.0))}))
    assert (of_age.report.status, of_age.report.severity) == (Status.NORMAL, "info")
    tolerant = only(small_baseline(), table, tolerance=1.0)
    assert tolerant.report.status is Status.NORMAL
    assert "age: large but not significant (PSI " in tolerant.report.reason


def test_a_window_is_named_and_dated(write: Writer, tmp_path: Path) -> None:
    frame = usual_frame(600)
    found = only(small_baseline(), write(frame, tmp_path / "t"))
    assert (found.window, found.rows, found.since) == ("table", 600, {})
    assert (found.report.evaluated_at, found.report.main.start, found.report.main.end) == (START, None, None)
    timed = frame.assign(at=np.arange(600) * 60.0 + START)[::-1]
    found = only(small_baseline(), write(timed, tmp_path / "t"), time="at")
    last = START + 599 * 60.0
    assert (found.report.evaluated_at, found.report.main.start, found.report.main.end) == (last, START, last)


def test_progress_is_told_up_to_the_end(write: Writer, tmp_path: Path) -> None:
    tables = [write(frame_of(some_rows(3_000, seed)), tmp_path / str(seed)) for seed in range(2)]
    seen: list[int] = []
    check = Check(small_baseline(), tables, CheckOptions(bytes_at_once=10_000))
    list(check.windows(START, seen.append))
    assert seen == sorted(seen)
    assert len(set(seen)) > (1 if tables[0].suffix == ".csv" else 4)  # a csv file is read ahead
    assert seen[-1] == check.bytes == sum(path.stat().st_size for path in tables)


# ---------------------------------------------------------------- larger than what is held


def numbered(rows: int) -> tuple[Baseline, pd.DataFrame]:
    """Return rows that are told apart by a number, and a baseline of them."""
    baseline = build_baseline({"row": np.arange(rows, dtype=np.float64)}, created="")
    return baseline, pd.DataFrame({"row": np.arange(rows)})


def test_counts_are_of_all_rows_and_the_rest_says_how_many_it_is_from(write: Writer, tmp_path: Path) -> None:
    table = write(frame_of(some_rows(5_000)), tmp_path / "t")
    exact, sampled = (only(small_baseline(), table, held_rows=held) for held in (5_000, 900))
    assert (exact.held_rows, sampled.held_rows) == (5_000, 900)
    one, other = exact.report.main, sampled.report.main
    assert np.array_equal(one.counts, other.counts)
    assert np.array_equal(one.psi.psi, other.psi.psi)
    assert np.array_equal(one.significance.p_value, other.significance.p_value, equal_nan=True)
    assert other.rows == 5_000
    told = content(sampled)["features"]["age"]
    assert told["rows"] == 5_000
    assert 800 < told["value_rows"] <= 900
    assert 800 < told["finite_rows"] < told["value_rows"]
    assert other.sample.mean[0] == pytest.approx(one.sample.mean[0], abs=1.5)


def test_wide_tables_hold_fewer_rows(tmp_path: Path) -> None:
    table = parquet_of(frame_of(some_rows(1_000)), tmp_path / "t")
    assert only(small_baseline(), table, held_cells=402).held_rows == 100
    assert only(small_baseline(), table, held_cells=1).held_rows == 1


@settings(deadline=None, max_examples=examples(25))
@given(rows=st.integers(1, 300), held=st.integers(1, 120), size=st.integers(40, 3_000))
def test_what_is_held_does_not_depend_on_the_parts(rows: int, held: int, size: int) -> None:
    with TemporaryDirectory() as folder:
        table = csv_of(frame_of(some_rows(rows)), Path(folder) / "t")
        options = {"held_rows": held}
        parts = only(small_baseline(), table, bytes_at_once=max(size, 200), **options)
        whole = only(small_baseline(), table, **options)
    assert content(parts) == content(whole)
    assert parts.held_rows == min(rows, held)


# ---------------------------------------------------------------- columns


def test_an_absent_feature_is_named(write: Writer, tmp_path: Path) -> None:
    table = write(frame_of(some_rows(10)).drop(columns=["age", "city"]), tmp_path / "t")
    with pytest.raises(TableError, match=r"t\.\w+ has no columns age, city; it has prediction, note, flag"):
        judged(small_baseline(), table)
    found = only(small_baseline(), table, ignore=["age", "city"])
    assert found.report.baseline.names == ("flag", "prediction")
    with pytest.raises(TableError, match=r"t\.\w+ has no columns age, city"):  # before the first table is read
        Check(small_baseline(), [write(frame_of(some_rows(10)), tmp_path / "whole"), table])


def test_absent_scores_are_left_out(write: Writer, tmp_path: Path) -> None:
    tables = [write(frame_of(some_rows(600)), tmp_path / "a")]
    tables.append(write(frame_of(some_rows(600)).drop(columns="prediction"), tmp_path / "b"))
    check = Check(small_baseline(), tables)
    assert check.not_compared == ("prediction",)
    assert check.baseline.names == ("age", "flag", "city")
    assert [found.report.baseline.names for found in check.windows(START)] == [("age", "flag", "city")] * 2
    assert Check(small_baseline(), tables[:1]).not_compared == ()
    assert Check(small_baseline(), tables, CheckOptions(ignore=("prediction",))).not_compared == ()


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    table = csv_of(frame_of(some_rows(10)), tmp_path / "t")
    with pytest.raises(CheckError, match="no column agee; it has age, flag, city, prediction"):
        Check(small_baseline(), [table], CheckOptions(ignore=("agee",)))
    with pytest.raises(CheckError, match="no column is left to compare"):
        Check(small_baseline(), [table], CheckOptions(ignore=small_baseline().names))
    with pytest.raises(CheckError, match="--every 1d needs times"):
        Check(small_baseline(), [table], CheckOptions(every="1d"))


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("row,row\n1,2\n")
    with pytest.raises(TableError, match="several columns row"):
        judged(numbered(10)[0], tmp_path / "t.csv")


def wide_baseline() -> Baseline:
    generator = np.random.default_rng(5)
    common = generator.normal(size=3_000)
    table = {name: common + generator.normal(size=3_000) for name in "abcd"}
    return build_baseline({**table, "e": Categories(generator.integers(0, 2, 3_000), ("x", "y"))}, created="")


def test_a_baseline_of_some_columns_keeps_their_correlations() -> None:
    baseline = wide_baseline()
    some = restrict(baseline, ["d", "e", "b"])
    assert some.names == ("b", "d", "e")
    assert some.correlations.columns == ("b", "d")
    whole = baseline.correlations.correlations()
    assert some.correlations.correlations().values[0, 1] == whole.values[1, 3]
    assert some.correlations.rows == (3_000,)
    assert restrict(baseline, ["a", "e"]).correlations == CorrelationTable((), (), ())
    assert restrict(baseline, baseline.names) == baseline
    assert restrict(baseline, baseline.names).hash == baseline.hash


def test_gaps_in_correlations_stay_gaps() -> None:
    baseline = wide_baseline()
    table = CorrelationTable(("a", "b", "c", "d"), (0.1, 0.2, 0.0, 0.3, 0.4, 0.5), (300, 400, 0, 500, 600, 700))
    some = restrict(replace(baseline, correlations=table), ["a", "c", "d"])
    assert some.correlations == CorrelationTable(("a", "c", "d"), (0.2, 0.0, 0.5), (400, 0, 700))


# ---------------------------------------------------------------- cells


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([1, None, 0], pa.int8()),
        pa.array([True, None, False]),
        pa.array([1, None, 0]).dictionary_encode(),
        pa.array(["1", None, "false"]),
        pa.array(["true", None, "0.0"], pa.large_string()),
        pa.array(["true", "NA", "0.0"], pa.string_view()),
        pa.array(["1", None, "0"]).dictionary_encode(),
        pa.array([1.0, math.nan, 0.0], pa.float32()),
        pa.array([1, None, 0], pa.decimal128(5, 2)),
    ],
    ids=lambda cells: str(cells.type),
)
def test_numbers_may_have_any_type_that_holds_them(cells: pa.Array, tmp_path: Path) -> None:
    baseline = build_baseline({"flag": np.array([0.0, 1.0] * 10)}, created="")
    pyarrow.parquet.write_table(pa.table({"flag": cells}), tmp_path / "t.parquet")
    assert counted(only(baseline, tmp_path / "t.parquet"), "flag") == {"0": 1, "1": 1, "missing": 1}


def test_integers_too_large_for_a_double_are_rounded(tmp_path: Path) -> None:
    baseline, _ = numbered(50)
    pyarrow.parquet.write_table(pa.table({"row": [2**60 + 1]}), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text(f"row\n{2**60 + 1}\n")
    found = [only(baseline, tmp_path / name).report.main.sample.mean[0] for name in ("t.parquet", "t.csv")]
    assert found == [2.0**60] * 2


def grades() -> Baseline:
    """Return a baseline of whole numbers as categories, of booleans as categories, and of text."""
    names = {"grade": ("5", "7", "02134"), "yes": ("false", "true"), "text": ("5.0", "NA", "")}
    columns = {name: Categories(np.tile(np.arange(len(own)), 100), own[: len(own)]) for name, own in names.items()}
    rows = min(len(column.codes) for column in columns.values())
    return build_baseline(
        {name: replace(column, codes=column.codes[:rows]) for name, column in columns.items()}, created=""
    )


CATEGORY_CELLS = [
    ("grade", ["5", "5.0", "7", '"5.0"'], {"5": 3, "7": 1}),
    ("grade", ["02134", "2134", "2134.0"], {"02134": 1, "unseen": 2}),
    ("grade", ["NA", "", "nan", '""'], {"missing": 4}),
    ("grade", ["5.00", "6", "five"], {"unseen": 3}),
    ("yes", ["True", "true", "FALSE", "1"], {"true": 2, "false": 1, "unseen": 1}),
    # The reference has an empty text and nothing missing: so an empty cell is that text, quoted or not.
    ("text", ["5.0", "NA", "", '""', "null", "5"], {"5.0": 1, "NA": 1, '""': 2, "unseen": 2}),
]


@pytest.mark.parametrize(("name", "cells", "counts"), CATEGORY_CELLS)
def test_a_csv_s_categories_are_named_as_the_reference_knows_them(
    name: str, cells: list[str], counts: dict[str, int], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("\n".join([f"z,{name}", *(f"1,{cell}" for cell in cells)]) + "\n")
    assert counted(only(restrict(grades(), [name]), tmp_path / "t.csv"), name) == counts


def test_a_parquet_file_s_text_is_what_it_says_and_its_numbers_are_named(tmp_path: Path) -> None:
    baseline = restrict(grades(), ["grade"])
    for cells, counts in (
        (["5", "5.0", "NA", None], {"5": 1, "unseen": 2, "missing": 1}),
        ([5.0, 7.0, None, math.nan], {"5": 1, "7": 1, "missing": 2}),
        ([5, 7, 8], {"5": 1, "7": 1, "unseen": 1}),
        (pd.Categorical(["7", None, "7"]), {"7": 2, "missing": 1}),
    ):
        pd.DataFrame({"grade": cells}).to_parquet(tmp_path / "t.parquet")
        assert counted(only(baseline, tmp_path / "t.parquet"), "grade") == counts


def test_of_a_long_tail_all_that_is_not_kept_is_other(tmp_path: Path) -> None:
    tail = [f"t{place}" for place in range(10_001)]
    codes = np.concatenate([np.zeros(30_000, dtype=np.int64), 1 + np.arange(len(tail))])
    baseline = build_baseline({"c": Categories(codes, ("5", *tail))}, created="")
    (tmp_path / "t.csv").write_text("c\n5\n5.0\nt3\nanything\n")
    assert counted(only(baseline, tmp_path / "t.csv"), "c") == {"5": 2, "other": 2}


CELLS = ("", '""', "NA", "5", "5.0", "5.00", "05", "1e3", "nan", "a", '"a,b"', '"NA"', "9007199254740993", "-0.0", "b")
FLAGS = ("", "true", "True", "FALSE", "NA")


@settings(deadline=None, max_examples=examples(60))
@given(
    cells=st.lists(st.sampled_from(CELLS), min_size=1, max_size=6) | st.lists(st.sampled_from(FLAGS), min_size=1),
    stated=st.booleans(),
)
def test_a_table_lies_in_the_bins_of_its_own_baseline(cells: list[str], stated: bool) -> None:
    with TemporaryDirectory() as folder:
        table = Path(folder) / "t.csv"
        table.write_text("\n".join(["z,c", *(f"1,{cell}" for cell in cells * 20)]) + "\n")
        options = BaselineOptions(ignore=("z",), kinds={"c": "categorical"} if stated else {})
        try:
            baseline = create_baseline(table, options)
        except TableError:
            assume(False)
        found = only(baseline, table).report.main.counts[0]
    assert found.tolist() == [round(count) for count in baseline.counts[0].tolist()]


@pytest.mark.parametrize("cell", ["old", "1,5", "0x10", "5 years"])
def test_a_cell_that_is_no_number_is_named_with_its_file(cell: str, write: Writer, tmp_path: Path) -> None:
    frame = frame_of(some_rows(3_000))
    frame["age"] = frame["age"].map(str)
    frame.loc[2_500, "age"] = cell
    with pytest.raises(TableError, match=rf"t\.\w+, row 2,501: age: '{cell}' is not a number, .*--ignore age"):
        judged(small_baseline(), write(frame, tmp_path / "t"), bytes_at_once=10_000)


@pytest.mark.parametrize("values", [[[1]], [pd.Timestamp("2026-01-01")], [b"x"]], ids=str)
def test_a_type_that_holds_no_numbers_is_named(values: list[Any], tmp_path: Path) -> None:
    pd.DataFrame({"row": values}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(
        TableError, match=r"t\.parquet: row: it holds .*, where the baseline has numbers: .*--ignore row"
    ):
        judged(numbered(50)[0], tmp_path / "t.parquet")


def test_nested_categories_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"grade": [["5"]]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(
        TableError, match=r"t\.parquet: grade: it holds lists or objects, where the baseline has categories"
    ):
        judged(restrict(grades(), ["grade"]), tmp_path / "t.parquet")


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("content", ["", "row\n", "row,other\n"])
def test_a_table_without_rows_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(TableError, match=r"t\.csv"):
        judged(numbered(50)[0], tmp_path / "t.csv")


def test_a_parquet_file_without_rows_is_refused(tmp_path: Path) -> None:
    _, frame = numbered(50)
    frame[:0].to_parquet(tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"t\.parquet has no rows"):
        judged(numbered(50)[0], tmp_path / "t.parquet")


def test_a_file_that_breaks_off_is_refused(write: Writer, tmp_path: Path) -> None:
    table = write(frame_of(some_rows(3_000)), tmp_path / "t")
    whole = table.read_bytes()
    place = whole[: len(whole) // 2].rfind(b",")
    table.write_bytes(whole[:place])
    with pytest.raises(TableError, match=r"cannot read the table .*t\."):
        judged(small_baseline(), table, bytes_at_once=10_000)


def test_a_damaged_page_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    frame_of(some_rows(3_000)).to_parquet(table, compression="zstd")
    damaged = bytearray(table.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 4_000] = bytes(4_000)
    table.write_bytes(damaged)
    with pytest.raises(TableError, match=r"t\.parquet"):
        judged(small_baseline(), table)


# ---------------------------------------------------------------- history


def days(ages: Sequence[float], rows: int = 1_000) -> pd.DataFrame:
    """Return a table of days of so many rows, with the mean age of each; NaN is a day without rows."""
    parts = [
        usual_frame(rows, day, age=age).assign(at=START // DAY * DAY + day * DAY + np.arange(rows) * 80.0)
        for day, age in enumerate(ages)
        if not math.isnan(age)
    ]
    return pd.concat(parts)


EVERY_DAY = "1d"
TIMES: dict[str, Callable[[Any], Any]] = {
    "seconds": lambda at: at,
    "text": lambda at: pd.to_datetime(at, unit="s").dt.strftime("%Y-%m-%dT%H:%M:%S"),
    "text with an offset": lambda at: pd.to_datetime(at + 7_200, unit="s").dt.strftime("%Y-%m-%d %H:%M:%S+02:00"),
    "timestamps": lambda at: pd.to_datetime(at, unit="s"),
    "timestamps of a zone": lambda at: pd.to_datetime(at, unit="s", utc=True).dt.tz_convert("Europe/Zurich"),
}


@pytest.mark.parametrize("kind", TIMES)
def test_a_history_tells_in_which_period_a_drift_began(kind: str, write: Writer, tmp_path: Path) -> None:
    frame = days([40.0, 40.0, 50.0, math.nan, 50.0, 40.0, 40.0])
    frame["at"] = TIMES[kind](frame["at"])
    found = judged(small_baseline(), write(frame, tmp_path / "t"), time="at", every=EVERY_DAY, bytes_at_once=20_000)
    assert [(day.window, day.rows, day.report.verdicts[0].status) for day in found] == [
        ("2023-11-14", 1_000, Status.NORMAL),
        ("2023-11-15", 1_000, Status.NORMAL),
        ("2023-11-16", 1_000, Status.DRIFT_DETECTED),
        ("2023-11-18", 1_000, Status.DRIFT_DETECTED),
        ("2023-11-19", 1_000, Status.NORMAL),
        ("2023-11-20", 1_000, Status.NORMAL),
    ]
    assert [day.drifted for day in found] == [False, False, True, True, False, False]
    severities = [day.report.verdicts[0].severity for day in found]
    assert severities == [None, None, "critical", "critical", None, None]  # change that comes and goes is dependence
    assert [dict(day.since) for day in found] == [{}, {}, *[{"age": "2023-11-16"}] * 2, {}, {}]
    began = START // DAY * DAY + 2 * DAY + 49 * 80.0  # the first block of fifty rows of that day
    assert [day.report.verdicts[0].since for day in found] == [None, None, *[began] * 2, None, None]
    ends = [START // DAY * DAY + day * DAY + 999 * 80.0 for day in (0, 1, 2, 4, 5, 6)]
    assert [day.report.evaluated_at for day in found] == ends
    assert [day.report.rows_observed for day in found] == [1_000 * (place + 1) for place in range(6)]


def _expected_evidence(baseline: Baseline, counts: list[Any], at: list[float], hours: list[int]) -> list[Any]:
    """Return the evidence after each of some blocks."""
    detector = baseline.detector()
    seen, found = detector.start(), []
    for own, end, hour in zip(counts, at, hours, strict=True):
        seen = detector.advance(seen, Blocks(own[None], np.array([hour]), np.array([end])))
        found.append(seen)
    return found


def test_of_a_table_without_times_each_window_is_one_block(write: Writer, tmp_path: Path) -> None:
    tables = [write(usual_frame(700, seed, age=41.0 + seed), tmp_path / str(seed)) for seed in range(3)]
    found = judged(small_baseline(), *tables)
    counts = [window.report.main.counts for window in found]
    expected = _expected_evidence(small_baseline(), counts, [START] * 3, [0] * 3)
    for window, evidence in zip(found, expected, strict=True):
        np.testing.assert_equal(asdict(window.report.evidence), asdict(evidence))
    assert found[-1].report.evidence.values[0] > found[0].report.evidence.values[0]


@pytest.mark.parametrize("size", [3_000, 2_097_152])
def test_evidence_of_a_history_is_that_of_its_rows_in_blocks_of_fifty(size: int, write: Writer, tmp_path: Path) -> None:
    rows = 3_217
    frame = usual_frame(rows, age=42.0).assign(at=START + np.arange(rows) * 30.0)
    table = write(frame, tmp_path / "t")
    found = judged(small_baseline(), table, time="at", every="6h", bytes_at_once=size)
    own = np.floor((START + np.arange(rows) * 30.0) / 21_600)
    last = [int(place) for place in np.flatnonzero(np.diff(own, append=math.inf)) + 1]
    assert [window.report.rows_observed for window in found] == last
    whole = _cells_of(frame)
    codes = small_baseline().binner.codes(whole)
    ends = sorted({*range(50, rows + 1, 50), *last})
    counts = [small_baseline().binner.counts(codes[i:j]) for i, j in zip([0, *ends], ends, strict=False)]
    evidence = _expected_evidence(small_baseline(), counts, [START + (end - 1) * 30.0 for end in ends], [0] * len(ends))
    for window, end in zip(found, last, strict=True):
        np.testing.assert_equal(asdict(window.report.evidence), asdict(evidence[ends.index(end)]))


def _cells_of(frame: pd.DataFrame) -> FloatArray:
    """Return a table's rows as a monitor of the small baseline takes them."""
    city = small_baseline().bins[2].encode(frame["city"].tolist())
    return np.column_stack([frame["age"], frame["flag"].astype(float), city, frame["prediction"]])


def test_by_hour_of_the_day_rows_are_compared_with_their_hours(tmp_path: Path) -> None:
    baseline = timed_baseline()
    rows = 2_000
    generator = np.random.default_rng(7)
    at = START // DAY * DAY + 60.0 * np.arange(rows, dtype=np.float64)
    frame = pd.DataFrame(
        {
            "walk": generator.normal(0.0, 1.15, rows),
            "noise": generator.normal(size=rows),
            "letter": generator.choice(list("abc"), rows, p=[0.6, 0.3, 0.1]),
            "at": at,
        }
    )
    table = parquet_of(frame, tmp_path / "t")
    found = only(baseline, table, time="at")
    hours = np.bincount(hours_of(at), minlength=24)
    np.testing.assert_array_equal(found.report.main.reference, baseline.expected(hours))
    with pytest.raises(CheckError, match=r"by hour of the day: name the column of times \(--time COLUMN\)"):
        only(baseline, table)
    values = np.column_stack([frame["walk"], frame["noise"], baseline.bins[2].encode(frame["letter"].tolist())])
    codes = baseline.binner.codes(values)
    ends = [end for end in range(1, rows + 1) if end % 50 == 0 or end % 60 == 0]  # sixty rows an hour
    counts = [baseline.binner.counts(codes[i:j]) for i, j in zip([0, *ends], ends, strict=False)]
    own = [int(hours_of(at)[end - 1]) for end in ends]
    expected = _expected_evidence(baseline, counts, [float(at[end - 1]) for end in ends], own)
    np.testing.assert_equal(asdict(found.report.evidence), asdict(expected[-1]))


def test_each_period_is_judged_as_its_rows_alone(write: Writer, tmp_path: Path) -> None:
    frame = days([40.0, 43.0])
    found = judged(small_baseline(), write(frame, tmp_path / "t"), time="at", every=EVERY_DAY)
    for place, day in enumerate(found):
        rows = frame.iloc[place * 1_000 : (place + 1) * 1_000].sample(frac=1.0, random_state=1)
        alone = only(small_baseline(), write(rows, tmp_path / "alone"), time="at")
        assert np.array_equal(alone.report.main.counts, day.report.main.counts)
        one, other = alone.report.main.sample, day.report.main.sample
        assert np.array_equal(one.ks_statistic, other.ks_statistic, equal_nan=True)


def test_a_drift_is_held_until_it_clears(write: Writer, tmp_path: Path) -> None:
    table = write(days([50.0, 45.0, 40.0]), tmp_path / "t")
    free = judged(small_baseline(), table, time="at", every=EVERY_DAY)
    mild = float(free[1].report.main.psi.debiased[0])
    thresholds = {"psi_threshold_warning": mild / 0.9, "psi_threshold_critical": 9.0}
    held = judged(small_baseline(), table, time="at", every=EVERY_DAY, **thresholds)
    assert [day.drifted for day in held] == [True, True, False]
    assert "still large (PSI " in held[1].report.verdicts[0].reason
    alone = write(days([math.nan, 45.0]), tmp_path / "alone")
    assert not only(small_baseline(), alone, **thresholds).drifted


def test_several_tables_are_one_history(write: Writer, tmp_path: Path) -> None:
    tables = []
    for seed, age in enumerate([40.0, 50.0, 50.0]):
        (tmp_path / str(seed)).mkdir()
        tables.append(write(usual_frame(1_000, seed, age=age), tmp_path / str(seed) / "t"))
    found = judged(small_baseline(), *tables)
    assert [window.window for window in found] == ["t", "t-2", "t-3"]
    assert [window.tables for window in found] == [(table,) for table in tables]
    assert [dict(window.since) for window in found] == [{}, {"age": "t-2"}, {"age": "t-2"}]
    assert [window.report.evaluated_at for window in found] == [START] * 3


def test_a_period_may_lie_in_two_tables(write: Writer, tmp_path: Path) -> None:
    frame = days([40.0, 50.0, 40.0])
    whole = judged(small_baseline(), write(frame, tmp_path / "whole"), time="at", every=EVERY_DAY)
    tables = [write(frame[:1_400], tmp_path / "a"), write(frame[1_400:], tmp_path / "b")]
    parts = judged(small_baseline(), *tables, time="at", every=EVERY_DAY)
    assert [content(day) for day in parts] == [content(day) for day in whole]
    assert [len(day.tables) for day in parts] == [1, 2, 1]


def test_periods_shorter_than_a_day_are_named_by_their_time(tmp_path: Path) -> None:
    table = csv_of(days([40.0], rows=200), tmp_path / "t")
    found = judged(small_baseline(), table, time="at", every="2h")
    names = ["2023-11-14T00:00:00Z", "2023-11-14T02:00:00Z", "2023-11-14T04:00:00Z"]
    assert [(hour.window, hour.rows) for hour in found] == list(zip(names, [90, 90, 20], strict=True))


def test_times_before_1970_are_times(tmp_path: Path) -> None:
    baseline, frame = numbered(40)
    table = csv_of(frame.assign(at=np.arange(40) * 3_600 - 30 * 3_600), tmp_path / "t")
    found = judged(baseline, table, time="at", every=EVERY_DAY)
    assert [(day.window, day.rows) for day in found] == [("1969-12-30", 6), ("1969-12-31", 24), ("1970-01-01", 10)]


def test_the_first_and_the_last_days_of_the_calendar_are_times(tmp_path: Path) -> None:
    baseline, frame = numbered(4)
    times = ["0001-01-01", "0001-01-02T03:04:05", "9999-12-31", "9999-12-31T23:59:59"]
    table = csv_of(frame.assign(at=times), tmp_path / "t")
    found = judged(baseline, table, time="at", every="7d")
    assert [(week.window, week.rows) for week in found] == [("0001-01-01", 2), ("9999-12-30", 2)]


@settings(deadline=None, max_examples=examples(25))
@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=60).map(sorted), st.integers(60, 2_000))
def test_periods_are_those_that_pandas_groups(times: list[int], size: int) -> None:
    baseline, _ = numbered(50)
    with TemporaryDirectory() as folder:
        table = csv_of(pd.DataFrame({"row": 1, "at": times}), Path(folder) / "t")
        found = judged(baseline, table, time="at", every="3h", bytes_at_once=size)
    grouped = pd.Series(times).groupby(pd.Series(times) // 10_800)
    assert [day.rows for day in found] == grouped.size().tolist()
    assert [day.report.main.start for day in found] == grouped.min().tolist()
    assert [day.report.main.end for day in found] == grouped.max().tolist()


@pytest.mark.parametrize("size", [2_000, 2_097_152])
def test_a_row_of_an_earlier_period_is_refused(size: int, write: Writer, tmp_path: Path) -> None:
    frame = days([40.0, 40.0])
    early = frame.iloc[[300]]
    table = write(pd.concat([frame[:1_500], early, frame[1_500:]]), tmp_path / "t")
    with pytest.raises(
        TableError,
        match=r"t\.\w+: at goes back to 2023-11-14T06:40:00Z after the period of 2023-11-15T00:00:00Z has begun: sort",
    ):
        judged(small_baseline(), table, time="at", every=EVERY_DAY, bytes_at_once=size)
    assert only(small_baseline(), table, time="at").rows == 2_001


def test_tables_in_the_wrong_order_are_refused(write: Writer, tmp_path: Path) -> None:
    frame = days([40.0, 40.0])
    tables = [write(frame[1_000:], tmp_path / "b"), write(frame[:1_000], tmp_path / "a")]
    with pytest.raises(TableError, match=r"a\.\w+: at goes back to 2023-11-14T00:00:00Z"):
        judged(small_baseline(), *tables, time="at", every=EVERY_DAY)


def test_a_row_without_a_time_is_refused(write: Writer, tmp_path: Path) -> None:
    frame = days([40.0])
    frame.loc[[500, 501], "at"] = np.nan
    with pytest.raises(TableError, match=r"t\.\w+, rows 1 to 1,000: at: 2 rows have no time"):
        judged(small_baseline(), write(frame, tmp_path / "t"), time="at", bytes_at_once=10_000_000)


def test_an_absent_time_is_named(write: Writer, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="has no column when"):
        judged(small_baseline(), write(days([40.0]), tmp_path / "t"), time="when")


def test_by_hour_rows_in_any_order_are_all_weighed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftgauge.drift.evidence.progress._COUNTS_AT_ONCE", 1)  # parts of one step each
    baseline, rows = timed_baseline(), 4_000
    generator = np.random.default_rng(7)
    at = START // DAY * DAY + generator.permutation(21.0 * np.arange(rows))
    letters = generator.choice(list("abc"), rows, p=[0.6, 0.3, 0.1])
    noise = generator.normal(0.4, 1.0, rows)
    frame = pd.DataFrame({"walk": generator.normal(0.0, 1.15, rows), "noise": noise, "letter": letters, "at": at})
    found = only(baseline, parquet_of(frame, tmp_path / "t"), time="at").report.evidence
    values = np.column_stack([frame["walk"], frame["noise"], baseline.bins[2].encode(letters.tolist())])
    codes, hours = baseline.binner.codes(values), hours_of(at)
    turns = np.flatnonzero(hours[1:] != hours[:-1]) + 1
    ends = sorted({*turns.tolist(), *range(50, rows + 1, 50)})
    counts = [baseline.binner.counts(codes[i:j]) for i, j in zip([0, *ends], ends, strict=False)]
    own = [int(hours[end - 1]) for end in ends]
    expected = _expected_evidence(baseline, counts, [float(at[:end].max()) for end in ends], own)
    np.testing.assert_array_equal(found.values, expected[-1].values)
