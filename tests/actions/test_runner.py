from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driftgauge.actions.action import Action, ActionFailed, Alert, Confirmation, Decision, Outcome, State
from driftgauge.actions.history import History
from driftgauge.actions.intake import receive
from driftgauge.actions.runner import FAILPOINTS, FIRST_WAIT_SECONDS, Runner
from driftgauge.errors import ActionsError

from tests.acting import CONFIRMED, NOON, Answers, Recorded, action, alert, drain, history_in, passing, runner_of
from tests.ledgers import Clock


class Bench:
    """A history with one runner, whose steps a test takes."""

    def __init__(self, folder: Path, *actions: Action, executor: Recorded | None = None, **tools: Any) -> None:
        self.folder, self.actions, self.tools = folder, actions or (action(),), tools
        self.clock = Clock(NOON)
        self.executor = executor or Recorded()
        self.history: History = history_in(folder)
        self.runner: Runner = self.another()

    def another(self, *actions: Action, **tools: Any) -> Runner:
        """Return a runner of another worker."""
        own = actions or self.actions
        return runner_of(self.folder, self.history, own, self.executor, self.clock, **{**self.tools, **tools})

    def receive(self, *fingerprints: str) -> None:
        receive(self.history, self.actions, [alert(own) for own in fingerprints or ("f1",)], "", self.clock.now)

    def decisions(self) -> list[Decision]:
        return self.history.page(None, 100)

    @property
    def states(self) -> list[tuple[State, str]]:
        return [(found.state, found.reason) for found in reversed(self.decisions())]


def test_what_is_decided_runs_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.receive("f1", "f2")
    assert drain(bench.runner) == 2
    assert drain(bench.runner) == 0
    assert bench.states == [(State.DONE, "allowed")] * 2
    assert [attempt for _, attempt in bench.executor.runs] == [1, 1]
    done = bench.decisions()[0]
    assert (done.detail, done.notes, done.attempts) == ("called", {"by": "a test"}, 1)
    steps = bench.history.steps([done.number])[done.number]
    assert [step.state for step in steps] == [State.DECIDED, State.STARTED, State.SENT, State.DONE]


def test_a_dry_run_runs_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, action(dry_run=True))
    bench.receive()
    assert drain(bench.runner) == 0
    assert bench.executor.runs == []


def test_one_worker_at_a_time_runs(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    other = bench.another()
    assert bench.runner.step() is False  # it leads from here on
    bench.receive("f1", "f2")
    assert other.step() is False
    assert bench.runner.step() is True
    bench.runner.stop()
    assert other.step() is True
    assert [state for state, _ in bench.states] == [State.DONE, State.DONE]


def test_an_alert_that_fires_long_enough_leads_to_the_action(tmp_path: Path) -> None:
    bench = Bench(tmp_path, action(for_seconds=300.0))
    bench.receive()
    bench.clock.now += 299.0
    assert drain(bench.runner) == 0
    bench.clock.now += 1.0
    assert drain(bench.runner) == 2  # it is decided, and runs
    assert bench.states == [(State.DONE, "allowed")]


def test_the_cooldown_holds_for_those_that_waited_together(tmp_path: Path) -> None:
    bench = Bench(tmp_path, action(for_seconds=300.0, cooldown_seconds=3_600.0))
    bench.receive("f1", "f2", "f3")
    bench.clock.now += 300.0
    drain(bench.runner)
    assert bench.states == [(State.DONE, "allowed"), *[(State.REFUSED, "cooldown_seconds")] * 2]


def test_a_failure_that_may_pass_is_tried_again_later_each_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, executor=Recorded(passing(), passing(after=60.0)))
    bench.receive()
    drain(bench.runner)
    assert bench.states == [(State.DECIDED, "retry")]
    assert bench.decisions()[0].due_at == NOON + FIRST_WAIT_SECONDS
    bench.clock.now += FIRST_WAIT_SECONDS
    drain(bench.runner)
    assert bench.decisions()[0].due_at == bench.clock.now + 60.0
    bench.clock.now += 60.0
    drain(bench.runner)
    assert bench.states == [(State.DONE, "allowed")]
    assert len({key for key, _ in bench.executor.runs}) == 1  # all attempts have one id
    assert [attempt for _, attempt in bench.executor.runs] == [1, 2, 3]


def test_attempts_come_to_an_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, action(most_attempts=2), executor=Recorded(passing(), passing()))
    bench.receive()
    for _ in range(5):
        drain(bench.runner)
        bench.clock.now += 3_600.0
    assert bench.states == [(State.FAILED, "failed")]
    assert bench.decisions()[0].detail == "attempt 2 of 2 failed: the receiver answered 503"


def test_a_failure_that_lasts_is_not_repeated(tmp_path: Path) -> None:
    bench = Bench(tmp_path, executor=Recorded(ActionFailed("the receiver answered 404", retryable=False)))
    bench.receive()
    drain(bench.runner)
    assert bench.states == [(State.FAILED, "failed")]


@pytest.mark.parametrize(("before", "state"), [(True, State.FAILED), (False, State.UNKNOWN)])
def test_an_unexpected_error_tells_the_history_no_secrets(tmp_path: Path, before: bool, state: State) -> None:
    errors: list[Exception] = []
    bench = Bench(tmp_path, executor=Recorded(ValueError("the password is 1234")), report=errors.append)
    bench.executor.fails_before_sending = before
    bench.receive()
    drain(bench.runner)
    assert bench.states == [(state, "error")]
    assert bench.decisions()[0].detail == "it failed with ValueError; the server's log has the details"
    assert [str(error) for error in errors] == ["the password is 1234"]


def test_a_retry_waits_for_the_end_of_quiet_hours(tmp_path: Path) -> None:
    bench = Bench(tmp_path, action(quiet_hours="12:01-13:00"), executor=Recorded(passing(after=90.0)))
    bench.receive()
    drain(bench.runner)
    bench.clock.now += 90.0
    drain(bench.runner)
    assert bench.states == [(State.DECIDED, "quiet_hours")]
    bench.clock.now = NOON + 3_600.0
    drain(bench.runner)
    assert bench.states == [(State.DONE, "allowed")]


def test_a_retry_in_quiet_hours_ends_if_the_alert_is_resolved(tmp_path: Path) -> None:
    bench = Bench(tmp_path, action(quiet_hours="12:01-13:00"), executor=Recorded(passing(after=90.0)))
    bench.receive()
    drain(bench.runner)
    bench.clock.now += 90.0
    drain(bench.runner)
    receive(bench.history, [], [alert(is_firing=False)], "", bench.clock.now)
    bench.clock.now = NOON + 3_600.0
    drain(bench.runner)
    assert bench.states == [(State.REFUSED, "resolved")]
    assert [attempt for _, attempt in bench.executor.runs] == [1]


def test_nothing_begins_for_an_alert_that_is_resolved_at_that_moment(tmp_path: Path) -> None:
    bench = Bench(tmp_path, action(quiet_hours="12:01-13:00"), executor=Recorded(passing(after=90.0)))
    bench.receive()
    drain(bench.runner)
    bench.clock.now += 90.0
    drain(bench.runner)
    found, bench.clock.now = bench.history.next_due(NOON + 3_600.0), NOON + 3_600.0
    assert found is not None
    receive(bench.history, [], [alert(is_firing=False)], "", bench.clock.now)
    bench.runner._advance(found)
    assert bench.states == [(State.REFUSED, "resolved")]
    assert [attempt for _, attempt in bench.executor.runs] == [1]


class Broken(Recorded):
    """An executor and a confirmer with a fault of their own."""

    def watch(self, own: Action, decision: Decision) -> Outcome:
        """Fail at the first look."""
        raise KeyError("from_version")

    def confirm(self, own: Action, alert: Alert) -> Confirmation | None:
        """Fail."""
        raise KeyError("performance")


def test_a_look_that_fails_holds_up_no_other_action(tmp_path: Path) -> None:
    errors: list[Exception] = []
    executor = Broken(watch=60.0)
    bench = Bench(tmp_path, action(most_attempts=3), executor=executor, report=errors.append)
    bench.receive("f1")
    drain(bench.runner)
    bench.clock.now += 60.0
    bench.receive("f2")
    drain(bench.runner)
    assert len(executor.runs) == 2
    for _ in range(3):
        bench.clock.now += 600.0
        drain(bench.runner)
    assert bench.states == [(State.FAILED, "failed")] * 2
    assert "KeyError; the server's log" in bench.decisions()[0].detail
    assert {type(error) for error in errors} == {KeyError}


def test_a_second_condition_that_cannot_be_looked_at_holds_up_no_other_action(tmp_path: Path) -> None:
    errors: list[Exception] = []
    own = [action("unsure", confirm={"performance": "degraded"}), action("sure")]
    bench = Bench(tmp_path, *own, confirmer=Broken(), report=errors.append)
    bench.receive()
    drain(bench.runner)
    assert set(bench.states) == {(State.REFUSED, "confirm"), (State.DONE, "allowed")}
    assert [type(error) for error in errors] == [KeyError]


def test_a_second_condition_is_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path, action(**CONFIRMED), confirmer=Answers(False, True))
    bench.receive()
    drain(bench.runner)
    assert bench.states == [(State.WAITING, "confirm")]
    bench.clock.now += 10.0
    drain(bench.runner)
    assert bench.states == [(State.DONE, "allowed")]


def test_without_the_second_condition_nothing_is_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path, action(**CONFIRMED), confirmer=Answers(*[False] * 20))
    bench.receive()
    for _ in range(10):
        drain(bench.runner)
        bench.clock.now += 10.0
    assert bench.states == [(State.REFUSED, "confirm")]
    assert bench.decisions()[0].detail == "not confirmed: performance is normal"
    assert bench.executor.runs == []


def test_what_has_run_can_be_looked_at_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, executor=Recorded(watch=600.0))
    bench.receive()
    drain(bench.runner)
    assert bench.states == [(State.WATCHED, "allowed")]
    bench.clock.now += 600.0
    drain(bench.runner)
    assert bench.states == [(State.DONE, "allowed")]
    assert bench.executor.watched == ["a test"]


def test_an_action_that_the_settings_no_longer_have_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.receive()
    drain(bench.another(action("other")))
    assert bench.states == [(State.REFUSED, "removed")]


def test_dry_run_holds_for_what_was_decided_before_it_was_switched_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.receive()
    drain(bench.another(action(dry_run=True)))
    assert bench.states == [(State.REFUSED, "dry_run")]
    assert bench.executor.runs == []


# ---------------------------------------------------------------- the end of a process, anywhere


class Ended(BaseException):
    """The end of a process at a failpoint."""


def killed_at(point: str) -> Any:
    def failpoint(reached: str) -> None:
        if reached == point:
            raise Ended

    return failpoint


@pytest.mark.parametrize(
    ("point", "repeatable", "runs", "state"),
    [
        ("started", False, 1, State.DONE),
        ("started", True, 1, State.DONE),
        ("sent", False, 0, State.UNKNOWN),
        ("sent", True, 1, State.DONE),
        ("ran", False, 1, State.UNKNOWN),
        ("ran", True, 2, State.DONE),
    ],
)
def test_an_action_is_neither_lost_nor_repeated(
    tmp_path: Path, point: str, repeatable: bool, runs: int, state: State
) -> None:
    bench = Bench(tmp_path, executor=Recorded(repeatable=repeatable))
    bench.receive()
    dying = bench.another(failpoint=killed_at(point))
    with pytest.raises(Ended):
        dying.step()
    dying.stop()  # the lock ends with the process
    drain(bench.runner)
    assert [found for found, _ in bench.states] == [state]
    assert len(bench.executor.runs) == runs
    assert len({key for key, _ in bench.executor.runs}) <= 1


def test_the_end_of_the_one_that_recovers_changes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.receive("f1", "f2")
    for point in ("started", "recovered"):
        dying = bench.another(failpoint=killed_at(point))
        with pytest.raises(Ended):
            drain(dying)
        dying.stop()
    drain(bench.runner)
    assert [state for state, _ in bench.states] == [State.DONE, State.DONE]
    assert len(bench.executor.runs) == 2


def test_an_action_that_ends_the_server_each_time_fails(tmp_path: Path) -> None:
    bench = Bench(tmp_path, action(most_attempts=3))
    bench.receive()
    for _ in range(3):
        dying = bench.another(failpoint=killed_at("started"))
        with pytest.raises(Ended):
            drain(dying)
        dying.stop()
    drain(bench.runner)
    assert bench.states == [(State.FAILED, "interrupted")]
    assert bench.executor.runs == []


def test_nothing_is_sent_that_the_history_cannot_say(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.receive()
    with history_in(tmp_path).transaction() as run:
        run(
            "create trigger full before update on decisions when new.state = 'sent' "
            "begin select raise(abort, 'full'); end"
        )
    with pytest.raises(ActionsError, match="full"):
        bench.runner.step()
    assert bench.executor.runs == []
    with history_in(tmp_path).transaction() as run:
        run("drop trigger full")
    drain(bench.runner)
    assert bench.states == [(State.DONE, "allowed")]
    assert [attempt for _, attempt in bench.executor.runs] == [2]


def test_every_failpoint_has_a_test() -> None:
    assert set(FAILPOINTS) == {"started", "sent", "ran", "recovered"}


def test_the_thread_runs_what_comes_and_ends(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.runner.start()
    bench.receive()
    bench.runner.wake()
    while bench.states != [(State.DONE, "allowed")]:
        pass
    bench.runner.stop()
    assert bench.another().step() is False  # the lock was free again
    assert bench.executor.runs != []
