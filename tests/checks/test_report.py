from __future__ import annotations

import math
import pickle
import sys
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.report import CheckReport
from driftgauge.checks.report_json import as_bytes
from driftgauge.checks.table import check
from driftgauge.errors import CheckError

from tests.checks.test_check import days, usual_frame
from tests.monitors import START, small_baseline


@pytest.fixture(scope="module")
def moved() -> CheckReport:
    """A report on people ten years older."""
    return check(small_baseline(), usual_frame(1_000, age=50.0), now=START)


@pytest.fixture(scope="module")
def history() -> CheckReport:
    """A report on three days; on the second, people are older."""
    return check(small_baseline(), days([40.0, 60.0, 50.0]), CheckOptions(time="at", every="1d"))


def test_a_report_says_the_verdict_and_why(moved: CheckReport) -> None:
    assert (moved.status, moved.severity, moved.has_drift) == ("drift_detected", "critical", True)
    assert moved.drifted_features == ("age",)
    assert moved.reason.startswith("age: mean 49.5 (reference: 39.9)")
    assert (moved.rows, len(moved.windows)) == (1_000, 1)


def test_a_report_without_drift_says_so() -> None:
    report = check(small_baseline(), usual_frame(1_000))
    assert (report.status, report.severity, report.has_drift, report.drifted_features) == ("normal", None, False, ())
    few = check(small_baseline(), usual_frame(150))
    assert (few.status, few.has_drift) == ("insufficient_data", False)


def test_a_report_is_one_line(moved: CheckReport, history: CheckReport) -> None:
    assert repr(moved) == f"<CheckReport: drift_detected (critical), 1,000 rows. {moved.reason}>"
    assert repr(history).startswith("<CheckReport: drift_detected (critical), 3,000 rows in 3 windows. age: mean 60")
    frame = usual_frame(600).assign(city='back\\slash "quote"\nnew line')
    awkward = check(small_baseline(), frame)
    assert "\n" in awkward.reason
    assert "\n" not in repr(awkward)


def test_a_report_is_neither_true_nor_false(moved: CheckReport) -> None:
    with pytest.raises(TypeError, match=r"use report\.has_drift"):
        bool(moved)


def test_a_history_says_what_its_worst_window_says(history: CheckReport) -> None:
    assert [verdict.window for verdict in history.windows] == ["2023-11-14", "2023-11-15", "2023-11-16"]
    assert history.worst is history.windows[1]
    assert history.reason == history.windows[1].report.reason
    assert history.has_drift


def test_a_history_without_drift_says_what_its_last_window_says() -> None:
    quiet = check(small_baseline(), days([40.0, 40.0]), CheckOptions(time="at", every="1d"))
    assert (quiet.worst, quiet.has_drift) == (quiet.windows[-1], False)


def test_the_dict_is_the_json_with_none_for_what_is_not_known(moved: CheckReport, history: CheckReport) -> None:
    for report in (moved, history):
        assert report.to_dict() == orjson.loads(as_bytes(report))
    assert moved.to_dict()["features"]["city"]["ks_statistic"] is None
    assert [period["window"] for period in history.to_dict()["periods"]] == [one.window for one in history.windows]


def test_a_report_is_pickled_whole(moved: CheckReport) -> None:
    assert pickle.loads(pickle.dumps(moved)).to_dict() == moved.to_dict()  # noqa: S301  # our own


# ---------------------------------------------------------------- DataFrames


def numbers_of(frame: pd.DataFrame, label: Any) -> dict[str, float | None]:
    row = frame.loc[label]
    return {
        name: None if math.isnan(row[name]) else float(row[name])
        for name in frame.columns.drop(["kind", "status", "severity", "reason"])
    }


def test_the_frame_has_a_row_per_column_with_the_numbers_of_the_json(moved: CheckReport) -> None:
    frame = moved.to_frame()
    told = moved.to_dict()
    assert frame.index.name == "column"
    assert frame.index[0] == "age"
    assert sorted(frame.index) == sorted(small_baseline().names)
    for name in frame.index:
        column = told["features"].get(name) or told[name]
        assert frame.loc[name, ["kind", "status", "reason"]].to_dict() == {
            key: column[key] for key in ("kind", "status", "reason")
        }
        threshold = column["psi_threshold"]["warning"]
        for key, value in numbers_of(frame, name).items():
            assert value == (threshold if key == "psi_threshold" else column[key])
    assert frame["severity"].to_dict()["age"] == "critical"
    assert frame["severity"].isna().to_dict()["flag"]
    assert all(frame[name].dtype == np.float64 for name in numbers_of(frame, "age"))


def test_the_frame_of_a_history_has_a_row_per_window_and_column(history: CheckReport) -> None:
    frame = history.to_frame()
    assert frame.index.names == ["window", "column"]
    assert len(frame) == 3 * len(small_baseline().names)
    assert frame.loc[("2023-11-15", "age"), "status"] == "drift_detected"
    told = history.to_dict()["periods"][1]["features"]["age"]
    assert numbers_of(frame, ("2023-11-15", "age"))["psi_debiased"] == told["psi_debiased"]


def test_a_frame_without_pandas_is_an_error_that_says_what_to_do(
    moved: CheckReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(CheckError, match=r"to_frame\(\) needs pandas: install it .*, or use to_dict\(\)"):
        moved.to_frame()
