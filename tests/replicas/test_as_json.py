"""The overview of all servers as JSON, of what a real Prometheus answered."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from driftgauge.replicas.as_json import as_json, state_of
from driftgauge.replicas.findings import findings
from driftgauge.replicas.overview import Column, Overview
from driftgauge.replicas.queries import Asked

from tests.replicas.recordings import FIRST, SECOND, THIRD, recorded

ADDRESS = "http://prometheus:9090"


def written(found: Overview) -> dict[str, Any]:
    """Return what another program reads; NaN and infinities would be no JSON."""
    text = json.dumps(as_json(found, findings(found), ADDRESS), allow_nan=False)
    return dict(json.loads(text))


def test_the_whole_is_what_prometheus_answered() -> None:
    recording = recorded("fine")
    found = written(recording.overview())
    assert (found["state"], found["prometheus"], found["at"], found["since"]) == ("fine", ADDRESS, recording.at, "1h")
    assert (found["findings"], found["warnings"]) == ([], [])
    assert [(own["job"], own["instance"], own["is_up"]) for own in found["servers"]] == [
        ("driftgauge", instance, True) for instance in (FIRST, SECOND, THIRD)
    ]
    for model in found["models"]:
        assert model["servers_up"] == len(model["servers"]) == 3
        assert (model["drift"], model["is_live"]) == ("normal", True)
        of_model = [own for own in recording.answers["rows"] if own.labels["model_name"] == model["model_name"]]
        assert model["rows"] == sum(own.value for own in of_model)


def test_findings_name_their_model_and_servers() -> None:
    found = written(recorded("killed").overview())
    assert found["state"] == "wrong"
    down = [own for own in found["findings"] if own["kind"] == "server_down"]
    assert [(own["job"], own["model_name"], own["servers"]) for own in down] == [("driftgauge", None, [SECOND])]
    assert SECOND in down[0]["sentence"]
    assert [own["is_up"] for own in found["servers"] if own["instance"] == SECOND] == [False]


def test_a_drifting_model_has_its_worst_columns() -> None:
    overview = recorded("drift").overview()
    found = written(overview)
    (model,) = [own for own in found["models"] if own["drifted_columns"]]
    (expected,) = [own for own in overview.models if own.drifted]
    assert expected.worst is not None
    assert model["worst_column"] == {"feature_name": expected.worst.name, "times_limit": expected.worst.value}
    assert expected.across is not None
    assert model["worst_across_replicas"] == {"feature_name": expected.across.name, "psi": expected.across.value}


@pytest.mark.parametrize("endless", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_has_not_are_null_at_any_depth(endless: float) -> None:
    overview = recorded("fine").overview()
    model = replace(overview.models[0], worst=Column("age", endless))
    server = replace(overview.servers[0], last_sample=endless)
    found = written(replace(overview, models=(model,), servers=(server,)))
    assert found["models"][0]["worst_column"] == {"feature_name": "age", "times_limit": None}
    assert found["servers"][0]["last_sample"] is None


def test_a_model_whose_servers_do_not_answer_is_unknown_and_not_zero() -> None:
    overview = recorded("fine").overview()
    found = written(replace(overview, models=(replace(overview.models[0], replicas=(), worst=None, across=None),)))
    (model,) = found["models"]
    unknown = ("rows", "rows_per_second", "last_row", "last_evaluation", "drift", "performance", "is_state_persistent")
    assert {model[name] for name in (*unknown, "worst_column", "worst_across_replicas")} == {None}
    assert (model["servers_up"], model["baseline_hashes"]) == (0, [])


def test_state_is_persistent_only_if_it_is_on_every_server() -> None:
    recording = recorded("fine")
    for values, expected in (((1.0, 1.0, 1.0), True), ((1.0, 0.0, 1.0), False)):
        changed = recording
        for instance, value in zip((FIRST, SECOND, THIRD), values, strict=True):
            changed = changed.with_gauge("model_state_persistent", value, instance)
        names = {own.labels["model_name"] for own in changed.answers["gauges"]}
        states = [own["is_state_persistent"] for own in written(changed.overview())["models"]]
        assert expected in states
        assert len(states) >= len(names)


def test_a_part_of_an_answer_that_is_missing_leaves_it_open_unless_something_is_wrong() -> None:
    partial = recorded("fine").overview(None, "one store did not answer")
    assert state_of(partial, findings(partial)) == "cannot_tell"
    assert written(partial)["warnings"] == ["one store did not answer"]
    wrong = recorded("killed").overview(None, "one store did not answer")
    assert state_of(wrong, findings(wrong)) == "wrong"


def test_labels_of_deployments_stand_beside_each_entry() -> None:
    found = written(recorded("fine").overview(Asked(("job", "namespace"))))
    assert all({"job", "namespace"} <= own.keys() for own in (*found["models"], *found["servers"]))
