"""Versions that actions switch on a real server, and what the server knows of models for their conditions."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driftgauge.actions.action import ActionFailed
from driftgauge.actions.executors.confirmation import ModelStatus
from driftgauge.actions.executors.switch import SwitchExecutor, Target
from driftgauge.edges.http.action_status import CAUSE_KEYS, AlertedModels
from driftgauge.edges.http.action_versions import ReleaseVersions
from driftgauge.edges.http.releases import Releases
from driftgauge.main import create_app
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.label_store import LabelStore
from driftgauge.predictions.labels import GivenLabel

from tests.actions.decided import Sent, action_of, alert_of, decision_of
from tests.examples import Example, quiet
from tests.served import Failing, Served
from tests.servers import serving
from tests.versions import versions_of

START = 1_700_000_000.0
REASON = "a test [execution 1]"


class Clock:
    """A clock that a test moves."""

    now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bundles(binary: Example, tmp_path: Path) -> Path:
    """A folder with versions 1 to 4 of a model."""
    versions_of(binary.folder, tmp_path / "bundles", "1234")
    return tmp_path / "bundles"


@contextlib.contextmanager
def running(bundles: Path, **settings: Any) -> Iterator[tuple[Served, ReleaseVersions]]:
    """Serve version 1, with its state in files."""
    now = settings.pop("now", None)
    given = {"bundle": bundles / "1", "state_dir": bundles.parent / "state", **settings}
    app = create_app(quiet(**given), **({"clock": now} if now else {}))
    with serving(app) as client:
        releases: Releases = app.state.releases
        loop = releases.deployment._loop
        assert loop is not None
        yield Served(client, app), ReleaseVersions(releases, loop)


def name_of(example: Example) -> str:
    return example.bundle.info.name


def load(own: Served, example: Example, bundle: str, mode: str = "live") -> None:
    body = {"bundle": bundle, "reason": "a test", "who": "ann", "mode": mode}
    assert own.client.post(f"/models/{name_of(example)}/versions", json=body, timeout=60.0).status_code == 200


def predict(own: Served, example: Example, requests: int) -> None:
    body = {"features": example.rows(1)[0]}
    for _ in range(requests):
        own.predict(body)


def break_model(own: Served, example: Example) -> None:
    """Let the live version fail on all rows."""
    model, adapted = Failing(example.bundle.model), own.context.model().predictor._model
    model.broken = True
    vars(adapted)["_model"] = model


def test_versions_are_found_and_switched_with_who_and_why(bundles: Path, binary: Example) -> None:
    model = name_of(binary)
    with running(bundles) as (own, versions):
        load(own, binary, "2")
        assert (versions.live(model), versions.last(model)) == ("2", Target("1"))
        assert versions.was_switched(model, "action act", "[execution 1]") is None
        assert versions.alarm(model, "1") is None
        versions.switch(model, Target("1"), "action act", REASON)
        assert versions.live(model) == "1"
        assert own.predict({"features": binary.rows(1)[0]}).json()["model_version"] == "1"
        assert versions.was_switched(model, "action act", "[execution 1]") == ("2", "1")
        assert versions.was_switched(model, "action other", "[execution 1]") is None
        history = own.client.get(f"/models/{model}/versions").json()["history"]
        assert {key: history[0][key] for key in ("kind", "who", "reason", "from_version", "to_version")} == {
            "kind": "rollback",
            "who": "action act",
            "reason": REASON,
            "from_version": "2",
            "to_version": "1",
        }


def test_a_fallback_is_loaded_from_its_bundle(bundles: Path, binary: Example) -> None:
    model = name_of(binary)
    with running(bundles) as (_, versions):
        target = versions.in_bundle(model, "4")
        assert target == Target("4", "4")
        versions.switch(model, target, "action act", REASON)
        assert versions.live(model) == "4"


def test_what_is_not_there_is_said_and_not_tried_again(bundles: Path, binary: Example) -> None:
    model = name_of(binary)
    with running(bundles) as (_, versions):
        with pytest.raises(ActionFailed, match="has no earlier version to go back to") as found:
            versions.last(model)
        assert not found.value.retryable
        with pytest.raises(ActionFailed, match="has no version '9' to go back to"):
            versions.named(model, "9")
        with pytest.raises(ActionFailed, match="this server serves only the model") as found:
            versions.live("other")
        assert not found.value.retryable
        with pytest.raises(ActionFailed, match="lies in none of the folders") as found:
            versions.in_bundle(model, "/etc")
        assert not found.value.retryable
        (bundles / "2" / "bundle.json").write_text("{", "utf-8")
        with pytest.raises(ActionFailed) as found:
            versions.in_bundle(model, "2")
        assert "bundle.json" in str(found.value)


def test_a_version_that_an_action_has_left_is_not_taken_again(bundles: Path, binary: Example) -> None:
    model = name_of(binary)
    with running(bundles) as (own, versions):
        load(own, binary, "2")
        versions.switch(model, Target("1"), "action act", REASON)
        assert (versions.alarm(model, "2") or "").startswith("action act has left it at 20")
        load(own, binary, "2")  # somebody has mended what was wrong
        load(own, binary, "3")
        assert versions.alarm(model, "2") is None


def test_a_release_that_failed_more_is_worse_and_not_taken_again(bundles: Path, binary: Example) -> None:
    model = name_of(binary)
    with running(bundles) as (own, versions):
        predict(own, binary, 150)
        load(own, binary, "2")
        assert versions.worse(model, "2", "1") is None
        break_model(own, binary)
        predict(own, binary, 150)
        why = versions.worse(model, "2", "1")
        assert why is not None
        assert "error ratio +" in why
        assert versions.worse(model, "1", "2") is None  # it does not answer
        load(own, binary, "3")
        assert (versions.alarm(model, "2") or "").startswith("it was worse than the version before: ")
        assert versions.alarm(model, "1") is None


def labelled(own: Served, example: Example, clock: Clock, wrong_every: int) -> None:
    """Predict rows, give each its label, and evaluate ground truth hours later."""
    model, log = own.context.model().monitoring, own.context.monitoring.predictions
    predictions = own.predict({"data": (example.rows() * 400)[:400]}).json()["predictions"]
    assert log is not None
    assert model.truth is not None
    log.writer.written().result(30.0)
    store = log.store()
    labels = LabelStore(store.engine, store.register(model.logged.model))
    rows = enumerate(predictions)
    given = [
        (own["prediction_id"], float(own["prediction"] != 1 if place % wrong_every == 0 else own["prediction"]))
        for place, own in rows
    ]
    labels.add([GivenLabel(key_of(id_), label) for id_, label in given], clock.now)
    clock.now += 3 * 3_600.0
    while model.truth.thread.submit(model.truth.step).result(30.0):
        pass


def test_ground_truth_confirms_refuses_and_judges_versions(bundles: Path, binary: Example, clock: Clock) -> None:
    model = name_of(binary)
    options: dict[str, Any] = {
        "windows": (1_000, 10_000),
        "label_maturity_seconds": 0.0,
        "performance_interval_seconds": 3_600.0,
        "prediction_log": True,
    }
    with running(bundles, now=clock, **options) as (own, versions):
        models = AlertedModels(own.context.monitoring, versions._loop)
        about = {"model_name": model, "model_version": "1"}
        assert models.status(alert_of(about)) == ModelStatus(None, None, None)
        assert models.status(alert_of({"model_name": "other"})) is None
        labelled(own, binary, clock, 4)
        assert models.status(alert_of(about)) == ModelStatus("degraded", None, None)
        load(own, binary, "2")
        assert (versions.alarm(model, "1") or "").startswith("its performance is degraded: ")
        labelled(own, binary, clock, 1_000)
        assert versions.worse(model, "2", "1") is None
        load(own, binary, "3")
        labelled(own, binary, clock, 4)
        why = versions.worse(model, "3", "2")
        assert why is not None
        assert "accuracy" in why.lower()
        assert versions.alarm(model, "2") is None


def test_drift_confirms_and_its_first_cause_is_sent(bundles: Path, binary: Example) -> None:
    about = alert_of({"model_name": name_of(binary), "model_version": "1"})
    with running(bundles, windows=(200, 1_000)) as (own, versions):
        models = AlertedModels(own.context.monitoring, versions._loop)
        assert models.first_cause(about) is None
        assert models.first_cause(alert_of({"model_name": "other"})) is None
        rows = binary.rows()
        first = next(iter(rows[0]))
        shifted = [{**row, first: 1000.0 * float(row[first])} for row in rows]
        for _ in range(10):
            own.predict({"data": shifted})
        deadline = time.monotonic() + 30.0
        while (found := models.status(about)) is None or found.drift != "critical":
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        cause = models.first_cause(about)
        assert cause is not None
        assert tuple(cause) == CAUSE_KEYS
        assert first in cause["columns"]
        json.dumps(cause, allow_nan=False)


def test_an_action_switches_and_takes_the_new_version_back(bundles: Path, binary: Example) -> None:
    model = name_of(binary)
    with running(bundles) as (own, versions):
        load(own, binary, "2")
        predict(own, binary, 150)
        action, sent = action_of("switch", judge_seconds=600), Sent()
        executor = SwitchExecutor(versions, lambda: START)
        decision = decision_of(action, alert_of({"model_name": model}))
        assert executor.preview(action, decision.alert) == f"let version 1 of {model} answer"
        outcome = executor.run(action, decision, sent)
        assert (outcome.detail, sent.times) == (f"version 1 of {model} answers instead of 2", 1)
        break_model(own, binary)
        predict(own, binary, 150)
        outcome = executor.watch(action, decision_of(action, decision.alert, notes=outcome.notes))
        assert outcome.detail.startswith(f"version 2 of {model} answers again, because 1 was worse: error ratio +")
        assert versions.live(model) == "2"
        refused = decision_of(action, decision.alert, execution_id="another")
        with pytest.raises(ActionFailed, match="is not taken: action act has left it at"):
            executor.run(action, refused, sent)


def test_a_server_that_has_ended_fails_an_action_that_may_be_tried_again(bundles: Path, binary: Example) -> None:
    with running(bundles) as (_, versions):
        pass
    with pytest.raises(ActionFailed, match="the server is ending") as found:
        versions.switch(name_of(binary), Target("1"), "action act", REASON)
    assert found.value.retryable
