from __future__ import annotations

from dataclasses import replace

from driftgauge.notifications.planner import Firing, Known, Pace, Past, Plans, Route, plan

PACE = Pace(wait_seconds=30.0, group_seconds=300.0)
TEAM = Route("team")
GROUP = "delay/1/warning"
NEW = Past()


def alert(column: str, *, fired_at: float = 0.0, severity: str = "warning", model: str = "delay") -> Firing:
    labels = {"alertname": "ModelFeatureDrift", "model_name": model, "model_version": "1", "severity": severity}
    return Firing(column, {**labels, "feature_name": column}, fired_at)


def known(column: str, told_at: float) -> Known:
    own = alert(column)
    return Known(own.fingerprint, own.labels, own.fired_at, told_at)


def planned(*firing: Firing, past: Past = NEW, at: float, route: Route = TEAM, silenced: tuple[str, ...] = ()) -> Plans:
    still = {own.fingerprint for own in firing} | set(silenced)
    return plan(route, firing, still, past, PACE, at)


def said(plans: Plans) -> list[tuple[list[str], list[str]]]:
    return [([own.fingerprint for own in one.firing], [own.fingerprint for own in one.over]) for one in plans.messages]


def test_a_first_message_waits_for_other_alerts_of_its_group() -> None:
    first, second = alert("temp"), alert("dewp", fired_at=20.0)
    assert said(planned(first, at=29.0)) == []
    assert said(planned(first, second, at=30.0)) == [(["temp", "dewp"], [])]


def test_each_model_and_severity_has_a_message_of_its_own() -> None:
    found = planned(alert("a"), alert("b", severity="critical"), alert("c", model="other"), at=60.0)
    assert said(found) == [(["a"], []), (["b"], []), (["c"], [])]


def test_nothing_is_sent_twice_before_the_time_to_repeat_it() -> None:
    past = Past([known("temp", 30.0)], {GROUP: 30.0})
    assert said(planned(alert("temp"), past=past, at=14_429.0)) == []
    assert said(planned(alert("temp"), past=past, at=14_430.0)) == [(["temp"], [])]


def test_a_change_waits_for_the_least_time_between_messages() -> None:
    past = Past([known("temp", 30.0)], {GROUP: 30.0})
    later = alert("dewp", fired_at=40.0)
    assert said(planned(alert("temp"), later, past=past, at=329.0)) == []
    assert said(planned(alert("temp"), later, past=past, at=330.0)) == [(["temp", "dewp"], [])]


def test_an_alert_that_comes_and_goes_keeps_the_least_time_between_messages() -> None:
    past = Past([], {GROUP: 100.0})  # its end was told of, or a message was given up
    again = alert("temp", fired_at=110.0)
    assert said(planned(again, past=past, at=399.0)) == []
    assert said(planned(again, past=past, at=400.0)) == [(["temp"], [])]
    much_later = alert("temp", fired_at=1_000.0)
    assert said(planned(much_later, past=past, at=1_029.0)) == []
    assert said(planned(much_later, past=past, at=1_030.0)) == [(["temp"], [])]


def test_a_message_that_was_given_up_is_made_again_with_all_of_its_group() -> None:
    past = Past([replace(known("temp", 30.0), told_at=0.0)], {GROUP: 30.0})
    assert said(planned(alert("temp"), past=past, at=329.0)) == []
    assert said(planned(alert("temp"), past=past, at=330.0)) == [(["temp"], [])]


def test_an_alert_that_is_over_is_told_of_unless_the_receiver_does_not_want_it() -> None:
    past = Past([known("temp", 30.0)], {GROUP: 30.0})
    assert said(planned(past=past, at=330.0)) == [([], ["temp"])]
    silent = planned(past=past, at=330.0, route=replace(TEAM, send_resolved=False))
    assert (said(silent), silent.forgotten) == ([], ["temp"])


def test_a_silenced_alert_is_not_over() -> None:
    past = Past([known("temp", 30.0)], {GROUP: 30.0})
    assert said(planned(past=past, at=330.0, silenced=("temp",))) == []


def test_a_group_whose_message_has_not_arrived_gets_no_further_one() -> None:
    past = Past([known("temp", 30.0)], {GROUP: 30.0}, waiting={GROUP})
    assert said(planned(past=past, at=1e6)) == []


def test_a_receiver_gets_alerts_from_its_severity_on_and_of_its_models() -> None:
    firing = (alert("a", severity="info"), alert("b"), alert("c", severity="critical"), alert("d", model="other"))
    of_server = Firing("e", {"alertname": "DriftgaugeLatencyHigh", "severity": "critical"}, 0.0)

    def told(route: Route) -> set[str]:
        return {name for names, _ in said(planned(*firing, of_server, at=60.0, route=route)) for name in names}

    assert told(TEAM) == {"b", "c", "d", "e"}
    assert told(Route("team", "critical")) == {"c", "e"}
    assert told(Route("team", "info", ("delay",))) == {"a", "b", "c"}


def test_changes_beyond_the_limit_of_an_hour_wait_and_are_counted() -> None:
    past = Past(in_last_hour=19)
    found = planned(alert("a"), alert("b", model="other"), past=past, at=60.0)
    assert said(found) == [(["a"], [])]
    assert found.left_out == [("b", "firing")]
    full = Past([known("temp", 30.0)], {GROUP: 30.0}, in_last_hour=20)
    assert planned(past=full, at=1e6).left_out == [("temp", "resolved")]
    assert said(planned(alert("b", model="other"), past=Past(), at=1e6)) == [(["b"], [])]
