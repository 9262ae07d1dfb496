"""Commits say which state counts the messages of a partition, up to which offset."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from driftgauge.edges.kafka.claims import MOST_BYTES, MOST_STATES, Claims


@dataclass(frozen=True)
class Committed:
    offset: int
    metadata: str | None = None


def test_a_claim_is_read_back_as_it_was_committed() -> None:
    claims = Claims().after("aa", 100).after("bb", 250).after("aa", 300)
    assert claims.metadata() == "driftgauge1 aa:300 bb:250"
    assert Claims.of(Committed(300, claims.metadata())) == claims
    assert claims.latest == "aa"
    assert Claims().latest is None


@pytest.mark.parametrize(
    ("model", "kept"), [("churn", "churn"), ("Größe = 1:2 %", "Größe = 1:2 %"), ("x" * 300, "x" * 40), ("", "")]
)
def test_a_claim_says_its_model_if_it_is_known(model: str, kept: str) -> None:
    claims = Claims().after("aa", 100, "before").after("bb", 250, model)
    found = Claims.of(Committed(250, claims.metadata()))
    assert (found.model, found.ends) == (kept, {"bb": 250, "aa": 100})
    assert claims.metadata().isascii()


@pytest.mark.parametrize(
    "committed",
    [
        Committed(-1_001),
        Committed(300),
        Committed(300, ""),
        Committed(300, "of another program"),
        Committed(300, "driftgauge1"),
        Committed(300, "driftgauge1 model=churn"),
        Committed(300, "driftgauge1 aa:many"),
        Committed(200, "driftgauge1 aa:300"),
    ],
)
def test_what_another_program_committed_is_no_claim(committed: Committed) -> None:
    assert Claims.of(committed) == Claims()


def test_the_latest_states_are_remembered_in_less_than_a_broker_takes() -> None:
    claims = Claims()
    for number in range(MOST_STATES + 10):
        claims = claims.after(f"{number:012x}", 10**15 + number)
    assert len(claims.ends) == MOST_STATES
    assert claims.latest == f"{MOST_STATES + 9:012x}"
    assert len(claims.metadata()) < 4_096


@pytest.mark.parametrize(
    ("stranger", "is_kept"),
    [("x" * 4_070, True), ("x" * 4_080, False), ("é" * 2_035, True), ("é" * 2_040, False)],
)
def test_claims_that_leave_no_room_are_forgotten(stranger: str, is_kept: bool) -> None:
    claims = Claims.of(Committed(7, f"driftgauge1 {stranger}:7 bb:5"))
    assert claims.latest == stranger
    mine = claims.after("aa", 300)
    assert mine.ends["aa"] == 300
    assert (stranger in mine.ends) == is_kept
    assert len(mine.metadata().encode()) <= MOST_BYTES
    assert Claims.of(Committed(300, mine.metadata())) == mine
