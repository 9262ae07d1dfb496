from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from driftgauge.actions.action import State
from driftgauge.actions.history import MOST_OPEN, History
from driftgauge.actions.intake import receive
from driftgauge.errors import ActionsError

from tests.acting import NOON, action, alert, history_in


@pytest.fixture
def history(tmp_path: Path) -> History:
    return history_in(tmp_path)


def test_an_alert_leads_to_each_action_that_it_matches(history: History) -> None:
    own = [action(), action("other", labels={"feature_name": "age"}), action("no", severity=("warning",))]
    received = receive(history, own, [alert()], "alertmanager", NOON)
    assert [(found.action, found.state) for found in received.decisions] == [
        ("retrain", State.DECIDED),
        ("other", State.DECIDED),
    ]
    assert (received.repeated, received.resolved, received.unmatched) == (0, 0, 0)
    decision = received.decisions[0]
    assert (decision.alert, decision.who, decision.received_at) == (alert(), "alertmanager", NOON)


def test_the_same_occurrence_is_decided_on_once(history: History) -> None:
    first = receive(history, [action()], [alert(), alert()], "", NOON)
    again = receive(history, [action()], [alert()], "", NOON + 60.0)
    assert (len(first.decisions), first.repeated) == (1, 1)
    assert (again.decisions, again.repeated) == ([], 1)
    later = receive(history, [action()], [alert(starts_at=NOON + 1.0), alert("f2")], "", NOON + 60.0)
    assert len(later.decisions) == 2
    assert len({found.execution_id for found in (*first.decisions, *later.decisions)}) == 3


def test_another_worker_sees_what_was_decided(history: History, tmp_path: Path) -> None:
    receive(history, [action()], [alert()], "", NOON)
    assert receive(history_in(tmp_path), [action()], [alert()], "", NOON).repeated == 1


def test_a_dry_run_does_not_stand_in_for_the_real_one(history: History) -> None:
    tried = receive(history, [action(dry_run=True)], [alert()], "", NOON)
    real = receive(history, [action(cooldown_seconds=3_600.0)], [alert()], "", NOON + 1.0)
    assert [found.state for found in (*tried.decisions, *real.decisions)] == [State.DRY_RUN, State.DECIDED]


def test_the_guards_count_dry_runs_among_themselves(history: History) -> None:
    own = action(dry_run=True, cooldown_seconds=60.0)
    states = [receive(history, [own], [alert(f"f{at}")], "", NOON + at).decisions[0].state for at in (0, 59, 60)]
    assert states == [State.DRY_RUN, State.REFUSED, State.DRY_RUN]


def test_two_alerts_at_once_are_one_action_with_a_cooldown(history: History) -> None:
    received = receive(history, [action(cooldown_seconds=1.0)], [alert("f1"), alert("f2")], "", NOON)
    assert [(found.state, found.reason) for found in received.decisions] == [
        (State.DECIDED, "allowed"),
        (State.REFUSED, "cooldown_seconds"),
    ]


def test_an_alert_that_is_resolved_ends_what_waits_for_it(history: History) -> None:
    own = [action(for_seconds=300.0), action("now")]
    waiting, decided = receive(history, own, [alert()], "", NOON).decisions
    resolved = receive(history, own, [alert(is_firing=False)], "", NOON + 10.0)
    assert (resolved.resolved, resolved.unmatched, resolved.decisions) == (1, 0, [])
    after = [history.decision(found.number) for found in (waiting, decided)]
    assert [found and (found.state, found.reason) for found in after] == [
        (State.REFUSED, "resolved"),
        (State.DECIDED, "allowed"),
    ]
    assert after[0] is not None
    assert after[0].detail == "the alert was resolved while it waited (for_seconds)"


def test_a_resolved_alert_that_began_later_ends_what_waits_and_an_old_one_does_not(history: History) -> None:
    own = [action(for_seconds=300.0)]
    receive(history, own, [alert()], "", NOON)
    old = replace(alert(is_firing=False, starts_at=NOON - 60.0), ends_at=NOON - 1.0)
    assert receive(history, own, [old], "", NOON).resolved == 0
    now = replace(alert(is_firing=False, starts_at=NOON + 5.0), ends_at=NOON + 60.0)
    assert receive(history, own, [now], "", NOON).resolved == 1


def test_an_alert_without_an_action_is_counted(history: History) -> None:
    received = receive(history, [action()], [alert(alertname="Watchdog"), alert(is_firing=False)], "", NOON)
    assert (received.decisions, received.unmatched) == ([], 1)


def test_open_decisions_are_bounded(history: History) -> None:
    own = action(for_seconds=300.0)
    receive(history, [own], [alert(f"f{number}") for number in range(MOST_OPEN)], "", NOON)
    (refused,) = receive(history, [own], [alert("one more")], "", NOON).decisions
    assert (refused.state, refused.reason) == (State.REFUSED, "most_open")


def test_all_alerts_of_a_request_are_stored_or_none(history: History, tmp_path: Path) -> None:
    with history_in(tmp_path).transaction() as run:
        run(
            "create trigger full before insert on decisions when new.fingerprint = 'f2' "
            "begin select raise(abort, 'no'); end"
        )
    with pytest.raises(ActionsError, match=r"the history of actions in .* cannot be used"):
        receive(history, [action()], [alert("f1"), alert("f2")], "", NOON)
    assert history.page(None, 10) == []
