from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.checks.assertions.suite import suite
from driftgauge.checks.options import CheckOptions
from hypothesis import given, settings
from hypothesis import strategies as st

ROWS = 5_000
IN_PARTS = CheckOptions(bytes_at_once=4_096)


def frame(rows: int = ROWS) -> pd.DataFrame:
    """A table with gaps, repeated rows, and columns of several types."""
    random = np.random.default_rng(7)
    age = random.normal(40.0, 10.0, rows).round(1)
    age[random.random(rows) < 0.1] = np.nan
    found = pd.DataFrame(
        {
            "id": np.arange(rows) + 2**60,
            "age": age,
            "visits": random.integers(0, 5, rows),
            "country": random.choice(["DE", "FR", "IT"], rows),
            "joined": pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 9, rows), unit="D"),
            "active": random.random(rows) < 0.3,
        }
    )
    found.loc[::50, "country"] = None
    return found


def value(text: str, table: Any, options: CheckOptions = IN_PARTS) -> float | str | None:
    """Return the value of a function, read in many parts."""
    (outcome,) = (
        suite(text + " != -1" if "dtype" not in text else text + " == nothing").run(table, None, options).outcomes
    )
    return outcome.value


@pytest.fixture(params=["memory", "csv", "parquet", "jsonl"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The same rows in each format."""
    found = frame()
    path = tmp_path / f"table.{request.param}"
    if request.param == "csv":
        found.to_csv(path, index=False)
    elif request.param == "parquet":
        found.to_parquet(path)
    elif request.param == "jsonl":
        found.assign(joined=found["joined"].astype(str)).to_json(path, orient="records", lines=True)
    return found if request.param == "memory" else path


ORACLE: dict[str, Callable[[Any], Any]] = {
    "rows": lambda f: len(f),
    "columns": lambda f: f.shape[1],
    "missing(age)": lambda f: f["age"].isna().mean(),
    "missing_count(country)": lambda f: f["country"].isna().sum(),
    "missing_cells": lambda f: f.isna().sum().sum(),
    "missing_cell_share": lambda f: f.isna().mean().mean(),
    "unique(id)": lambda f: f["id"].nunique() / len(f),
    "unique(age)": lambda f: f["age"].nunique() / f["age"].count(),
    "distinct(country)": lambda f: f["country"].nunique(),
    "distinct(joined)": lambda f: f["joined"].nunique(),
    "distinct(active)": lambda f: f["active"].nunique(),
    "duplicates": lambda f: f.duplicated().sum(),
    "duplicates(age, visits, country)": lambda f: f.duplicated(["age", "visits", "country"]).sum(),
    "duplicate_share(visits)": lambda f: f.duplicated(["visits"]).mean(),
    "empty_rows": lambda f: f.isna().all(axis=1).sum(),
    "min(age)": lambda f: f["age"].min(),
    "max(age)": lambda f: f["age"].max(),
    "range(age)": lambda f: np.ptp(f["age"].dropna()),
    "mean(age)": lambda f: f["age"].mean(),
    "std(age)": lambda f: f["age"].std(ddof=0),
    "sum(visits)": lambda f: f["visits"].sum(),
    "mean(active)": lambda f: f["active"].mean(),
    "median(age)": lambda f: f["age"].median(),
    "quantile(age, 0.95)": lambda f: np.quantile(f["age"].dropna(), 0.95),
    "in_range(age, 30, 50)": lambda f: f["age"].dropna().between(30, 50).mean(),
    "in_list(country, DE, FR)": lambda f: f["country"].dropna().isin(["DE", "FR"]).mean(),
    "in_list(visits, 1, 2)": lambda f: f["visits"].isin([1, 2]).mean(),
    "in_list(active, true)": lambda f: f["active"].mean(),
    'matches(country, "D.|F.*")': lambda f: f["country"].dropna().str.fullmatch("D.|F.*").mean(),
}


@pytest.mark.parametrize("function", ORACLE)
def test_values_are_those_of_pandas_in_every_format(function: str, table: Any) -> None:
    assert value(function, table) == pytest.approx(float(ORACLE[function](frame())), rel=1e-12)


def test_rows_are_duplicates_and_empty_as_in_pandas() -> None:
    found = pd.DataFrame({"a": [1.0, 1.0, None, None, 1.0], "b": ["x", "x", None, None, None]})
    assert value("duplicates", found) == found.duplicated().sum() == 2
    assert value("duplicate_share", found) == 0.4
    assert value("empty_rows", found) == 2


TYPES = {
    "id": "integer",
    "age": "float",
    "visits": "integer",
    "country": "text",
    "joined": "timestamp",
    "active": "boolean",
}


@pytest.mark.parametrize("column", TYPES)
def test_types_are_those_that_are_stored_or_spelled(column: str, table: Any) -> None:
    is_json = str(table).endswith(".jsonl")
    assert value(f"dtype({column})", table) == ("text" if is_json and column == "joined" else TYPES[column])


def test_a_number_is_an_integer_or_a_float() -> None:
    found = {"a": [1, 2], "b": [1.5, 2.0], "c": ["x", "y"]}
    report = suite("dtype(a) == number", "dtype(b) == number", "dtype(c) != number", "dtype(a) == float").run(found)
    assert [one.passed for one in report.outcomes] == [True, True, True, False]


def test_in_a_csv_file_na_is_missing_among_numbers_and_a_value_in_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("n,t,q\n1,NA,\nNA,b,\n , ,\n,,\n", "utf-8")
    assert value("missing_count(n)", path) == 3
    assert value("missing_count(t)", path) == 1
    assert value("missing(q)", path) == 1.0
    assert value("dtype(q)", path) == "nothing"
    assert value("missing_cells", path) == 3 + 1 + 4


def test_a_csv_column_that_turns_out_to_be_text_late_is_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "NA\n1\n" * 5_000 + "x\n", "utf-8")
    assert value("dtype(a)", path) == "text"
    assert value("missing(a)", path) == 0.0
    path.write_text("a\n" + "true\n" * 5_000 + "5\n" * 5_000, "utf-8")
    assert value("dtype(a)", path) == "text"


def test_a_column_of_several_types_in_a_folder_is_mixed(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "1.parquet")
    pd.DataFrame({"a": ["x"]}).to_parquet(tmp_path / "2.parquet")
    assert value("dtype(a)", tmp_path) == "mixed"
    pd.DataFrame({"a": [1.0, 2.5]}).to_parquet(tmp_path / "2.parquet")
    assert value("dtype(a)", tmp_path) == "float"
    assert value("distinct(a)", tmp_path) == 3


def test_a_cell_of_the_wrong_kind_fails_its_assertion_alone_and_names_the_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "1\n" * 4_000 + "x\n", "utf-8")
    report = suite("mean(a) > 0", "rows == 4001").run(path, None, IN_PARTS)
    assert [(one.passed, one.value, one.problem) for one in report.outcomes] == [
        (False, None, "row 4,001: a: 'x' is not a number"),
        (True, 4_001.0, ""),
    ]


def test_a_value_of_no_rows_is_unknown_and_fails() -> None:
    report = suite("mean(a) > 0", "mean(a) <= 0", "sum(a) == 0", "rows == 0", "unique(a) == 1").run({"a": []})
    assert [one.passed for one in report.outcomes] == [False, False, True, True, False]
    assert report.outcomes[0].problem == "it is not defined: there are no rows to compute it from"


def test_moments_are_of_finite_numbers() -> None:
    found = {"a": [1.0, np.inf, np.nan, 3.0]}
    assert value("mean(a)", found) == 2.0
    assert value("max(a)", found) == 3.0
    assert value("in_range(a, 0, 5)", found) == pytest.approx(2 / 3)


def test_a_quantile_of_many_rows_is_of_a_sample_and_says_so() -> None:
    numbers = np.random.default_rng(1).permutation(20_000).astype(float)
    (outcome,) = (
        suite("quantile(a, 0.25) between 4500 and 5500")
        .run({"a": numbers}, None, CheckOptions(held_rows=5_000, bytes_at_once=4_096))
        .outcomes
    )
    assert outcome.passed
    assert outcome.note == "of a random sample of 5,000 of 20,000 rows"
    assert outcome.reason.endswith("(of a random sample of 5,000 of 20,000 rows)")


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(-(2**63), 2**63 - 1)), max_size=30))
def test_distinct_numbers_are_counted_as_python_counts_them(numbers: list[float | int | None]) -> None:
    integers = [one for one in numbers if isinstance(one, int)]
    floats = [one for one in numbers if isinstance(one, float) and one == one]
    assert value("distinct(a)", {"a": np.array(integers, dtype=np.int64)}) == len(set(integers))
    assert value("distinct(a)", {"a": np.array(floats, dtype=np.float64)}) == len(set(floats))


@pytest.mark.parametrize("size", [4_096, 1 << 20])
@pytest.mark.parametrize("big", [1e200, -1.5e308])
def test_what_exceeds_the_largest_number_is_unknown(big: float, size: int) -> None:
    table = {"x": [1.0, 2.0, big, big, 3.0] * 600}
    names = ("std", "mean", "sum") if abs(big) > 1e300 else ("std",)
    for name in names:
        (outcome,) = suite(f"{name}(x) < 1e9").run(table, None, CheckOptions(bytes_at_once=size)).outcomes
        assert (outcome.passed, outcome.problem) == (
            False,
            "it is not defined: the numbers are infinite or too large to compute it",
        )
    assert value("median(x)", table) == pytest.approx(np.median(table["x"]))
    assert value("min(x)", table) == min(table["x"])
    if big == 1e200:
        assert value("mean(x)", table) == pytest.approx(4e199)
