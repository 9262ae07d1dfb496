from __future__ import annotations

import numpy as np
import pytest
from driftgauge.checks.assertions.distinct import DistinctCounter


@pytest.mark.parametrize("held", [10, 1_000, 10**6])
def test_distinct_hashes_are_counted_in_memory_or_in_files(held: int) -> None:
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, 5_000, dtype=np.uint64)
    counter, seen = DistinctCounter(held), []
    for _ in range(20):
        part = random.choice(hashes, 700)
        counter.add(part)
        seen.append(part)
    assert counter.count() == len(np.unique(np.concatenate(seen)))


def test_nothing_has_no_distinct_hashes() -> None:
    counter = DistinctCounter()
    counter.add(np.empty(0, dtype=np.uint64))
    assert counter.count() == 0
