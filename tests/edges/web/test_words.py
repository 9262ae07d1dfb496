"""Times as the page writes them."""

from __future__ import annotations

import pytest
from driftgauge.edges.web.words import ago


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (72, "72 s"),
        (120, "2 min"),
        (5_400, "90 min"),
        (7_200, "2 h"),
        (86_400, "24 h"),
        (200_000, "2 days"),
    ],
)
def test_a_length_of_time_has_the_largest_unit_of_which_it_has_two(seconds: float, words: str) -> None:
    assert ago(seconds) == words
