"""What changed since an earlier verdict, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.verdict.history import STATISTICS, History
from driftgauge.drift.verdict.news import MOST_SENTENCES, news
from driftgauge.drift.verdict.record import recorded
from driftgauge.drift.verdict.report import DriftReport
from driftgauge.drift.verdict.rule import RANK, Severity, Status

from tests.monitors import START, small_monitor, some_rows


@pytest.fixture(scope="module")
def report() -> DriftReport:
    monitor = small_monitor()
    monitor.observe(some_rows(1_000), arrival=START)
    return monitor.evaluate(START).report


def verdict(status: Status, severity: Severity | None) -> tuple[Status, Severity | None]:
    return status, severity


NORMAL = verdict(Status.NORMAL, None)
INFO = verdict(Status.NORMAL, "info")
WARNING = verdict(Status.DRIFT_DETECTED, "warning")
CRITICAL = verdict(Status.DRIFT_DETECTED, "critical")


def changed(
    report: DriftReport,
    *,
    before: tuple[Status, Severity | None] = NORMAL,
    after: tuple[Status, Severity | None] = NORMAL,
    earlier: Mapping[str, float],
) -> tuple[str, ...]:
    """Return the news on the first column: its verdicts, and statistics that were different then."""
    same = recorded(report)
    verdicts = [replace(own, status=Status.NORMAL, severity=None) for own in report.verdicts]
    verdicts[0] = replace(verdicts[0], status=after[0], severity=after[1])
    ranks = np.full_like(same.ranks, RANK[NORMAL])
    ranks[0, 0] = RANK[before]
    statistics = same.statistics.copy()
    for name, value in earlier.items():
        statistics[0, STATISTICS.index(name), 0] = value
    then = replace(same, at=np.array([START - 86_400.0]), ranks=ranks, statistics=statistics)
    found = news(replace(report, verdicts=tuple(verdicts)), then)
    assert found.since == START - 86_400.0
    return found.sentences


def test_without_a_change_there_is_no_news(report: DriftReport) -> None:
    assert news(report, recorded(report)).sentences == ()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (NORMAL, INFO, "new significant change, for information"),
        (NORMAL, WARNING, "new drift, severity warning"),
        (INFO, CRITICAL, "new drift, severity critical"),
        (WARNING, CRITICAL, "severity rose from warning to critical"),
        (CRITICAL, WARNING, "severity fell from critical to warning"),
        (CRITICAL, NORMAL, "drift ended; severity was critical"),
        (WARNING, INFO, "drift ended; severity was warning, and a change is still significant"),
        (INFO, NORMAL, "no significant change any more"),
        (WARNING, (Status.INSUFFICIENT_DATA, None), "not enough data any more; severity was warning"),
    ],
)
def test_a_changed_severity_is_news(
    before: tuple[Status, Severity | None], after: tuple[Status, Severity | None], words: str, report: DriftReport
) -> None:
    assert changed(report, before=before, after=after, earlier={"psi_debiased": 2.5}) == (
        f"age: {words} (PSI fell from 2.50 to 0.07, limit 0.10).",
    )
    assert changed(report, before=before, after=after, earlier={"psi_debiased": math.nan}) == (
        f"age: {words} (PSI 0.07, limit 0.10).",
    )


def test_a_psi_that_grew_by_half_its_limit_is_news(report: DriftReport) -> None:
    assert changed(report, earlier={"psi_debiased": 0.0}) == ("age: PSI rose from 0.00 to 0.07, limit 0.10.",)
    assert changed(report, earlier={"psi_debiased": 0.03}) == changed(report, earlier={"psi_debiased": 2.0}) == ()
    assert changed(report, earlier={"psi_debiased": math.nan}) == ()


@pytest.mark.parametrize(
    ("statistic", "words"),
    [
        ("missing_ratio", "missing values"),
        ("out_of_range_ratio", "values outside the reference's range"),
    ],
)
def test_a_share_that_appeared_or_went_is_news(statistic: str, words: str, report: DriftReport) -> None:
    now = float(recorded(report).column(statistic)[0, 0])
    assert changed(report, earlier={statistic: now + 0.5})[0].startswith(
        f"age: {words} fell from {50 + 100 * now:.0f} % to "
    )
    rose = changed(report, earlier={statistic: now - 0.02})
    assert len(rose) == 1
    assert f" {words} rose from " in rose[0]
    assert changed(report, earlier={statistic: now - 0.005}) == changed(report, earlier={statistic: math.nan}) == ()


def test_a_changed_status_of_the_model_comes_first(report: DriftReport) -> None:
    then = replace(recorded(report), rank=np.array([RANK[WARNING]], np.uint8))
    severity = f" ({report.severity})" if report.severity else ""
    assert news(report, then).sentences == (
        f"The model's status changed from drift_detected (warning) to {report.status}{severity}.",
    )


def test_many_changes_are_a_few_sentences_and_a_number(report: DriftReport) -> None:
    names = tuple(f"c{number}" for number in range(50))
    then = _repeated(recorded(report), names)
    then.ranks[:] = RANK[CRITICAL]
    baseline = replace(report.baseline, columns=tuple(replace(report.baseline.columns[0], name=name) for name in names))
    calm = replace(report.verdicts[0], status=Status.NORMAL, severity=None)
    main = report.main
    wide = replace(
        main,
        psi=replace(main.psi, debiased=np.repeat(main.psi.debiased[:1], 50)),
        shares=replace(main.shares, **{name: np.repeat(own[:1], 50) for name, own in vars(main.shares).items()}),
        thresholds={name: np.repeat(own[:1], 50) for name, own in main.thresholds.items()},
        sizes=replace(main.sizes, statistics=("psi",) * 50),
    )
    many = replace(
        report,
        baseline=baseline,
        verdicts=tuple(replace(calm, name=name) for name in names),
        windows={**report.windows, main.name: wide},
        evidence=replace(report.evidence, values=np.repeat(report.evidence.values[:1], 50)),
        worst_first=tuple(range(50)),
    )
    sentences = news(many, then).sentences
    assert len(sentences) == MOST_SENTENCES + 1
    assert sentences[-1] == "30 more changes of columns."


def _repeated(history: History, names: tuple[str, ...]) -> History:
    return replace(
        history,
        names=names,
        ranks=np.repeat(history.ranks[:, :1], len(names), axis=1),
        statistics=np.repeat(history.statistics[:, :, :1], len(names), axis=2),
    )
