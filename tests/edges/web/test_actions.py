"""What the page says about actions on alerts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.actions.action import State
from driftgauge.edges.web.actions import STATES, ActionDecision, ActionsFacts, ConfiguredAction, actions_view
from driftgauge.edges.web.facts import NO_LINKS

from tests.html_pages import Tree, empty_report, page_of

AT = 1_700_000_000.0
DONE = ActionDecision("retrain", "ModelFeatureDrift", "done", "the run <7> was started", AT, is_dry_run=False)
REFUSED = replace(DONE, state="refused", detail="it ran 3 times in 24 hours", changed_at=AT - 7_200.0, is_dry_run=True)
ACTIONS = ActionsFacts(
    [ConfiguredAction("retrain", "url", is_dry_run=False), ConfiguredAction("back", "switch", is_dry_run=True)],
    [DONE, REFUSED],
)


def test_decisions_say_when_what_and_why() -> None:
    found = actions_view(ACTIONS, AT + 90.0)
    assert found is not None
    assert found.configured == "Configured: retrain (url), back (switch, dry run)."
    assert [(own.at, own.age, own.state) for own in found.rows] == [
        ("2023-11-14 22:13 UTC", "90 s ago", "done"),
        ("2023-11-14 20:13 UTC", "2 h ago", "refused"),
    ]
    assert [(own.action, own.reason) for own in found.rows] == [
        ("retrain", "the run <7> was started"),
        ("retrain (dry run)", "it ran 3 times in 24 hours"),
    ]
    assert found.note == ""


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_word(state: State) -> None:
    found = actions_view(replace(ACTIONS, decisions=[replace(DONE, state=state.value)]), AT)
    assert found is not None
    assert found.rows[0].state == STATES[state][0]


def test_without_decisions_the_section_says_so() -> None:
    empty = actions_view(replace(ACTIONS, decisions=[]), AT)
    unread = actions_view(replace(ACTIONS, decisions=None), AT)
    assert empty is not None
    assert unread is not None
    assert empty.note == "No alert has led to a decision yet."
    assert unread.note == "The history of decisions cannot be read now."


def test_the_page_has_a_section_where_actions_are_configured_alone() -> None:
    text = page_of(empty_report("x"), actions=ACTIONS)
    assert "the run <7> was started" in Tree(text).words
    assert "actions" in Tree(text).targets()
    assert '<span class="badge normal">done</span>' in text
    without_links = page_of(empty_report("x"), actions=ACTIONS, links=NO_LINKS)
    assert 'id="actions"' in without_links
    assert "actions" not in Tree(without_links).targets()
    assert 'id="actions"' not in page_of(empty_report("x"))
