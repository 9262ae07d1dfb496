from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.drift.multivariate.classifier import Separation
from driftgauge.drift.multivariate.compared import (
    ComparedRows,
    RowComparison,
    dumps,
    loads,
    with_whole_rows,
)
from driftgauge.drift.multivariate.components import Reconstruction
from driftgauge.drift.multivariate.report import MultivariateReport
from driftgauge.drift.multivariate.thresholds import AucThresholds
from driftgauge.drift.verdict.rule import Status

from tests.expositions import drifted, idle

START = 1_700_000_000.0


def known(low: float, *, in_verdict: bool = False) -> ComparedRows:
    separation = Separation(low + 0.02, low, low + 0.04, ((0, 0.1),))
    rebuilt = Reconstruction(2, 1.0, 1.5, 0.5, 0.4, 0.6)
    report = MultivariateReport(2_000, 1_500, separation, (("age", 0.1),), rebuilt, "rows can be told apart")
    return ComparedRows(RowComparison(report, START, 1.5), {"compared": 3, "timed_out": 1}, in_verdict=in_verdict)


@pytest.mark.parametrize(
    ("low", "in_verdict", "severity"),
    [
        (0.45, False, "info"),  # by the reconstruction error
        (0.7, False, "info"),
        (0.9, False, "info"),
        (0.6, True, "info"),
        (0.65, True, "info"),
        (0.66, True, "warning"),
        (0.8, True, "warning"),
        (0.81, True, "critical"),
    ],
)
def test_severity_is_above_info_only_in_the_verdict_and_beyond_a_threshold(
    low: float, in_verdict: bool, severity: str
) -> None:
    assert known(low, in_verdict=in_verdict).severity == severity


def test_rows_that_are_alike_have_no_severity() -> None:
    own = known(0.45, in_verdict=True)
    assert own.last is not None
    alike = replace(own, last=replace(own.last, report=replace(own.last.report, reconstruction=None)))
    assert (alike.severity, ComparedRows(in_verdict=True).severity) == (None, None)


def test_the_verdict_is_raised_and_never_lowered() -> None:
    quiet, loud = idle().last.report, drifted().last.report
    raised = with_whole_rows(quiet, known(0.7, in_verdict=True))
    assert (raised.status, raised.severity) == (Status.DRIFT_DETECTED, "warning")
    assert raised.reason.startswith("whole rows: rows can be told apart. ")
    assert raised.verdicts == quiet.verdicts
    assert with_whole_rows(loud, known(0.7, in_verdict=True)) is loud
    assert with_whole_rows(quiet, known(0.9, in_verdict=False)) is quiet
    assert with_whole_rows(quiet, known(0.6, in_verdict=True)) is quiet


def test_a_stale_comparison_has_no_severity_and_is_no_part_of_the_verdict() -> None:
    quiet, stale = idle().last.report, replace(known(0.9, in_verdict=True), is_stale=True)
    assert stale.severity is None
    assert with_whole_rows(quiet, stale) is quiet


def test_comparisons_survive_their_text() -> None:
    own = known(0.7)
    again = loads(dumps(own, "abc"), "abc")
    assert again.last == own.last
    assert again.results == {"compared": 3, "too_few_rows": 0, "timed_out": 1, "failed": 0}
    assert again.thresholds == AucThresholds()


DAMAGED = ("", "{", "[]", "3", '{"baseline": "abc"}', '{"baseline": "abc", "last": 3, "results": {}}')


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_text_is_as_none(text: str) -> None:
    assert loads(text, "abc").last is None


def test_text_of_another_baseline_is_as_none() -> None:
    assert loads(dumps(known(0.7), "abc"), "abd") == ComparedRows()
