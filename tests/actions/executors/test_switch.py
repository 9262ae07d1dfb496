from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from driftgauge.actions.action import Action, ActionFailed, Alert, Decision, Outcome
from driftgauge.actions.executors.switch import SwitchExecutor, Target

from tests.actions.decided import EXECUTION, HOSTILE, Sent, action_of, alert_of, decision_of


class Model:
    """The versions of a model in memory, and what is known against each."""

    def __init__(self, *versions: str) -> None:
        self.stack = list(versions)
        self.changes: list[tuple[str, str, str, str]] = []
        """From, to, who and why."""
        self.alarms: dict[str, str] = {}
        self.worse_by: str | None = None
        self.ends_after_switch = False
        """Whether the process ends before anybody hears of the switch."""

    def live(self, model: str) -> str:
        """Return the last of the stack."""
        assert model == "churn"
        return self.stack[-1]

    def last(self, model: str) -> Target:
        """Return the one before."""
        if len(self.stack) < 2:
            raise ActionFailed(f"{model} has no earlier version", retryable=False)
        return Target(self.stack[-2])

    def named(self, model: str, version: str) -> Target:
        """Return a version of the stack."""
        if version not in self.stack:
            raise ActionFailed(f"{model} has no version {version}", retryable=False)
        return Target(version)

    def in_bundle(self, model: str, bundle: str) -> Target:
        """Return the version that a bundle is named after."""
        return Target(bundle.rpartition("/")[2], bundle)

    def was_switched(self, model: str, who: str, mark: str) -> tuple[str, str] | None:
        """Look for a mark in the changes."""
        found = [own[:2] for own in self.changes if own[2] == who and own[3].endswith(mark)]
        return found[-1] if found else None

    def alarm(self, model: str, version: str) -> str | None:
        """Return what is known against a version."""
        return self.alarms.get(version)

    def worse(self, model: str, version: str, before: str) -> str | None:
        """Return what the test has set."""
        return self.worse_by

    def switch(self, model: str, target: Target, who: str, reason: str) -> None:
        """Put a version on top of the stack."""
        self.changes.append((self.stack[-1], target.version, who, reason))
        self.stack.append(target.version)
        if self.ends_after_switch:
            raise ActionFailed("the server is ending", retryable=True)


class Clock:
    now = 1_700_000_100.0

    def __call__(self) -> float:
        return self.now


def run(model: Model, action: Action, alert: Alert | None = None, clock: Clock | None = None) -> tuple[Outcome, int]:
    sent = Sent()
    return SwitchExecutor(model, clock or Clock()).run(action, decision_of(action, alert), sent), sent.times


def failure(model: Model, action: Action, alert: Alert | None = None) -> tuple[str, int]:
    sent, executor = Sent(), SwitchExecutor(model, Clock())
    with pytest.raises(ActionFailed) as caught:
        executor.run(action, decision_of(action, alert), sent)
    assert not caught.value.retryable
    preview = executor.preview(action, alert or alert_of())
    assert preview == f"switch the version; it would fail: {caught.value}"
    return str(caught.value), sent.times


def watched(model: Model, action: Action, outcome: Outcome, clock: Clock) -> tuple[Outcome, Decision]:
    decision = decision_of(action, detail=outcome.detail, notes=outcome.notes)
    return SwitchExecutor(model, clock).watch(action, decision), decision


def test_the_version_before_answers_and_the_history_says_who_and_why() -> None:
    model = Model("1", "2")
    outcome, sent = run(model, action_of("switch"))
    assert (outcome.detail, outcome.watch_in_seconds, sent) == (
        "version 1 of churn answers instead of 2",
        None,
        1,
    )
    reason = f"ModelFeatureDrift critical [execution {EXECUTION}]"
    assert model.changes == [("2", "1", "action act", reason)]


@pytest.mark.parametrize(
    ("settings", "target"),
    [
        ({}, "1"),
        ({"to": "version", "to_version": "0"}, "0"),
        ({"to": "fallback", "bundle": "bundles/safe"}, "safe"),
    ],
)
def test_each_target_is_found_and_said_beforehand(settings: dict[str, Any], target: str) -> None:
    model, action = Model("0", "1", "2"), action_of("switch", **settings)
    preview = SwitchExecutor(model, Clock()).preview(action, alert_of())
    assert preview == f"let version {target} of churn answer"
    run(model, action)
    assert model.live("churn") == target


def test_a_version_that_alarms_itself_is_refused_with_the_reason() -> None:
    model = Model("1", "2")
    model.alarms["1"] = "its performance is degraded: accuracy 0.7"
    said = "version 1 of churn is not taken: its performance is degraded: accuracy 0.7"
    assert failure(model, action_of("switch")) == (said, 0)
    assert model.changes == []


@pytest.mark.parametrize(
    ("versions", "labels", "message"),
    [
        (("1",), {"model_version": "1"}, "churn has no earlier version"),
        (("1", "2"), {"model_version": "1"}, "the alert is about version 1, and 2 answers now"),
        (("1", "2"), {"model_name": ""}, "the alert has no label model_name: a switch needs one"),
    ],
)
def test_a_switch_that_makes_no_sense_is_refused(versions: Sequence[str], labels: dict[str, str], message: str) -> None:
    assert failure(Model(*versions), action_of("switch"), alert_of(labels)) == (message, 0)


def test_the_live_version_is_no_target() -> None:
    action = action_of("switch", to="version", to_version="2")
    assert failure(Model("1", "2"), action) == ("version 2 of churn answers already", 0)


def test_a_switch_is_made_once_even_if_the_process_ends_before_it_hears_of_it() -> None:
    model, action = Model("1", "2"), action_of("switch", judge_seconds=60)
    model.ends_after_switch = True
    with pytest.raises(ActionFailed):
        run(model, action)
    assert SwitchExecutor(model, Clock()).is_repeatable(action)
    outcome, sent = run(model, action)
    assert (len(model.changes), sent) == (1, 0)
    assert outcome.detail == "version 1 of churn answers instead of 2"
    assert (outcome.notes["from_version"], outcome.notes["to_version"]) == ("2", "1")


def test_a_hostile_label_stays_one_short_line_with_the_mark_at_its_end() -> None:
    model = Model("1", "2")
    run(model, action_of("switch"), alert_of({"alertname": HOSTILE * 100}))
    reason = model.changes[0][3]
    assert len(reason) == 500
    assert reason.isprintable()
    assert reason.endswith(f"[execution {EXECUTION}]")


# ------------------------------------------------------------ automatic return


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_worse_version_is_taken_back_once(clock: Clock) -> None:
    model, action = Model("1", "2"), action_of("switch", judge_seconds=600)
    outcome, _ = run(model, action, clock=clock)
    assert outcome.watch_in_seconds == 6.0
    outcome, _ = watched(model, action, outcome, clock)
    assert (outcome.watch_in_seconds, len(model.changes)) == (6.0, 1)
    model.worse_by = "p99 +150%"
    model.ends_after_switch = True
    with pytest.raises(ActionFailed):
        watched(model, action, outcome, clock)
    model.ends_after_switch = False
    outcome, decision = watched(model, action, outcome, clock)
    assert outcome.detail == "version 2 of churn answers again, because 1 was worse"
    assert outcome.watch_in_seconds is None
    said = f"version 1 is worse: p99 +150% [return {decision.execution_id}]"
    assert model.changes[1:] == [("1", "2", "action act", said)]


def test_a_return_says_how_the_version_was_worse(clock: Clock) -> None:
    model, action = Model("1", "2"), action_of("switch", judge_seconds=600)
    outcome, _ = run(model, action, clock=clock)
    model.worse_by = "errors +300%"
    outcome, _ = watched(model, action, outcome, clock)
    assert outcome.detail == "version 2 of churn answers again, because 1 was worse: errors +300%"
    assert model.live("churn") == "2"


def test_a_version_that_is_not_worse_in_time_stays(clock: Clock) -> None:
    model, action = Model("1", "2"), action_of("switch", judge_seconds=600)
    outcome, _ = run(model, action, clock=clock)
    clock.now += 597.0
    outcome, _ = watched(model, action, outcome, clock)
    assert outcome.watch_in_seconds == pytest.approx(3.0)
    clock.now += 3.0
    model.worse_by = None
    outcome, _ = watched(model, action, outcome, clock)
    assert outcome.detail == "version 1 of churn was not worse than 2 in 600 s"
    assert (outcome.watch_in_seconds, model.live("churn")) == (None, "1")


def test_a_version_that_somebody_has_replaced_meanwhile_is_judged_no_further(clock: Clock) -> None:
    model, action = Model("1", "2"), action_of("switch", judge_seconds=600)
    outcome, _ = run(model, action, clock=clock)
    model.stack.append("3")
    model.worse_by = "p99 +150%"
    outcome, _ = watched(model, action, outcome, clock)
    assert outcome.detail == "version 1 of churn was not judged to the end: 3 answers now"
    assert (outcome.watch_in_seconds, model.live("churn")) == (None, "3")


def test_what_somebody_let_answer_before_the_server_came_back_is_not_judged(clock: Clock) -> None:
    model, action = Model("1", "2"), action_of("switch", judge_seconds=600.0)
    model.ends_after_switch = True
    with pytest.raises(ActionFailed, match="the server is ending"):
        run(model, action, clock=clock)
    model.stack.append("3")  # by somebody else
    outcome, _ = run(model, action, clock=clock)
    assert outcome.detail == "version 1 of churn answers instead of 2"
    model.worse_by = "error ratio +300%"
    looked, _ = watched(model, action, outcome, clock)
    assert looked.detail == "version 1 of churn was not judged to the end: 3 answers now"
    assert model.stack == ["1", "2", "1", "3"]
