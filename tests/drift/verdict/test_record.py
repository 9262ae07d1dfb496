"""What the history keeps of a report."""

from __future__ import annotations

import numpy as np
from driftgauge.drift.verdict.history import STATISTICS
from driftgauge.drift.verdict.record import recorded
from driftgauge.drift.verdict.rule import VERDICTS

from tests.monitors import START, small_monitor, some_rows


def test_a_report_is_kept_as_it_says() -> None:
    monitor = small_monitor()
    monitor.observe(some_rows(1_000, age=60.0), arrival=START)
    report = monitor.evaluate(START).report
    one = recorded(report)
    assert one.names == tuple(report.baseline.names)
    assert one.at.tolist() == [START]
    assert one.rows.tolist() == [1_000.0]
    assert [VERDICTS[rank] for rank in one.ranks[0]] == [(own.status, own.severity) for own in report.verdicts]
    assert VERDICTS[one.rank[0]] == (report.status, report.severity)
    main = report.main
    expected = {
        "psi_debiased": main.psi.debiased,
        "missing_ratio": main.shares.missing,
        "unseen_ratio": main.shares.unseen,
        "out_of_range_ratio": main.shares.out_of_range,
        "evidence_log10": report.evidence.log10,
    }
    assert {*expected} == {*STATISTICS}
    for name, values in expected.items():
        np.testing.assert_array_equal(one.column(name)[0], values.astype(np.float32))
    assert one.score_mean[0] == main.sample.mean[-1]


def test_a_report_without_rows_has_no_numbers() -> None:
    one = recorded(small_monitor().last.report)
    assert VERDICTS[one.rank[0]] == ("insufficient_data", None)
    assert np.isnan(one.psi).all()
    assert np.isnan(one.score_mean).all()
