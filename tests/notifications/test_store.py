from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driftgauge.notifications.planner import Firing, Known, Pace, Plan, Plans, Route, plan
from driftgauge.notifications.rules import Active
from driftgauge.notifications.store import NotificationError, NotificationStore

LABELS = {"alertname": "A", "model_name": "delay", "model_version": "1", "severity": "warning"}
GROUP = "delay/1/warning"
TEMP = Firing("temp", {**LABELS, "feature_name": "temp"}, 5.0)


@pytest.fixture
def store(tmp_path: Path) -> NotificationStore:
    return NotificationStore.of(tmp_path)


def body(*alerts: Firing | Known) -> dict[str, Any]:
    return {"alerts": [{"fingerprint": own.fingerprint, "annotations": {"summary": own.fingerprint}} for own in alerts]}


def add(store: NotificationStore, key: str, at: float, *firing: Firing, over: tuple[Known, ...] = ()) -> None:
    store.add(key, "team", Plan(GROUP, firing, over), body(*firing, *over), at)


def test_alerts_are_found_again_by_another_process(store: NotificationStore, tmp_path: Path) -> None:
    alert = Active("rule", {"feature_name": "temp"}, 0.5, 1.0, 2.0, None)
    store.keep_alerts({alert.fingerprint: alert})
    assert NotificationStore.of(tmp_path).alerts() == {alert.fingerprint: alert}
    store.keep_alerts({})
    assert store.alerts() == {}


def test_a_message_is_due_until_it_has_arrived(store: NotificationStore, tmp_path: Path) -> None:
    add(store, "m1", 10.0, TEMP)
    other = NotificationStore.of(tmp_path)
    (message,) = other.due(10.0)
    assert (message.id, message.receiver, message.attempts) == ("m1", "team", 0)
    past = other.past("team", 10.0)
    assert past.known == [Known("temp", TEMP.labels, 5.0, 10.0, {"summary": "temp"})]
    assert (past.last_at, past.waiting, past.in_last_hour) == ({GROUP: 10.0}, {GROUP}, 1)
    store.arrived(message, 11.0)
    assert other.due(99.0) == []
    assert other.past("team", 4_000.0).in_last_hour == 0
    assert other.totals(["team"])[("team", "sent")] == 1


def test_a_failed_message_is_tried_again_later_under_the_same_id(store: NotificationStore) -> None:
    add(store, "m1", 10.0, TEMP)
    (message,) = store.due(10.0)
    store.failed(message, "it answered 503", 11.0, next_at=20.0)
    assert store.due(19.0) == []
    assert [(own.id, own.attempts) for own in store.due(20.0)] == [("m1", 1)]
    assert store.failing() == {"team": "it answered 503"}
    assert store.totals(["team"]) == {
        ("team", "sent"): 0,
        ("team", "retried"): 1,
        ("team", "failed"): 0,
        ("team", "left_out"): 0,
    }
    store.arrived(message, 21.0)
    assert store.failing() == {}


def test_alerts_of_a_message_that_is_given_up_count_as_not_told(store: NotificationStore) -> None:
    add(store, "m1", 10.0, TEMP)
    store.failed(store.due(10.0)[0], "it answered 404", 11.0, next_at=None)
    assert (store.due(99.0), store.past("team", 11.0).known) == ([], [])
    add(store, "m2", 20.0, TEMP)
    store.arrived(store.due(20.0)[0], 21.0)
    (told,) = store.past("team", 21.0).known
    add(store, "m3", 30.0, over=(told,))
    assert store.past("team", 30.0).known == []
    store.failed(store.due(30.0)[0], "it answered 404", 31.0, next_at=None)
    assert [own.fingerprint for own in store.past("team", 31.0).known] == ["temp"]


def test_a_message_that_is_given_up_does_not_hide_the_end_of_an_alert_that_was_told_of_before(
    store: NotificationStore,
) -> None:
    other = Firing("dewp", {**LABELS, "feature_name": "dewp"}, 15.0)
    add(store, "m1", 10.0, TEMP)
    store.arrived(store.due(10.0)[0], 11.0)
    add(store, "m2", 20.0, TEMP, other)
    store.failed(store.due(20.0)[0], "it answered 404", 21.0, next_at=None)
    past = store.past("team", 21.0)
    assert [(own.fingerprint, own.told_at) for own in past.known] == [("temp", 0.0)]
    over = plan(Route("team"), [], [], past, Pace(), 20.0 + Pace().group_seconds)
    assert [[own.fingerprint for own in one.over] for one in over.messages] == [["temp"]]
    again = plan(Route("team"), [TEMP, other], ["temp", "dewp"], past, Pace(), 20.0 + Pace().group_seconds)
    assert [[own.fingerprint for own in one.firing] for one in again.messages] == [["temp", "dewp"]]


def test_an_alert_that_is_over_is_forgotten_once_the_receiver_knows(store: NotificationStore) -> None:
    add(store, "m1", 10.0, TEMP)
    store.arrived(store.due(10.0)[0], 11.0)
    add(store, "m2", 20.0, over=tuple(store.past("team", 11.0).known))
    store.arrived(store.due(20.0)[0], 21.0)
    assert store.read("select * from told") == []


def test_messages_of_a_receiver_keep_their_order(store: NotificationStore) -> None:
    for key in ("m1", "m2"):
        add(store, key, 10.0, TEMP)
    store.failed(store.due(10.0)[0], "no", 11.0, next_at=50.0)
    assert store.due(20.0) == []
    assert [own.id for own in store.due(50.0)] == ["m1"]


def test_changes_that_are_left_out_are_counted_once_and_until_the_next_message(store: NotificationStore) -> None:
    for _ in range(3):
        store.keep_plans("team", Plans(left_out=[("temp", "firing"), ("dewp", "firing")]), 10.0)
    assert (store.left_out("team"), store.totals(["team"])[("team", "left_out")]) == (2, 2)
    add(store, "m1", 20.0, TEMP)
    assert (store.left_out("team"), store.totals(["team"])[("team", "left_out")]) == (0, 2)


def test_a_receiver_that_the_settings_no_longer_name_is_forgotten(store: NotificationStore) -> None:
    add(store, "m1", 10.0, TEMP)
    store.forget(["other"])
    assert (store.due(99.0), store.past("team", 99.0).known) == ([], [])


def test_a_damaged_database_is_named_with_what_to_do(store: NotificationStore, tmp_path: Path) -> None:
    store.close()
    for file in (tmp_path / "@notifications").glob("*"):
        file.write_bytes(b"nothing" * 1_000)
    with pytest.raises(NotificationError, match=r"the database of notifications in .* cannot be used .*; without the"):
        NotificationStore.of(tmp_path)
