from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.drift.diagnosis.case import Case
from driftgauge.drift.diagnosis.causes import CauseKind
from driftgauge.drift.diagnosis.diagnosis import diagnose
from driftgauge.drift.diagnosis.facts import SystemFacts
from driftgauge.drift.diagnosis.steps import slowness, steps_of, system

from tests.drift.diagnosis.made import facts_of, made_baseline, table

USUAL = SystemFacts(
    latency_p95_seconds=0.010,
    latency_p99_seconds=0.020,
    latency_threshold_seconds=0.1,
    past_latency_p95_seconds=0.009,
    past_latency_p99_seconds=0.019,
    requests=1_000,
    error_ratio=0.0,
    queue_ratio=0.1,
    seconds_since_row=2.0,
    usual_seconds_between_rows=1.0,
    evaluation_age_seconds=5.0,
    evaluation_threshold_seconds=60.0,
)


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (replace(USUAL, latency_p95_seconds=0.016, slow_since=5.0), "slow_model"),
        (replace(USUAL, latency_p99_seconds=0.2, past_latency_p99_seconds=0.19), "slow_model"),
        (replace(USUAL, error_ratio=0.05), "server_errors"),
        (replace(USUAL, seconds_since_row=900.0), "no_rows"),
        (replace(USUAL, rows_lost=7), "rows_lost"),
        (replace(USUAL, evaluation_age_seconds=600.0), "monitoring_problem"),
        (replace(USUAL, queue_ratio=0.95), "monitoring_problem"),
        (replace(USUAL, problems=("The disk is full.",)), "monitoring_problem"),
    ],
)
def test_what_is_wrong_with_the_system_is_a_cause(facts: SystemFacts, kind: CauseKind) -> None:
    found = diagnose(facts_of(made_baseline(), table(1_500, 2), system=facts))
    assert [step.status for step in found.steps][-1] == "wrong"
    assert [own.kind for own in found.causes] == [kind]
    assert found.since == facts.slow_since


def test_a_system_as_usual_is_fine_and_says_what_was_looked_at() -> None:
    step = system(USUAL)
    assert (step.status, len(step.looked_at)) == ("fine", 6)
    assert system(SystemFacts()).looked_at == ("rows lost",)


def test_few_requests_are_not_slow() -> None:
    assert not slowness(replace(USUAL, latency_p95_seconds=1.0, requests=5)) >= 1.0


@pytest.mark.parametrize(
    "facts",
    [
        replace(USUAL, latency_p95_seconds=0.0008, past_latency_p95_seconds=0.0004),
        replace(USUAL, latency_p99_seconds=0.3, requests=100),
    ],
    ids=["too short to notice", "one slow request of a hundred"],
)
def test_a_rise_that_says_nothing_is_not_slow(facts: SystemFacts) -> None:
    assert slowness(facts) < 1.0
    assert system(facts).status == "fine"


def test_names_of_columns_stay_as_they_are() -> None:
    rows = table(1_500, 3)
    facts = facts_of(made_baseline(), table(1_500, 2), rows | {"temp": rows["temp"] + 20.0})
    drift, prediction = steps_of(Case(facts))[1:3]
    assert drift.finding.startswith("Drift in temp. temp: ")
    assert (drift.looked_at[0], prediction.looked_at[0]) == ("5 features", "1 answer of the model")
    young = steps_of(Case(facts_of(made_baseline(), table(20, 2))))[1]
    assert young.finding.startswith("distance: not enough data")


def test_a_latency_without_a_past_is_compared_with_its_threshold_alone() -> None:
    facts = SystemFacts(latency_p99_seconds=0.3, latency_threshold_seconds=0.1, requests=500)
    assert slowness(facts) == pytest.approx(3.0)
