"""Where a partition begins: after what is counted, and what was deleted before is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.edges.kafka.beginnings import Beginning, Place, beginning_of
from driftgauge.state.source_positions import Position

NEW = Place(low=50, high=100, known=None, committed=-1_001)
OURS = replace(NEW, known=Position(70, 3), committed=80, is_ours=True, is_claimed=True)
OTHERS = replace(OURS, is_ours=False)


@pytest.mark.parametrize(
    ("place", "begins", "lost", "is_new_topic"),
    [
        (NEW, Position(100), 0, False),
        (replace(NEW, from_beginning=True), Position(50), 0, False),
        (replace(NEW, is_added=True), Position(50), 0, False),
        (replace(NEW, committed=60), Position(60), 0, False),
        (replace(NEW, committed=60, from_beginning=True), Position(50), 0, False),  # of another program
        (replace(NEW, committed=60, from_beginning=True, is_claimed=True), Position(60), 0, False),
        (replace(NEW, committed=20), Position(50), 30, False),
        (replace(NEW, committed=101), Position(50), 0, True),
        (OURS, Position(70, 3), 0, False),
        (OTHERS, Position(80), 0, False),
        (replace(OTHERS, committed=60), Position(70, 3), 0, False),  # offsets were set back
        (replace(OTHERS, committed=-1_001), Position(70, 3), 0, False),  # the broker has dropped them
        (replace(OTHERS, known=Position(30)), Position(80), 0, False),  # another state has read on
        (replace(OURS, known=Position(30), committed=40), Position(50), 10, False),
        (replace(OURS, known=Position(30), committed=30), Position(50), 20, False),
        (replace(OURS, known=Position(120), committed=120), Position(50), 0, True),
        (replace(NEW, low=0, high=0, known=Position(120), committed=-1_001), Position(0), 0, True),
    ],
)
def test_a_partition_begins_after_what_is_counted(
    place: Place, begins: Position, lost: int, is_new_topic: bool
) -> None:
    assert beginning_of(place) == Beginning(begins, lost, is_new_topic)
