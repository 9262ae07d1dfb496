"""The overview of all servers, from what a real Prometheus answered."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from driftgauge.replicas.as_json import as_json, state_of
from driftgauge.replicas.findings import findings
from driftgauge.replicas.overview import Column
from driftgauge.replicas.prometheus import Sample

from tests.replicas.recordings import FIRST, SECOND, THIRD, recorded, with_labels


def test_servers_of_one_version_are_one_model() -> None:
    found = recorded("fine").overview()
    (model,) = found.models
    assert (model.name, model.version, model.deployment) == ("coin", "7", ("driftgauge",))
    assert model.servers == (FIRST, SECOND, THIRD)
    assert [own.instance for own in model.replicas] == [FIRST, SECOND, THIRD]
    assert (model.workers, model.rows) == (3, 6_000)
    assert (model.drift, model.drifted, model.performance) == ("normal", 0, None)
    assert model.last_row == found.at
    assert model.last_evaluation is not None
    assert 0 < found.at - model.last_evaluation < 10
    assert [(own.instance, own.is_up) for own in found.servers] == [(FIRST, True), (SECOND, True), (THIRD, True)]
    assert all(own.last_sample is not None and 0 <= found.at - own.last_sample < 1 for own in found.servers)


def test_the_worst_server_gives_the_verdict_and_the_column() -> None:
    (model,) = recorded("drift").overview().models
    assert (model.drift, model.drifted) == ("critical", 1)
    assert model.worst is not None
    assert (model.worst.name, model.worst.value > 2) == ("f11", True)
    assert isinstance(model.across, Column)
    assert model.across.name == "f11"


@pytest.mark.parametrize(
    ("severity", "labelled", "word"),
    [(0.0, 0.0, "too few labels"), (0.0, 199.0, "too few labels"), (0.0, 200.0, "normal"), (3.0, 0.0, "critical")],
)
def test_performance_without_enough_labels_is_not_normal(severity: float, labelled: float, word: str) -> None:
    gauges = {
        "model_performance_severity": severity,
        "model_labelled_rows": labelled,
        "model_labelled_rows_required": 200.0,
    }
    found = recorded("fine")
    for name, value in gauges.items():
        found = found.with_gauge(name, value, SECOND)
    (model,) = found.overview().models
    assert model.performance == word


@pytest.mark.parametrize(("value", "shown"), [(9.73, "9.7"), (99.6, "100"), (196.2, "196"), (51_234.0, "51,234")])
def test_a_large_change_is_shown_without_an_exponent(value: float, shown: str) -> None:
    assert Column("age", value).shown == shown


def test_a_server_that_is_down_still_counts_to_the_models_that_it_had() -> None:
    old, new = recorded("killed").overview().models
    assert ([own.instance for own in old.replicas], old.servers) == ([FIRST], (FIRST, SECOND))
    assert (new.version, new.servers, new.drift) == ("8", (THIRD,), "too few rows")


def test_a_model_of_servers_that_are_all_down_has_no_numbers() -> None:
    down = recorded("killed")
    for query in ("info", "gauges", "rows", "rate", "workers"):
        down = down.without(FIRST, query)
    down = down.changed("up", lambda own: type(own)(own.labels, 0.0), instance=FIRST)
    old, _ = down.overview().models
    assert (old.replicas, old.servers) == ((), (FIRST, SECOND))
    assert (old.rows, old.drift, old.last_row, old.last_evaluation, old.live_since) == (None,) * 5


def test_deployments_stay_apart() -> None:
    moved = recorded("fine")
    for query in moved.answers:
        moved = moved.changed(query, lambda own: with_labels(own, job="other"), instance=SECOND)
    found = moved.overview()
    assert [(own.deployment, own.servers) for own in found.models] == [
        (("driftgauge",), (FIRST, THIRD)),
        (("other",), (SECOND,)),
    ]


def test_the_json_has_every_model_server_and_finding_with_the_labels_of_its_deployment() -> None:
    found = recorded("killed").overview()
    said = as_json(found, findings(found), "http://localhost:9090")
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert (said["state"], said["at"], len(said["models"]), len(said["servers"])) == ("wrong", found.at, 2, 3)
    assert {own["job"] for own in (*said["models"], *said["servers"], *said["findings"])} == {"driftgauge"}
    assert said["models"][0]["servers_up"] == 1
    assert said["models"][0]["is_state_persistent"] is False


@pytest.mark.parametrize(
    ("name", "warnings", "state"),
    [("fine", (), "fine"), ("fine", ("a store is away",), "cannot_tell"), ("drift", ("a store is away",), "wrong")],
)
def test_an_answer_of_which_a_part_is_missing_leaves_open_what_is_not_known_to_be_wrong(
    name: str, warnings: tuple[str, ...], state: str
) -> None:
    found = recorded(name).overview(None, *warnings)
    assert state_of(found, findings(found)) == state


def test_endless_numbers_are_null_in_json() -> None:
    endless = recorded("drift")
    for query in ("worst", "gauges"):
        endless = endless.changed(query, lambda own: type(own)(own.labels, float("inf")))
    found = endless.overview()
    content = as_json(found, findings(found), "http://localhost:9090")
    assert json.dumps(content, allow_nan=False)
    assert content["models"][0]["worst_column"] == {"feature_name": "f11", "times_limit": None}
    assert content["models"][0]["drift"] == "critical"


def test_a_psi_of_all_servers_is_none_if_their_baselines_differ() -> None:
    sample = Sample({"job": "driftgauge", "model_name": "coin", "model_version": "7", "feature_name": "f1"}, 0.5)
    drifted = recorded("fine")
    drifted = replace(drifted, answers={**drifted.answers, "across": [sample]})
    (model,) = drifted.overview().models
    assert (model.version, model.across) == ("7", Column("f1", 0.5))
    other = drifted.changed("info", lambda own: with_labels(own, baseline_hash="b" * 64), instance=SECOND)
    (model,) = other.overview().models
    assert model.across is None
