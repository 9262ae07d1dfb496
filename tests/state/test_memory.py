from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.evidence.detector import Rate
from driftgauge.drift.verdict.rule import SEVERITIES
from driftgauge.state.block_ring import Counted
from driftgauge.state.memory import (
    MAX_SLOTS,
    Memory,
    MemoryShape,
    Remembered,
    Retired,
    RetiredTotals,
    Settled,
    retired_layout,
)
from driftgauge.state.versions import Damaged
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.monitors import small_baseline
from tests.writers import shape_of

BINNER = small_baseline().binner
DETECTOR = small_baseline().detector()
SHAPE = MemoryShape(BINNER.columns, BINNER.width, DETECTOR.bets, MAX_SLOTS)
STATE = shape_of(100)

seeds = st.integers(0, 2**32 - 1)
moments = st.floats(0.0, 4e9)


def _buffer() -> bytearray:
    return bytearray(SHAPE.layout.size_bytes)


def _remembered(seed: int, slots: int, since: float | None, evaluated_at: float) -> Remembered:
    """Return what an evaluation might leave, with numbers that are nowhere twice."""
    random = np.random.default_rng(seed)
    raised = random.random(BINNER.columns) < 0.5
    evidence = replace(
        DETECTOR.start(),
        wealth=random.random(DETECTOR.bets) * 1e6,
        values=random.random(BINNER.columns) * 1e6,
        raised=raised,
        since=np.where(raised, random.random(BINNER.columns) * 1e9, np.nan),
        cleared=np.where(random.random(BINNER.columns) < 0.5, 1e9, np.nan),
        threshold=float(random.random() * 1e6),
        rate=Rate(float(random.integers(1_000)), float(random.random()), since, evaluated_at),
    )
    reached = random.random((len(SEVERITIES), BINNER.columns)) < 0.5
    keys = random.choice(2**62, slots, replace=False).tolist()
    shape = (BINNER.columns, BINNER.width)
    counts = {
        key: Counted(int(random.integers(2**40)), random.integers(0, 2**32, shape, dtype=np.uint32)) for key in keys
    }
    return Remembered(evidence, Settled(reached, int(random.integers(2**50)), evaluated_at), counts, evaluated_at)


def _assert_same(found: Remembered, kept: Remembered) -> None:
    for name in ("wealth", "values", "raised", "since", "cleared"):
        np.testing.assert_array_equal(getattr(found.evidence, name), getattr(kept.evidence, name))
    assert (found.evidence.threshold, found.evidence.rate) == (kept.evidence.threshold, kept.evidence.rate)
    np.testing.assert_array_equal(found.settled.reached, kept.settled.reached)
    assert (found.settled.rows, found.settled.clock) == (kept.settled.rows, kept.settled.clock)
    assert found.evaluated_at == kept.evaluated_at
    assert found.counted.keys() == kept.counted.keys()
    for key, counted in kept.counted.items():
        assert found.counted[key].blocks == counted.blocks
        np.testing.assert_array_equal(found.counted[key].counts, counted.counts)


@settings(deadline=None)
@given(seeds, st.integers(0, MAX_SLOTS), st.none() | moments, moments)
def test_what_is_kept_comes_back_the_same_to_everybody(
    seed: int, slots: int, since: float | None, evaluated_at: float
) -> None:
    buffer = _buffer()
    memory, other = Memory(SHAPE, DETECTOR, buffer), Memory(SHAPE, DETECTOR, buffer)
    memory.begin()
    kept = _remembered(seed, slots, since, evaluated_at)
    memory.keep(kept)
    for reader in (memory, other, Memory(SHAPE, DETECTOR, buffer)):
        _assert_same(reader.read(), kept)


def test_before_the_first_row_nothing_is_remembered() -> None:
    none = Memory(SHAPE, DETECTOR).read()
    assert not none.evidence.wealth.any()
    assert not none.settled.reached.any()
    assert (none.settled.rows, none.settled.clock) == (0, -math.inf)
    assert (dict(none.counted), none.evaluated_at) == ({}, -math.inf)


@settings(deadline=None)
@given(seeds, moments)
def test_a_change_leaves_the_rest_as_it_is(seed: int, at: float) -> None:
    memory = Memory(SHAPE, DETECTOR)
    kept = _remembered(seed, 3, None, 5.0)
    memory.keep(kept)
    memory.change(evaluated_at=at)
    _assert_same(memory.read(), replace(kept, evaluated_at=at))


def test_a_memory_whose_newest_copy_is_damaged_remembers_what_it_did_before() -> None:
    memory = Memory(SHAPE, DETECTOR)
    first, second = (_remembered(seed, 2, None, float(seed)) for seed in (1, 2))
    memory.keep(first)
    memory.keep(second)
    memory._versions._copies[memory._versions.sequence % 2, 0] ^= np.uint64(1)
    memory._read = None
    _assert_same(memory.read(), first)


def test_a_memory_that_is_damaged_says_so() -> None:
    memory = Memory(SHAPE, DETECTOR)
    memory._versions._copies[:] = 7
    memory._read = None
    with pytest.raises(Damaged):
        memory.read()
    memory.begin()
    assert not memory.read().evidence.wealth.any()


@settings(deadline=None)
@given(seeds, st.integers(0, MAX_SLOTS))
def test_totals_come_back_as_they_were_written(seed: int, slots: int) -> None:
    buffer = bytearray(retired_layout(STATE).size_bytes)
    totals, other = RetiredTotals(STATE, buffer), RetiredTotals(STATE, buffer)
    totals.begin()
    assert (other.read().rows, other.read().keys) == (0, frozenset())
    random = np.random.default_rng(seed)
    kept = Retired(
        words=random.integers(0, 2**63, totals.read().words.shape, dtype=np.uint64),
        bin_rows=random.integers(0, 2**60, (BINNER.columns, BINNER.width)),
        rows=int(random.integers(2**60)),
        keys=frozenset(random.choice(2**62, slots, replace=False).tolist()),
    )
    totals.write(kept)
    for reader in (totals, other):
        found = reader.read()
        np.testing.assert_array_equal(found.words, kept.words)
        np.testing.assert_array_equal(found.bin_rows, kept.bin_rows)
        assert (found.rows, found.keys) == (kept.rows, kept.keys)


def test_the_layout_of_what_is_remembered_holds_the_evidence_and_how_far_each_slot_was_weighed() -> None:
    shape = MemoryShape(columns=4, bins=13, bets=77, slots=3)
    assert {field.name: field.shape for field in shape.fields} == {
        "rate": (4,),
        "threshold": (1,),
        "won": (77,),
        "evidence": (4,),
        "raised_since": (4,),
        "cleared_at": (4,),
        "settled": (3,),
        "reached": (2, 4),
        "keys": (3,),
        "blocks": (3,),
        "counts": (3, 4, 13),
    }
    assert MemoryShape(4, 13, 78_000, 3).layout.size_bytes > shape.layout.size_bytes
