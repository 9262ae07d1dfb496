from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.verdict.column_statistics import BY_NAME, COLUMN_STATISTICS, MOMENTS, ColumnStatistic
from driftgauge.drift.verdict.comparison import WindowReport

from tests.monitors import START, small_baseline, small_monitor, some_rows


def window() -> WindowReport:
    monitor = small_monitor()
    monitor.observe(some_rows(900), arrival=START)
    return monitor.evaluate(START).report.main


def test_names_and_metrics_are_unique() -> None:
    gauges = [statistic.gauge for statistic in COLUMN_STATISTICS if statistic.gauge]
    assert len(set(gauges)) == len(gauges)
    assert len(BY_NAME) == len(COLUMN_STATISTICS)
    assert [own.name for own in MOMENTS] == ["mean", "std", "min", "max", "p05", "p50", "p95"]


@pytest.mark.parametrize("statistic", COLUMN_STATISTICS, ids=lambda own: str(own.name))
def test_each_has_one_or_two_sentences_and_a_number_for_every_column(statistic: ColumnStatistic) -> None:
    assert re.fullmatch(r"[A-Z].*\.", statistic.help)
    found = statistic.values(window())
    assert found.shape == (len(small_baseline().columns),)
    assert np.isfinite(found[0]) or statistic.name in ("unseen_ratio", "psi_expected_max")
    if statistic.unit == "ratio":
        assert ((found >= 0) & (found <= 1) | np.isnan(found)).all()


def test_a_column_without_numbers_has_no_rows_to_show() -> None:
    own = window()
    rows = BY_NAME["value_rows"]
    shown = rows.values(replace(own, sample=replace(own.sample, rows=np.array([5, 0, 7, 0]))))
    np.testing.assert_array_equal(shown, [5.0, np.nan, 7.0, np.nan])
    assert rows.getter(own).dtype.kind == "i"


def test_moments_are_those_of_the_rows() -> None:
    rows = some_rows(900)
    finite = rows[np.isfinite(rows[:, 0]), 0]
    own = window()
    expected = [finite.mean(), finite.std(), finite.min(), finite.max(), *np.quantile(finite, [0.05, 0.5, 0.95])]
    assert [statistic.values(own)[0] for statistic in MOMENTS] == pytest.approx(expected)
