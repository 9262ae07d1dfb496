"""The benchmark of what long windows cost: a short run."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.long_windows_cost import HELD, measure
from benchmarks.pairing import HEADS


@pytest.mark.long
def test_windows_of_weeks_take_their_place_in_the_checkpoint(tmp_path: Path) -> None:
    found = measure(2, 1, 1, tmp_path).pairs
    size = found["checkpoint, MiB"]
    assert size.after[0] > size.before[0]
    assert all(len(own.row()) == len(HEADS) for own in found.values())
    assert all(min(*own.before, *own.after) >= 0.0 for own in found.values())
    assert found[HELD].after
