"""What is found stale, missing, inconsistent or drifted: what a real Prometheus answered, and one change to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pytest
from driftgauge.replicas.findings import KINDS, Finding, age, findings, several
from driftgauge.replicas.prometheus import Sample

from tests.replicas.recordings import FIRST, SECOND, THIRD, Recording, recorded, with_labels

FINE: Final = recorded("fine")
NOW: Final = ("up", "last_sample", "info", "gauges", "rows", "rate", "workers")
"""Queries that no longer find a server that has left."""


def replaced(recording: Recording) -> Recording:
    """Return it with another server in place of the third, which was there before."""
    for query in NOW:
        recording = recording.changed(query, lambda own: with_labels(own, instance="127.0.0.1:9"), instance=THIRD)
    return recording


def with_an_hour_ago(recording: Recording) -> Recording:
    return replace(recording, answers={**recording.answers, "info_before": recording.answers["info_lately"]})


def samples_are_old(recording: Recording) -> Recording:
    """Return it with a third server whose samples ended twelve minutes ago."""
    gone = with_an_hour_ago(recording).without(THIRD, *NOW)
    labels = {"job": "driftgauge", "instance": THIRD}
    return replace(gone, answers={**gone.answers, "last_sample_before": [Sample(labels, gone.at - 720)]})


def other_baseline(own: Sample) -> Sample:
    return with_labels(own, baseline_hash="b" * 64)


EACH: Final[Mapping[str, tuple[Recording, str]]] = {
    "no_samples": (samples_are_old(FINE), f"{THIRD} has sent no samples for 12 min"),
    "evaluation_stale": (
        FINE.with_gauge("model_evaluation_timestamp_seconds", FINE.at - 7_200, SECOND),
        f"{SECOND} evaluated it 2 h ago: its verdict is stale, or its clock is behind",
    ),
    "clock_ahead": (
        FINE.with_gauge("model_evaluation_timestamp_seconds", FINE.at + 7_200, SECOND),
        f"the clock of {SECOND} is at least 2 h ahead of that of Prometheus",
    ),
    "server_down": (recorded("killed"), f"{SECOND}, which had coin, does not answer"),
    "fewer_replicas": (
        with_an_hour_ago(FINE).without(THIRD, *NOW),
        f"2 servers have it now, 3 had it 1h ago; missing: {THIRD}",
    ),
    "model_unavailable": (FINE.with_gauge("model_available", 0.0, FIRST), f"{FIRST} could not load it"),
    "two_baselines": (
        FINE.changed("info", other_baseline, instance=SECOND),
        f"its servers compare with 2 baselines: 2e1caff78357 at {FIRST}, {THIRD}; bbbbbbbbbbbb at {SECOND}",
    ),
    "two_versions": (
        recorded("two_versions"),
        f"2 versions answer at once, as during a rollout: 7 at {FIRST}, {SECOND}; 8 at {THIRD}",
    ),
    "monitoring_problem": (
        FINE.with_gauge("model_monitoring_healthy", 0.0, THIRD),
        f"{THIRD} has a problem with its monitoring",
    ),
    "drift": (recorded("drift"), "drift is critical at 1 of 3 servers, 1 column; f11 has"),
    "performance": (
        FINE.with_gauge("model_performance_severity", 2.0, SECOND),
        "performance on ground truth is warning at 1 of 3 servers",
    ),
}


def found_in(recording: Recording) -> dict[str, Finding]:
    return {own.kind: own for own in findings(recording.overview())}


def test_nothing_is_wrong_with_servers_that_agree_and_answer() -> None:
    assert findings(FINE.overview()) == []
    assert set(EACH) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_found_and_its_sentence_says_where(kind: str) -> None:
    recording, sentence = EACH[kind]
    assert found_in(recording)[kind].sentence.startswith(sentence)


@pytest.mark.parametrize("kind", KINDS)
def test_each_can_be_left_out(kind: str) -> None:
    overview = EACH[kind][0].overview()
    left = findings(overview, ignored=[own for own in KINDS if own == kind])
    assert kind not in {own.kind for own in left}
    assert len(left) < len(findings(overview))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"no_samples", "server_down", "two_versions"}))
def test_a_change_of_one_thing_is_one_finding(kind: str) -> None:
    assert set(found_in(EACH[kind][0])) == {kind}


def test_a_server_that_another_took_the_place_of_is_not_missed() -> None:
    labels = {"job": "driftgauge", "instance": THIRD}
    rolled = replaced(with_an_hour_ago(FINE))
    rolled = replace(rolled, answers={**rolled.answers, "last_sample_before": [Sample(labels, rolled.at - 720)]})
    assert findings(rolled.overview()) == []


def test_a_model_that_no_server_has_any_more_is_missed() -> None:
    before = with_an_hour_ago(FINE)
    other = [with_labels(own, model_name="other") for own in before.answers["info_before"]]
    gone = replace(before, answers={**before.answers, "info_before": [*before.answers["info_before"], *other]})
    (found,) = findings(gone.overview())
    assert (found.kind, found.model_name) == ("fewer_replicas", "other")
    assert found.sentence == f"no server has it now, 3 had it 1h ago; missing: {FIRST}, {SECOND}, {THIRD}"


def test_a_server_that_is_down_is_said_once() -> None:
    killed = with_an_hour_ago(recorded("killed"))
    assert [own.kind for own in findings(killed.overview())] == ["server_down", "two_versions"]


def test_a_shadow_is_no_second_version_and_its_drift_no_alarm() -> None:
    shadow = recorded("two_versions").with_gauge("model_live", 0.0, THIRD)
    shadow = shadow.with_gauge("model_drift_severity", 3.0, THIRD)
    drifted = [own.model_version for own in findings(shadow.overview()) if own.kind == "drift"]
    assert "two_versions" not in found_in(shadow)
    assert drifted == ["7"]


def test_the_age_from_which_samples_are_stale_can_be_chosen() -> None:
    found = samples_are_old(FINE).overview()
    assert "no_samples" not in {own.kind for own in findings(found, stale_seconds=900.0)}


def test_servers_with_problems_are_said_together() -> None:
    both = EACH["monitoring_problem"][0].with_gauge("model_monitoring_healthy", 0.0, FIRST)
    assert found_in(both)["monitoring_problem"].sentence.startswith(
        f"{FIRST}, {THIRD} have problems with their monitoring"
    )


def test_a_clock_that_is_nearly_right_is_right() -> None:
    assert findings(FINE.with_gauge("model_evaluation_timestamp_seconds", FINE.at + 30, SECOND).overview()) == []


@pytest.mark.parametrize(
    ("count", "text"), [(2, "0, 1"), (5, "0, 1, 2, 3, 4"), (1_005, "0, 1, 2, 3, 4 and 1,000 more")]
)
def test_a_sentence_names_five_of_very_many(count: int, text: str) -> None:
    assert several([str(number) for number in range(count)]) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (42, "42 s"), (720, "12 min"), (10_800, "3 h"), (345_600, "4 d")]
)
def test_an_age_is_said_in_its_largest_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text
