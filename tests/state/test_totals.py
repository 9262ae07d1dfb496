from __future__ import annotations

from dataclasses import replace

import numpy as np
from driftgauge.state.log import Log
from driftgauge.state.root import FOLDED, Root
from driftgauge.state.slot import Slot
from driftgauge.state.snapshot import SlotTotals
from driftgauge.state.totals import Totals

from tests.monitors import START, some_rows
from tests.states import COUNTED, small_shape

SHAPE = small_shape(50)


def worker(number: int, rows: int) -> tuple[Slot, bytearray]:
    """Return the slot of another worker that has appended, counted and published rows."""
    buffer = bytearray(SHAPE.log.size_bytes)
    log = Log(SHAPE, buffer)
    log.append(some_rows(rows), np.full(rows, START), np.full(rows, START))
    with log.counters.counting() as counters:
        counters.add(COUNTED.name, rows, "b")
    log.publish()
    return Slot(number, 1_000 + number, log.reader), buffer


def own() -> SlotTotals:
    log = Log(SHAPE)
    return SlotTotals(1, True, log.counters.copied(), log.rows)


def counted(totals: Totals) -> dict[int | None, float]:
    return {member.number: float(member.counted[COUNTED.name].sum()) for member in totals.with_own(own())}


def start() -> Root:
    return SHAPE.start


def test_workers_are_listed_by_number_and_folded_ones_last() -> None:
    totals = Totals(SHAPE, start())
    totals.read([worker(2, 7)[0], worker(0, 3)[0]], start())
    assert list(counted(totals).items()) == [(0, 3.0), (1, 0.0), (2, 7.0), (None, 0.0)]


def test_a_worker_that_cannot_be_read_counts_as_before_and_not_as_running() -> None:
    totals = Totals(SHAPE, start())
    slot, buffer = worker(0, 3)
    totals.read([slot], start())
    buffer[:] = bytes(len(buffer))
    for others in ([slot], []):
        totals.read(others, start())
        (first, *_) = totals.with_own(own())
        assert (first.number, first.is_running, float(first.counted[COUNTED.name].sum())) == (0, False, 3.0)


def test_a_worker_that_is_folded_is_among_the_carried() -> None:
    totals = Totals(SHAPE, start())
    slot, _ = worker(0, 3)
    totals.read([slot], start())
    carried = SHAPE.counted.packed(slot.log.counted())
    totals.read([], replace(start(), positions={slot.key: FOLDED}, carried=carried))
    assert counted(totals) == {1: 0.0, None: 3.0}
