from __future__ import annotations

from pathlib import Path

import pytest
from driftgauge.actions.action import State
from driftgauge.actions.guards import DAY_SECONDS, Finding
from driftgauge.actions.history import DROPPED, History
from driftgauge.actions.intake import receive
from driftgauge.errors import ActionsError, ActionsUnavailable

from tests.acting import NOON, Recorded, action, alert, drain, history_in, runner_of
from tests.ledgers import Clock


def test_each_state_is_a_step_that_stays(tmp_path: Path) -> None:
    history = history_in(tmp_path)
    (decision,) = receive(history, [action()], [alert()], "", NOON).decisions
    number = decision.number
    with history.transaction():
        history.set(number, Finding(State.STARTED, "allowed", "attempt 1", NOON), NOON + 1.0, attempts=1)
        history.set(number, Finding(State.DONE, "allowed", "called", NOON), NOON + 2.0, notes={"version": "3"})
    steps = history_in(tmp_path).steps([number])[number]
    assert [(step.at, step.state, step.detail) for step in steps] == [
        (NOON, State.DECIDED, "all guards let it pass"),
        (NOON + 1.0, State.STARTED, "attempt 1"),
        (NOON + 2.0, State.DONE, "called"),
    ]
    after = history.decision(number)
    assert after is not None
    assert (after.state, after.attempts, after.notes, after.is_open) == (State.DONE, 1, {"version": "3"}, False)


def test_another_look_at_what_waits_is_no_step(tmp_path: Path) -> None:
    history = history_in(tmp_path)
    (decision,) = receive(history, [action(for_seconds=9.0)], [alert()], "", NOON).decisions
    for at in range(5):
        with history.transaction():
            history.set(decision.number, Finding(State.WAITING, "confirm", "not yet", NOON + at), NOON)
    assert [step.reason for step in history.steps([decision.number])[decision.number]] == ["for_seconds", "confirm"]


def test_ends_are_counted_by_action_and_state(tmp_path: Path) -> None:
    history = history_in(tmp_path)
    own = [action(cooldown_seconds=60.0), action("try", dry_run=True)]
    receive(history, own, [alert("f1"), alert("f2"), alert("f3")], "", NOON)
    totals = history.totals()
    assert {key: total.decisions for key, total in totals.items()} == {
        ("retrain", "refused"): 2,
        ("try", "dry_run"): 3,
    }
    assert totals["retrain", "refused"].last_at == NOON


def test_pages_go_from_the_newest_to_the_oldest(tmp_path: Path) -> None:
    history = history_in(tmp_path)
    receive(history, [action()], [alert(f"f{number}") for number in range(5)], "", NOON)
    first = history.page(None, 2)
    second = history.page(first[-1].number, 10)
    assert [found.alert.fingerprint for found in (*first, *second)] == ["f4", "f3", "f2", "f1", "f0"]


def test_the_oldest_that_have_ended_are_dropped_and_counted(tmp_path: Path) -> None:
    history = history_in(tmp_path, most_rows=3)
    receive(history, [action()], [alert("open")], "", NOON)
    refusing = action("busy", cooldown_seconds=60.0, dry_run=True)
    receive(history, [refusing], [alert(f"f{number}") for number in range(6)], "", NOON)
    kept = [found.alert.fingerprint for found in history.page(None, 10)]
    assert kept == ["f5", "f0", "open"]  # the open one, the one that the cooldown counts, and the newest
    assert history.totals()["", DROPPED].decisions == 4
    receive(history, [refusing], [alert("later")], "", NOON + 2 * DAY_SECONDS)
    assert [found.alert.fingerprint for found in history.page(None, 10)] == ["later", "f5", "open"]
    assert list(history.steps([2])[2]) == []


def test_a_cooldown_of_more_than_a_day_outlives_dropped_decisions(tmp_path: Path) -> None:
    history, own = history_in(tmp_path, most_rows=3), action(cooldown_seconds=7 * DAY_SECONDS)
    runner = runner_of(tmp_path, history, [own], Recorded(), Clock(NOON))
    receive(history, [own], [alert("ran")], "", NOON)
    drain(runner)
    later = NOON + 2 * DAY_SECONDS
    for number in range(6):
        (decision,) = receive(history, [own], [alert(f"f{number}")], "", later + number).decisions
        assert (decision.state, decision.reason) == (State.REFUSED, "cooldown_seconds")


def test_what_is_due_longest_comes_first(tmp_path: Path) -> None:
    history = history_in(tmp_path)
    own = [action("later", for_seconds=9.0), action("soon", for_seconds=5.0)]
    receive(history, own, [alert()], "", NOON)
    assert history.next_due(NOON + 4.9) is None
    due = [history.next_due(NOON + at) for at in (5.0, 100.0)]
    assert [found and found.action for found in due] == ["soon", "soon"]


def test_other_users_cannot_read_it(tmp_path: Path) -> None:
    receive(history_in(tmp_path), [action()], [alert()], "", NOON)
    files = list((tmp_path / "@actions").iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_file_that_is_no_history_is_refused(tmp_path: Path) -> None:
    (tmp_path / "@actions").mkdir(mode=0o700)
    (tmp_path / "@actions" / "actions.db").write_bytes(b"no database" * 100)
    with pytest.raises(ActionsError, match="may repeat actions on alerts that still fire"):
        History.open(tmp_path, 100)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "@actions").write_text("a file in its place")
    with pytest.raises(ActionsUnavailable, match="cannot use "):
        History.open(tmp_path, 100)
