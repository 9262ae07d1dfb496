from __future__ import annotations

import pytest

from benchmarks.whole_rows import CHANGES, METHODS, found_in


def test_a_changed_correlation_is_found_and_rows_of_the_same_kind_are_not() -> None:
    assert found_in("correlation 0.7 to 0.4", 3, 1_000)["classifier"][0] == 1.0
    assert found_in("no drift", 3, 1_000)["classifier"][0] == 0.0


@pytest.mark.parametrize("change", CHANGES)
def test_every_method_is_tried_on_every_change(change: str) -> None:
    found = found_in(change, 1, 250)
    assert set(found) == set(METHODS)
    assert all(share in (0.0, 1.0) and seconds >= 0.0 for share, seconds in found.values())
