from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.drift.performance.estimated import ESTIMATED_METRICS
from driftgauge.metrics.facts import LabelFacts
from driftgauge.metrics.monitor_gauges import MONITOR_GAUGES
from driftgauge.metrics.render import EVERYTHING, Exposed

from tests.examples import Example
from tests.expositions import CLICKS, FORMATS, Exposition, facts_of
from tests.monitors import START, observed, small_monitor

OF_LABELS = ("model_labels_waiting", "model_label_timestamp_seconds", "model_label_age_threshold_seconds")


def values(labels: LabelFacts | None, accept: str) -> dict[str, float]:
    shown = Exposition(accept, [replace(facts_of(small_monitor()), labels=labels)])
    return {name: sample.value for name in OF_LABELS if name in shown.families for sample in shown.family(name).samples}


@pytest.mark.parametrize("accept", FORMATS)
def test_labels_have_a_number_of_those_that_wait_and_the_time_of_the_newest(accept: str) -> None:
    assert values(LabelFacts(7, START, 600.0), accept) == dict(zip(OF_LABELS, (7.0, START, 600.0), strict=True))


@pytest.mark.parametrize("accept", FORMATS)
def test_before_the_first_label_there_is_no_time(accept: str) -> None:
    assert values(LabelFacts(0, None, 600.0), accept) == {
        "model_labels_waiting": 0.0,
        "model_label_age_threshold_seconds": 600.0,
    }


@pytest.mark.parametrize("accept", FORMATS)
def test_without_a_prediction_log_there_are_no_gauges_of_labels(accept: str) -> None:
    assert values(None, accept) == {}
    of_outcomes = {gauge.name for gauge in MONITOR_GAUGES if gauge.labels[:1] == ("outcome_name",)}
    assert {gauge.name for gauge in MONITOR_GAUGES if gauge.of_labels} == {*OF_LABELS, *of_outcomes}


@pytest.mark.parametrize("accept", FORMATS)
def test_each_outcome_has_its_mean_with_an_interval_and_a_verdict(accept: str) -> None:
    shown = Exposition(accept, [facts_of(small_monitor())])
    found = {
        name: shown.children(f"model_outcome_{name}", "outcome_name")[("click",)]
        for name in ("mean", "mean_lower", "mean_upper", "rows", "severity")
    }
    estimate = CLICKS.estimate
    wanted = (0.25, estimate.lower, estimate.upper, 40.0, 0.0)
    assert tuple(found.values()) == pytest.approx(wanted)


@pytest.mark.parametrize("accept", FORMATS)
def test_the_limits_of_an_outcome_stand_beside_its_mean(accept: str) -> None:
    shown = Exposition(accept, [facts_of(small_monitor())])
    for side, warning, critical in (("below", 0.1, 0.05), ("above", 0.9, 0.95)):
        limits = shown.children(f"model_outcome_threshold_{side}", "outcome_name", "severity")
        assert limits == {("click", "warning"): warning, ("click", "critical"): critical}


# ---------------------------------------------------------------- estimated performance


def _estimates(example: Example, accept: str, exposed: Exposed = EVERYTHING) -> dict[tuple[str, str], float]:
    monitor = observed(example, example.rows() * 4)
    shown = Exposition(accept, [facts_of(monitor)], exposed=exposed)
    return {
        (metric.gauge, sample.labels["window"]): sample.value
        for metric in ESTIMATED_METRICS
        if metric.gauge in shown.families
        for sample in shown.family(metric.gauge).samples
    }


@pytest.mark.parametrize("accept", FORMATS)
def test_estimates_are_shown_for_each_window_with_enough_rows(binary: Example, accept: str) -> None:
    found = _estimates(binary, accept)
    windows = {window for _, window in found}
    assert "1000" in windows
    assert "50" not in windows
    names = ("model_estimated_accuracy", "model_estimated_roc_auc")
    assert set(found) == {(name, window) for name in names for window in windows}
    assert all(0.8 < value <= 1.0 for value in found.values())


def test_estimates_of_windows_that_are_not_listed_are_left_out(binary: Example) -> None:
    found = _estimates(binary, FORMATS[0], Exposed(windows=frozenset()))
    assert {window for _, window in found} == {"1000"}


def test_a_baseline_alone_has_no_estimates() -> None:
    shown = Exposition(FORMATS[0], [facts_of(small_monitor())])
    assert [shown.family(metric.gauge).samples for metric in ESTIMATED_METRICS] == [[], [], []]
