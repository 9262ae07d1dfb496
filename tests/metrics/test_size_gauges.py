from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.verdict.policy import STATISTICS, ColumnPolicy, Statistic
from driftgauge.monitor.monitor import ColumnMonitor

from tests.expositions import TEXT, Exposition, facts_of
from tests.monitors import START, small_monitor, small_options, some_rows

NAMES = {
    "ks": "ks_statistic",
    "wasserstein": "wasserstein_ratio",
    "js": "js_distance",
    "kl": "kl_divergence",
    "chi2": "cramers_v",
}
OF_A_STATISTIC = [f"model_feature_{name}_{what}" for name in NAMES.values() for what in ("debiased", "threshold")]
OTHERS = ["model_feature_drift_score", "model_drift_share_ratio", "model_drift_share_threshold_ratio"]


def _monitor(
    statistic: Statistic = "psi", drift_share: float | None = None, rows: FloatArray | None = None
) -> ColumnMonitor:
    """Return a monitor of drifted rows whose column `flag` is judged by PSI."""
    options = small_options(200, 1_000)
    policy = replace(
        options.policy, statistic=statistic, columns={"flag": ColumnPolicy(statistic="psi")}, drift_share=drift_share
    )
    monitor = small_monitor(options=replace(options, policy=policy))
    monitor.observe(some_rows(1_500, age=65.0) if rows is None else rows, arrival=START)
    monitor.evaluate(START + 1)
    return monitor


def test_nothing_is_added_where_psi_judges_all_columns() -> None:
    exposition = Exposition(TEXT, [facts_of(_monitor())])
    assert not {*OF_A_STATISTIC, *OTHERS} & set(exposition.families)


@pytest.mark.parametrize("statistic", STATISTICS[1:])
def test_columns_show_the_statistic_that_judges_them_beside_its_thresholds(statistic: Statistic) -> None:
    monitor = _monitor(statistic)
    exposition, main = Exposition(TEXT, [facts_of(monitor)]), monitor.last.report.main
    debiased = exposition.children(f"model_feature_{NAMES[statistic]}_debiased", "feature_name", "window")
    limits = exposition.children(f"model_feature_{NAMES[statistic]}_threshold", "feature_name", "window", "severity")
    relative = exposition.children("model_feature_drift_score", "feature_name", "window")
    assert debiased["age", main.name] == main.sizes.debiased[0]
    assert limits["age", main.name, "warning"] == main.sizes.thresholds["warning"][0]
    assert relative["age", main.name] == main.effect("warning")[0]
    assert {column for column, _ in relative} == {column for column, _ in debiased}
    assert "flag" not in {column for column, _ in debiased}
    of_psi = exposition.children("model_feature_psi_threshold", "feature_name", "window", "severity")
    assert {column for column, *_ in of_psi} == {"age", "flag", "city", "prediction"} - {
        column for column, _ in debiased
    }


def test_the_share_of_drifted_features_stands_beside_what_the_setting_asks_for() -> None:
    rows = some_rows(1_500, age=65.0)
    rows[:, 1] = np.arange(1_500) % 2.0  # as in the reference
    exposition = Exposition(TEXT, [facts_of(_monitor(drift_share=0.9, rows=rows))])
    assert exposition.children("model_drift_share_ratio") == {(): pytest.approx(2 / 3)}
    assert exposition.children("model_drift_share_threshold_ratio") == {(): 0.9}
    severity = exposition.children("model_feature_drift_severity", "feature_name")
    assert severity["age",] == 1.0  # info: no alert
    assert exposition.children("model_drift_severity") == {(): 1.0}
