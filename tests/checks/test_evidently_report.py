"""Evidently's report beside Evidently itself, in the environment that `make test-all` has for it."""

from __future__ import annotations

import functools
import json
import math
from typing import Any

import numpy as np
import pytest
from driftgauge.checks.evidently_report import EvidentlyReport, evidently_report
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories, Table
from driftgauge.drift.statistics.psi import js_distance
from driftgauge.errors import CheckError

ROWS = 4_000
SCRIPT = "</script><script>alert(1)</script>"
CITIES = ("north", "south", SCRIPT)


def rows(seed: int, age: float, shares: tuple[float, ...]) -> FloatArray:
    """Return rows of two columns, the second one of codes, with gaps in both."""
    random = np.random.default_rng(seed)
    found = np.column_stack(
        [random.normal(age, 10.0, ROWS), random.choice(3, ROWS, p=shares).astype(np.float64)],
    )
    found[::20, 0], found[::30, 1] = np.nan, np.nan
    return found


REFERENCE = rows(1, 40.0, (0.5, 0.3, 0.2))
MOVED = rows(2, 44.0, (0.2, 0.6, 0.2))


@functools.cache
def baseline() -> Baseline:
    codes = np.where(np.isnan(REFERENCE[:, 1]), -1, REFERENCE[:, 1]).astype(np.int64)
    table: Table = {"age": REFERENCE[:, 0], "city": Categories(codes, CITIES)}
    return build_baseline(table, created="2026-01-01T00:00:00Z")


def coded(values: FloatArray) -> FloatArray:
    """Return rows with the baseline's own codes of the cities."""
    codes = np.append(baseline().columns[1].bins.encode(CITIES), np.nan)
    found = values.copy()
    found[:, 1] = codes[np.nan_to_num(values[:, 1], nan=3).astype(np.int64)]
    return found


@pytest.fixture(scope="module")
def report() -> EvidentlyReport:
    return evidently_report(baseline(), coded(MOVED), coded(REFERENCE))


def values_of(report: EvidentlyReport) -> dict[str, Any]:
    """Return Evidently's values by the metric's name up to its options."""
    return {
        own["metric_name"].split(",method")[0].removesuffix(")") + ")": own["value"]
        for own in json.loads(report.json)["metrics"]
    }


pytestmark = pytest.mark.filterwarnings("ignore")  # of Evidently's code


def test_values_are_those_of_the_rows(report: EvidentlyReport) -> None:
    found = values_of(report)
    assert found["RowCount()"] == ROWS
    assert found["MeanValue(column=age)"] == pytest.approx(np.nanmean(MOVED[:, 0]))
    assert found["MissingValueCount(column=city)"]["count"] == np.isnan(MOVED[:, 1]).sum()


def test_drift_is_the_same_statistic_where_we_have_it(report: EvidentlyReport) -> None:
    found = values_of(report)
    ours = baseline().sample_comparison(np.ascontiguousarray(coded(MOVED).T))
    assert found["ValueDrift(column=age)"] == pytest.approx(ours.wasserstein_ratio[0], rel=0.01)
    counts = [np.bincount(own[:, 1][~np.isnan(own[:, 1])].astype(np.int64)) for own in (REFERENCE, MOVED)]
    distance = float(js_distance(*(own.astype(np.float64) for own in counts)))
    assert found["ValueDrift(column=city)"] == pytest.approx(distance * math.sqrt(math.log(2.0)))


def test_a_change_in_both_columns_is_seen(report: EvidentlyReport) -> None:
    assert (report.drifted, report.columns, report.empty) == (2, 2, ())


def test_rows_of_the_reference_do_not_drift() -> None:
    same = evidently_report(baseline(), coded(REFERENCE), coded(REFERENCE))
    assert (same.drifted, same.columns) == (0, 2)


def test_the_page_stands_alone_and_runs_nothing_of_a_name(report: EvidentlyReport) -> None:
    assert report.html.lstrip().startswith("<!DOCTYPE html>")
    assert "alert(1)" in report.html
    assert "<script>alert(1)" not in report.html


def test_a_column_without_values_is_left_out() -> None:
    empty = coded(MOVED)
    empty[:, 1] = np.nan
    found = evidently_report(baseline(), empty, coded(REFERENCE))
    assert (found.columns, found.empty) == (1, ("city",))


def test_rows_without_any_value_are_refused() -> None:
    with pytest.raises(CheckError, match="no column has values in the rows and in the reference"):
        evidently_report(baseline(), np.full((5, 2), np.nan), coded(REFERENCE))


def test_a_single_row_is_reported() -> None:
    found = evidently_report(baseline(), coded(MOVED)[1:2], coded(REFERENCE))
    assert values_of(found)["RowCount()"] == 1
