from __future__ import annotations

import gc
import tempfile
from pathlib import Path

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


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not list open files")
def test_counters_in_files_hold_no_file_open_and_leave_none_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    hashes = np.random.default_rng(1).integers(0, 2**64, 2_000, dtype=np.uint64)
    counters = [DistinctCounter(10) for _ in range(4)]
    for counter in counters:
        counter.add(hashes)
        counter.add(hashes[:50])
    assert not [file for file in Path("/proc/self/fd").iterdir() if file.resolve().is_relative_to(tmp_path)]
    assert len(list(tmp_path.iterdir())) == 4
    given_up = counters.pop()
    assert [counter.count() for counter in counters] == [2_000] * 3
    assert len(list(tmp_path.iterdir())) == 1
    del given_up, counter, counters
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_nothing_has_no_distinct_hashes() -> None:
    counter = DistinctCounter()
    counter.add(np.empty(0, dtype=np.uint64))
    assert counter.count() == 0
