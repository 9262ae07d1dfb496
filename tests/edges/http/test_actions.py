"""Alerts come in, decisions are stored and shown; actions run in the worker that leads."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from driftgauge.access.caller import Scope
from driftgauge.actions.action import ActionFailed, Executor
from driftgauge.actions.history import History
from driftgauge.composition import actions as composition
from driftgauge.edges.http.routes import ROUTES
from driftgauge.errors import ActionsError, SettingsError
from driftgauge.main import create_app

from tests.acting import Recorded
from tests.edges.formats.test_alertmanager import BODY, FIRING
from tests.examples import Example, quiet
from tests.html_pages import BROWSER, Tree
from tests.json_schema import problems
from tests.served import Served, served

RETRAIN = {"name": "retrain", "kind": "url", "alerts": ["ModelFeatureDrift"], "url": "https://jobs.example.com"}


@contextlib.contextmanager
def acting(
    example: Example, folder: Path, *actions: Mapping[str, Any], executor: Recorded | None = None, **settings: Any
) -> Iterator[Served]:
    """Serve an example with actions that an executor of the test runs."""
    own = executor or Recorded()

    def executors(*_: object) -> Mapping[str, Executor]:
        return {"url": own}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composition, "executors_of", executors)
        with served(example, state_dir=folder, actions=list(actions), **settings) as running:
            yield running


def post(own: Served, fingerprint: str = "f1", **changes: Any) -> httpx.Response:
    started = datetime.now(UTC).isoformat()
    alert = {**FIRING, "startsAt": started, "fingerprint": fingerprint, **changes}
    return own.client.post("/actions/alertmanager", json=BODY | {"alerts": [alert]})


def shown(own: Served, **query: Any) -> dict[str, Any]:
    answer = own.client.get("/actions", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def page_of(own: Served) -> Tree:
    return Tree(own.client.get("/", headers=BROWSER).text)


def until_done(own: Served, state: str = "done") -> dict[str, Any]:
    """Return the newest decision once it is in a state."""
    deadline = time.monotonic() + 30.0
    while not (found := shown(own)["decisions"]) or found[0]["state"] != state:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    newest: dict[str, Any] = found[0]
    return newest


def test_an_alert_leads_to_an_action_that_is_run_and_shown(binary: Example, tmp_path: Path) -> None:
    executor = Recorded()
    with acting(binary, tmp_path, RETRAIN | {"dry_run": False}, executor=executor) as own:
        answer = post(own)
        assert answer.status_code == 200, answer.text
        (decision,) = answer.json()["decisions"]
        assert (decision["action"], decision["state"], decision["reason"]) == ("retrain", "decided", "allowed")
        done = until_done(own)
        assert [step["state"] for step in done["steps"]] == ["decided", "started", "sent", "done"]
        assert executor.runs == [(decision["execution_id"], 1)]
        assert own.metric("server_actions_total", action="retrain", result="done") == 1.0
        assert own.metric("server_actions_total", action="retrain", result="failed") == 0.0
        last = own.metric("server_action_last_result_timestamp_seconds", action="retrain", result="done")
        assert last == pytest.approx(time.time(), abs=60.0)
        document = own.client.get("/openapi.json").json()
        for method, path, body in (("post", "/actions/alertmanager", answer.json()), ("get", "/actions", shown(own))):
            schema = document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
            assert problems(body, schema, document) == []


def test_guards_hold_unless_the_settings_say_otherwise(binary: Example, tmp_path: Path) -> None:
    executor = Recorded()
    with acting(binary, tmp_path, RETRAIN, executor=executor) as own:
        states = [post(own, f"f{number}").json()["decisions"][0]["state"] for number in range(2)]
        assert states == ["dry_run", "refused"]
        assert executor.runs == []
        (action,) = shown(own)["actions"]
        assert action["now"]["state"] == "refused"
        assert action["now"]["reason"] == "cooldown_seconds"
        assert action["now"]["would"] == "call the receiver about ModelFeatureDrift"
        assert action["totals"] == {"dry_run": 1, "refused": 1}
        assert "url" not in action  # it may be a secret


def test_the_page_shows_the_newest_decisions_and_no_address(binary: Example, tmp_path: Path) -> None:
    secret = RETRAIN | {"url": "https://jobs.example.com/run?token=a-secret"}
    with acting(binary, tmp_path, secret) as own:
        assert "No alert has led to a decision yet." in page_of(own).words
        for fingerprint, model in (("f0", "binary"), ("f1", "another"), ("f2", "binary")):
            post(own, fingerprint, labels=FIRING["labels"] | {"model_name": model})
        page = page_of(own)
        assert "Configured: retrain (url, dry run)." in page.words
        assert page.words.count("dry run retrain for ModelFeatureDrift: all guards let it pass") == 1
        refused = "refused retrain (dry run) for ModelFeatureDrift: it ran at"
        assert page.words.count(refused) == 1  # not the one of another model
        assert "a-secret" not in str(page.elements) + page.words
        assert "actions" in page.targets()
        assert "Configured: retrain" in Tree(own.client.get("/drift/report").text).words


def test_a_page_without_actions_says_nothing_of_them(binary: Example) -> None:
    with served(binary) as own:
        page = page_of(own)
        assert page.having("id", "actions") == []
        assert "actions" not in page.targets()


def test_the_page_leaves_out_what_a_command_wrote(binary: Example, tmp_path: Path) -> None:
    executor = Recorded(ActionFailed("/bin/job ended with exit code 1; output: a-secret", retryable=False))
    with acting(binary, tmp_path, RETRAIN | {"dry_run": False}, executor=executor) as own:
        post(own, labels=FIRING["labels"] | {"model_name": "binary"})
        assert "a-secret" in until_done(own, "failed")["detail"]
        words = page_of(own).words
        assert "failed retrain for ModelFeatureDrift: attempt 1 of 5 failed: /bin/job ended with exit code 1" in words
        assert "a-secret" not in words


def test_a_history_that_cannot_be_read_leaves_the_page(
    binary: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> None:
        raise ActionsError("the disk is gone")

    with acting(binary, tmp_path, RETRAIN) as own:
        monkeypatch.setattr(History, "page", unreadable)
        assert "The history of decisions cannot be read now." in page_of(own).words
        assert any("the disk is gone" in problem for problem in own.status()["monitoring"]["problems"])


def test_alertmanager_may_send_again(binary: Example, tmp_path: Path) -> None:
    with acting(binary, tmp_path, RETRAIN) as own:
        posted = {"startsAt": "2026-03-04T12:00:00Z"}
        assert len(post(own, **posted).json()["decisions"]) == 1
        assert post(own, **posted).json() == {"decisions": [], "repeated": 1, "resolved": 0, "unmatched": 0}


def test_a_waiting_action_ends_with_its_alert(binary: Example, tmp_path: Path) -> None:
    with acting(binary, tmp_path, RETRAIN | {"for_seconds": 600}) as own:
        posted = {"startsAt": datetime.now(UTC).isoformat()}
        assert post(own, **posted).json()["decisions"][0]["state"] == "waiting"
        resolved = post(own, **posted, status="resolved", endsAt=datetime.now(UTC).isoformat())
        assert resolved.json()["resolved"] == 1
        assert until_done(own, "refused")["reason"] == "resolved"


def test_the_history_comes_in_pages_and_survives_a_restart(binary: Example, tmp_path: Path) -> None:
    with acting(binary, tmp_path, RETRAIN) as own:
        for number in range(5):
            post(own, f"f{number}")
    with acting(binary, tmp_path, RETRAIN) as own:
        first = shown(own, limit=2)
        rest = shown(own, before=first["next_before"])
        fingerprints = [found["alert"]["fingerprint"] for page in (first, rest) for found in page["decisions"]]
        assert fingerprints == ["f4", "f3", "f2", "f1", "f0"]
        assert rest["next_before"] is None


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"before": "-1"}, {"before": "x"}])
def test_a_wrong_page_is_refused(binary: Example, tmp_path: Path, query: dict[str, str]) -> None:
    with acting(binary, tmp_path, RETRAIN) as own:
        answer = own.client.get("/actions", params=query)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_query"


def test_without_actions_there_is_nothing_to_do(binary: Example, tmp_path: Path) -> None:
    with acting(binary, tmp_path) as own:
        refused = post(own)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "actions_disabled")
        assert shown(own) == {"actions": [], "decisions": [], "next_before": None, "dropped": 0}
        assert "server_action" not in own.client.get("/metrics").text
    assert not (tmp_path / "@actions").exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("no JSON", 422, "invalid_alert"),
        ('{"version": "3", "groupKey": "", "alerts": []}', 422, "invalid_alert"),
        ('{"version": "4", "groupKey": "", "alerts": [{}]}', 422, "invalid_alert"),
        ("[" * 100_000, 422, "invalid_alert"),
        (" " * 2_097_153, 413, "body_too_large"),
    ],
)
def test_another_body_is_refused(binary: Example, tmp_path: Path, body: str, status: int, code: str) -> None:
    with acting(binary, tmp_path, RETRAIN) as own:
        answer = own.client.post("/actions/alertmanager", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_alertmanager_is_asked_to_send_again_where_nothing_can_be_stored(binary: Example, tmp_path: Path) -> None:
    with acting(binary, tmp_path, RETRAIN) as own:
        service = own.app.state.actions
        with service.history.transaction() as run:
            run("create trigger full before insert on decisions begin select raise(abort, 'disk full'); end")
        answer = post(own)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["error"]["code"] == "actions_not_stored"
        assert str(tmp_path) not in answer.text
        assert any("disk full" in problem for problem in own.problems(1))
        with service.history.transaction() as run:
            run("drop trigger full")
        assert post(own).status_code == 200


def test_a_damaged_history_costs_no_prediction(binary: Example, tmp_path: Path) -> None:
    (tmp_path / "@actions").mkdir(mode=0o700)
    (tmp_path / "@actions" / "actions.db").write_bytes(b"no database" * 1_000)
    executor = Recorded()
    with acting(binary, tmp_path, RETRAIN | {"dry_run": False}, executor=executor) as own:
        assert own.predict({"features": binary.rows(1)[0]}).status_code == 200
        assert post(own).status_code == 503  # Alertmanager sends again after the repair
        assert own.client.get("/actions").status_code == 503
        assert own.client.get("/metrics").status_code == 200
        assert any("No action runs until" in problem for problem in own.problems(1))
    assert executor.runs == []


def test_actions_need_a_state_folder(binary: Example) -> None:
    with pytest.raises(SettingsError, match="actions need a state folder"):
        create_app(quiet(actions=[RETRAIN]), bundle=binary.bundle)


def test_alerts_need_a_token_of_their_own() -> None:
    scopes = {(route.method, route.path): route.scope for route in ROUTES if route.tag == "actions"}
    assert scopes == {("POST", "/actions/alertmanager"): Scope.ACTIONS, ("GET", "/actions"): Scope.READ}
