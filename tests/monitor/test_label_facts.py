from __future__ import annotations

import pytest
from driftgauge.drift.performance.outcomes import OutcomeRule, OutcomeSums
from driftgauge.monitor.label_facts import Known, SharedLabelFacts, known_of
from driftgauge.predictions.label_store import LabelFacts

KNOWN = Known(
    LabelFacts(3, 12.5),
    {"revenue": 7.0},
    {
        "revenue": {
            "1": [OutcomeSums(1, 1.0, 1.0, 3), OutcomeSums(1, 2.0, 4.0, 1)],
            "2": [OutcomeSums(), OutcomeSums(1, 1.0, 1.0, 1)],
        }
    },
)


def test_what_is_known_reads_back() -> None:
    assert known_of(KNOWN.text) == KNOWN
    assert known_of(Known().text) == Known()


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "null", "{}", '{"facts": 3, "claimed": {}, "sums": {}}', '{"sums": []}']
)
def test_a_text_that_cannot_be_read_says_nothing(text: str) -> None:
    assert known_of(text) == Known()


def test_outcomes_without_a_rule_are_not_judged() -> None:
    own = SharedLabelFacts({"revenue": OutcomeRule("number", 60.0), "click": OutcomeRule("event", 60.0)})
    assert own.outcomes == {}
    own.replace(lambda known: KNOWN)
    assert {name: report.rows for name, report in own.outcomes.items()} == {"revenue": 3}
    assert {name: report.rows for name, report in own.outcomes["revenue"].versions.items()} == {"1": 2, "2": 1}
    assert own.known == KNOWN


def test_what_was_known_is_given_to_the_next_look_and_its_failure_is_raised() -> None:
    own = SharedLabelFacts({})
    own.replace(lambda known: KNOWN)
    with pytest.raises(ValueError, match=r"12\.5x"):
        own.replace(lambda known: Known(LabelFacts(0, float(str(known.facts.last_received) + "x"))))
    assert own.known == KNOWN
