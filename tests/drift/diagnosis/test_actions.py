from __future__ import annotations

import shlex
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from driftgauge.drift.diagnosis.actions import actions_for
from driftgauge.drift.diagnosis.causes import CAUSE_KINDS, CauseKind

from tests.drift.diagnosis.made import facts_of, made_baseline


@pytest.mark.parametrize("kind", CAUSE_KINDS)
def test_each_kind_of_cause_has_actions(kind: CauseKind) -> None:
    assert actions_for(kind, facts_of(made_baseline()), ("temp",))


def test_awkward_names_reach_the_server_as_they_are() -> None:
    facts = facts_of(made_baseline(), model_name="m&n", server_url="https://models.example.org/")
    looked = actions_for("unit_change", facts, ("température & pressure", "b, c"))[1]
    curl, silent, address = shlex.split(looked.command)
    assert (curl, silent, urlsplit(address).path) == ("curl", "-s", "/drift/status")
    assert parse_qs(urlsplit(address).query) == {"model": ["m&n"], "feature": ["température & pressure", "b, c"]}


def test_a_server_that_wants_a_token_is_asked_with_one() -> None:
    facts = facts_of(made_baseline(), server_url="http://localhost:8000", needs_token=True)
    (looked,) = (own for own in actions_for("rows_lost", facts, ()))
    assert shlex.split(looked.command) == [
        *("curl", "-s", "-H", "Authorization: Bearer $TOKEN", "http://localhost:8000/metrics")
    ]


@pytest.mark.parametrize("kind", CAUSE_KINDS)
def test_where_another_program_serves_the_model_no_command_asks_a_server(kind: CauseKind) -> None:
    found = actions_for(kind, facts_of(made_baseline(), replaces_versions=False), ("temp",))
    assert all(own.sentence for own in found)
    assert not any(word in own.command for own in found for word in ("curl", "driftgauge models"))


def test_a_rollback_is_offered_only_where_there_is_an_earlier_version() -> None:
    facts = facts_of(made_baseline())
    assert not any("rollback" in own.command for own in actions_for("concept_drift", facts, ()))
    offered = actions_for("concept_drift", replace(facts, earlier_version="7"), ())
    assert [shlex.split(own.command)[:6] for own in offered if "rollback" in own.command] == [
        ["driftgauge", "models", "rollback", "model", "--version", "7"]
    ]


def test_commands_on_logged_predictions_name_the_folder_of_the_log() -> None:
    facts = facts_of(made_baseline(), state_folder="/var/lib/the state", bundle="/models/b")
    (export,) = (own.command for own in actions_for("unit_change", facts, ("temp",)) if "log export" in own.command)
    assert shlex.split(export)[-2:] == ["--state-dir", "/var/lib/the state"]
    (learn,) = (own.command for own in actions_for("column_drift", facts, ("temp",)) if "learn" in own.command)
    assert shlex.split(learn)[3:] == ["/models/b", "--model", "model", "--state-dir", "/var/lib/the state"]
