from __future__ import annotations

from driftgauge.checks.check import Check
from driftgauge.checks.evaluator import Evaluator
from driftgauge.checks.options import CheckOptions
from driftgauge.drift.profile.window import blocks_of, window_of

from tests.checks.test_profile_check import day_of, profiles_of
from tests.monitors import START, small_baseline


def test_windows_are_judged_as_a_check_judges_them_and_remember_when_a_drift_began() -> None:
    baseline, policy = small_baseline(), CheckOptions().policy
    tables = [day_of(1_000, age=age, seed=seed) for seed, age in enumerate((60.0, 61.0))]
    detector = policy.detector(baseline)
    evaluator, evidence = Evaluator(baseline, policy, detector), detector.start()
    verdicts = []
    for name, profile in zip(("table", "table-2"), profiles_of(tables, baseline), strict=True):
        evidence = detector.advance(evidence, blocks_of(profile, baseline, START))
        verdicts.append(evaluator.verdict(window_of(profile, baseline, name), evidence, START, (), 0))
    expected = Check(baseline, tables).report(START).windows
    assert [own.report.severity for own in verdicts] == [own.report.severity for own in expected]
    assert [own.since for own in verdicts] == [own.since for own in expected]
    assert verdicts[1].since["age"] == "table"
    assert verdicts[1].report.rows_observed == 2_000
