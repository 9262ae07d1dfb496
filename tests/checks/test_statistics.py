from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driftgauge.checks.check import Check
from driftgauge.checks.options import CheckOptions
from driftgauge.checks.report_json import as_bytes
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.reference.baseline import Baseline
from driftgauge.drift.verdict.rule import Status
from driftgauge.errors import CheckError
from driftgauge.models.creation.baseline import BaselineOptions, create_baseline

ROWS = 4_000


def _table(shift: float = 0.0, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    numbers: dict[str, FloatArray] = {name: rng.normal(size=ROWS) for name in ("a", "b", "c")}
    numbers["a"] += shift
    return {**numbers, "city": rng.choice(["x", "y"], ROWS).tolist()}


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return create_baseline(_table())


def _check(baseline: Baseline, options: CheckOptions, shift: float = 0.25) -> Any:
    return Check(baseline, [_table(shift, seed=1)], options).report(now=0.0)


def test_the_statistic_of_a_column_decides_whether_its_change_is_large(baseline: Baseline) -> None:
    by_psi = _check(baseline, CheckOptions())
    assert by_psi.status is Status.NORMAL
    by_distance = _check(baseline, CheckOptions(statistic=("a=wasserstein",)))
    assert by_distance.status is Status.DRIFT_DETECTED
    assert "Wasserstein 0.2" in by_distance.reason
    assert _check(baseline, CheckOptions(statistic=("wasserstein",))).status is Status.DRIFT_DETECTED


def test_the_statistic_is_in_the_json(baseline: Baseline) -> None:
    found = _check(baseline, CheckOptions(statistic=("js",)))
    assert b'"judged_by"' in as_bytes(found)
    assert b'"judged_by"' not in as_bytes(_check(baseline, CheckOptions()))


def test_fewer_drifted_features_than_asked_for_are_no_drift_of_the_table(baseline: Baseline) -> None:
    options = CheckOptions(statistic=("wasserstein",), drift_share=0.5)
    report = _check(baseline, options)
    assert (report.status, report.has_drift) == (Status.NORMAL, False)
    assert "1 of 4 features drifted" in report.reason
    enough = CheckOptions(statistic=("wasserstein",), drift_share=0.25)
    assert _check(baseline, enough).has_drift


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("anova", "--statistic anova: there is no statistic anova; give psi, ks, wasserstein, js, kl, chi2"),
        ("a=anova", "--statistic a=anova: there is no statistic anova"),
        ("d=ks", "the baseline has no column d"),
        ("city=ks", "--statistic: ks needs a column of numbers, and city is none"),
    ],
)
def test_a_statistic_that_cannot_be_is_refused(baseline: Baseline, given: str, said: str) -> None:
    with pytest.raises(CheckError, match=said):
        _check(baseline, CheckOptions(statistic=(given,)))


def test_a_share_is_above_0_and_at_most_1() -> None:
    with pytest.raises(CheckError, match="--drift-share 2: give a number above 0, and at most 1"):
        CheckOptions(drift_share=2.0)


def test_expected_ranges_of_statistics_are_measured_on_demand() -> None:
    times = np.datetime64("2026-01-01", "s") + np.arange(ROWS)
    options = BaselineOptions(time="at", statistics=("ks", "js"))
    built = create_baseline({**_table(), "at": times.astype("datetime64[us]")}, options)
    assert set(built.columns[0].expected_sizes) == {"ks", "js"}
    assert set(built.columns[3].expected_sizes) == {"js"}
    assert built.novelty is not None
    assert set(built.novelty.column.expected_sizes) == {"js"}
