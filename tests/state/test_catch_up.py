from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from driftgauge.drift.bins import FloatArray
from driftgauge.drift.evidence.progress import rows_at_once
from driftgauge.errors import Reason
from driftgauge.metrics.series import DROPPED, LATE
from driftgauge.state.catch_up import CatchUp, PendingRows
from driftgauge.state.checkpoint import Checkpoint
from driftgauge.state.log import Log
from driftgauge.state.root import Root

from tests.monitors import START, small_baseline, some_rows
from tests.states import SPANS, assert_same_evidence, small_shape, straight

BINNER = small_baseline().binner
SHAPE = small_shape(100, (LATE, DROPPED))

# ---------------------------------------------------------------- rounds


def _log(values: FloatArray, at: FloatArray) -> Log:
    log = Log(SHAPE)
    log.append(values, at, at)
    return log


def _pending(logs: dict[int, Log], positions: dict[int, int], limit: float = math.inf) -> PendingRows | None:
    root = replace(Checkpoint(SHAPE).read(), positions=positions)
    return CatchUp(SHAPE).read({key: (log.reader, log.rows) for key, log in logs.items()}, root, limit, limit)


@pytest.mark.parametrize("sizes", [[8_000], [3_000, 8_000], [0, 700], [5_000, 10, 2_500]])
def test_each_round_is_bounded_and_all_together_are_all_rows(sizes: list[int]) -> None:
    rows = {key: some_rows(size, key) for key, size in enumerate(sizes)}
    logs = {key: _log(values, START + 0.001 * np.arange(float(len(values)))) for key, values in rows.items()}
    positions, found, rounds = dict.fromkeys(logs, 0), [], 0
    while (pending := _pending(logs, positions)) is not None:
        assert 0 < len(pending.rows) <= rows_at_once(BINNER, SHAPE.detector)
        assert (np.diff(pending.rows.at) >= 0).all()
        np.testing.assert_array_equal(pending.rows.codes, BINNER.codes(pending.rows.values))
        positions |= pending.positions
        found.append(pending.rows.values)
        rounds += 1
        assert rounds < 100
    assert positions == dict(enumerate(sizes))
    everything = np.concatenate(found)
    for values in rows.values():
        assert {row.tobytes() for row in values} <= {row.tobytes() for row in everything}
    assert len(everything) == sum(sizes)
    assert rounds <= 1 + sum(-(-size * len(sizes) // rows_at_once(BINNER, SHAPE.detector)) for size in sizes)


def test_without_new_rows_there_is_no_round() -> None:
    log = _log(some_rows(30), np.full(30, START))
    assert _pending({0: log}, {0: 30}) is None
    assert _pending({}, {}) is None


def test_damaged_rows_are_left_out_and_counted_and_their_places_are_passed() -> None:
    values = some_rows(30)
    log = _log(values, START + np.arange(30.0))
    log.reader.records[[4, 5, 29], 3] ^= np.uint64(1)
    pending = _pending({0: log}, {0: 0})
    assert pending is not None
    assert (pending.positions, pending.damaged) == ({0: 30}, 3)
    np.testing.assert_array_equal(pending.rows.values, np.delete(values, [4, 5, 29], axis=0))
    log.reader.records[:, 0] = 0
    pending = _pending({0: log}, {0: 0})
    assert pending is not None
    assert (len(pending.rows), pending.positions, pending.damaged) == (0, {0: 30}, 30)


def test_no_time_is_later_than_the_limit() -> None:
    log = _log(some_rows(4), START + np.array([0.0, 200.0, 301.0, 1e9]))
    pending = _pending({0: log}, {0: 0}, START + 300.0)
    assert pending is not None
    assert pending.rows.at.tolist() == [START, START + 200.0, START + 300.0, START + 300.0]


# ---------------------------------------------------------------- counting on top of a root


def _counted(values: FloatArray, at: FloatArray, damaged: int = 0, checkpoint: Checkpoint | None = None) -> Checkpoint:
    """Return a checkpoint, by default a new one, after some rows."""
    checkpoint = checkpoint or Checkpoint(SHAPE)
    pending = _pending({0: _log(values, at)}, {0: 0})
    assert pending is not None
    root, pages, _ = CatchUp(SHAPE).count(checkpoint, checkpoint.read(), replace(pending, damaged=damaged))
    checkpoint.commit(root, pages)
    return checkpoint


def _carried(root: Root) -> tuple[float, float]:
    """Return the rows that were too late, and those that were damaged."""
    counters = SHAPE.counted.arrays(root.carried)
    place = DROPPED.children.index((Reason.STATE_DAMAGED,))
    assert counters[DROPPED.name].sum() == counters[DROPPED.name][place, 0]
    return float(counters[LATE.name].sum()), float(counters[DROPPED.name][place, 0])


def test_counting_changes_neither_the_root_nor_its_pages() -> None:
    checkpoint = _counted(some_rows(130), START + np.arange(130.0))
    before, totals = checkpoint.read(), checkpoint.totals(checkpoint.read(), START + 130.0)[0]
    head, evidence = before.progress.head.total.copy(), before.progress.evidence.wealth.copy()
    pending = _pending({0: _log(some_rows(90, 1), np.full(90, START + 131.0))}, {0: 0})
    assert pending is not None
    root, pages, damaged = CatchUp(SHAPE).count(checkpoint, before, pending)
    assert (root.progress.head.rows, len(damaged)) == (220, 0)
    assert pages
    np.testing.assert_array_equal(before.progress.head.total, head)
    np.testing.assert_array_equal(before.progress.evidence.wealth, evidence)
    for now, total in zip(checkpoint.totals(before, START + 130.0)[0], totals, strict=True):
        np.testing.assert_array_equal(now.counts, total.counts)


def test_counts_beyond_32_bits_are_weighed_by_their_differences() -> None:
    checkpoint, values = Checkpoint(SHAPE), some_rows(230, age=43.0)
    root = checkpoint.read()
    total = np.full((BINNER.columns, BINNER.width), 2**32 - 20, dtype=np.int64)
    head = replace(root.progress.head, rows=50 * 2**26, total=total)
    progress = replace(root.progress, head=head, weighed=total.astype(np.uint32))
    checkpoint.commit(replace(root, progress=progress), {})
    for first in range(0, 230, 70):
        _counted(values[first : first + 70], np.full(len(values[first : first + 70]), START), checkpoint=checkpoint)
    found = checkpoint.read()
    assert found.progress.head.total.max() > 2**32
    np.testing.assert_array_equal(found.progress.head.total - total, BINNER.counts(BINNER.codes(values)))
    assert_same_evidence(found.progress.evidence, straight(SHAPE.detector, BINNER, values, np.full(230, START)))


def test_late_and_damaged_rows_are_carried() -> None:
    checkpoint = _counted(some_rows(30), np.full(30, START), damaged=2)
    assert _carried(checkpoint.read()) == (0.0, 2.0)
    _counted(some_rows(7), np.full(7, START - 4_000.0), checkpoint=checkpoint)
    assert _carried(checkpoint.read()) == (7.0, 2.0)
    assert checkpoint.read().progress.head.rows == 37


def test_a_round_of_damaged_rows_only_moves_the_position() -> None:
    checkpoint = Checkpoint(SHAPE)
    log = _log(some_rows(30), np.full(30, START))
    log.reader.records[:] = 0
    pending = _pending({0: log}, {0: 0})
    assert pending is not None
    root, pages, _ = CatchUp(SHAPE).count(checkpoint, checkpoint.read(), pending)
    assert (root.positions, root.progress.head.rows, pages, _carried(root)) == ({0: 30}, 0, {}, (0.0, 30.0))


def test_a_damaged_bucket_begins_again_with_the_new_rows_and_is_named() -> None:
    checkpoint = _counted(some_rows(30), np.full(30, START))
    (place,) = SHAPE.rings.place(SPANS[0], np.array([math.floor(START / SPANS[0].width)]))
    checkpoint._buckets._words[:, place, 3] ^= np.uint64(1)
    pending = _pending({0: _log(some_rows(5, 1), np.full(5, START))}, {0: 0})
    assert pending is not None
    root, pages, damaged = CatchUp(SHAPE).count(checkpoint, checkpoint.read(), pending)
    checkpoint.commit(root, pages)
    assert damaged.tolist() == [place]
    assert [total.rows for total in checkpoint.totals(checkpoint.read(), START)[0]] == [5, 35, 35]


# ---------------------------------------------------------------- a clock that was ahead


@pytest.mark.parametrize("ahead", [3_000.0, 1e9])
def test_buckets_later_than_the_limit_are_dropped_and_nothing_else(ahead: float) -> None:
    at = START - 100.0 + np.arange(60.0)
    checkpoint = _counted(some_rows(60), at)
    _counted(some_rows(55, 1, age=90.0), np.full(55, START + ahead), checkpoint=checkpoint)
    before = checkpoint.read()
    assert before.progress.evidence.raised[0]
    assert before.progress.evidence.since[0] == START + ahead
    root, dropped = CatchUp(SHAPE).without_future(before, START + 300.0, START + 300.0)
    assert dropped == 3
    assert (root.progress.head.at, root.progress.head.rows) == (START + 300.0, 115)
    assert root.progress.evidence.since[0] == START + 300.0
    np.testing.assert_array_equal(root.progress.evidence.wealth, before.progress.evidence.wealth)
    np.testing.assert_array_equal(root.progress.head.total, before.progress.head.total)
    checkpoint.commit(root, {})
    assert [total.rows for total in checkpoint.totals(root, START + ahead)[0]] == [0, 0, 60 if ahead < 3_500 else 0]
    _counted(some_rows(9, 2), np.full(9, START), checkpoint=checkpoint)  # they are not taken for late
    assert _carried(checkpoint.read()) == (0.0, 0.0)
    for total, span in zip(checkpoint.totals(checkpoint.read(), START)[0], SPANS, strict=True):
        bucket, later = np.floor(at / span.width), math.floor((START + ahead) / span.width)
        held = bucket > math.floor(START / span.width) - span.buckets
        held &= bucket % span.buckets != later % span.buckets  # the later bucket has taken the place of this one
        assert total.rows == held.sum() + 9


def test_a_root_without_later_times_stays_as_it_is() -> None:
    checkpoint = _counted(some_rows(60), np.full(60, START))
    root = checkpoint.read()
    for limit in (START, START + 300.0, math.inf):
        assert CatchUp(SHAPE).without_future(root, limit, limit) == (root, 0)
