from __future__ import annotations

import numpy as np
from driftgauge.state.backlog import Backlog
from driftgauge.state.log import Log

from tests.monitors import START, some_rows
from tests.states import small_shape


def filled(rows: int) -> Log:
    log = Log(small_shape(50))
    log.append(some_rows(rows), np.full(rows, START), np.full(rows, START))
    return log


def test_room_is_what_is_left_after_the_position_was_read() -> None:
    read = [3]
    backlog = Backlog(10, 0, lambda known: max(known, read[0]))
    log = filled(8)
    assert backlog.rows(log) == 8  # as far as it is known
    assert backlog.room(log) == 5
    assert backlog.rows(log) == 5
    read[0] = 8
    assert (backlog.room(log), backlog.is_half_full(log)) == (10, False)


def test_it_is_half_full_only_if_it_still_is_after_the_position_was_read() -> None:
    log = filled(6)
    assert Backlog(10, 0, lambda known: known).is_half_full(log)
    assert not Backlog(10, 0, lambda known: 5).is_half_full(log)


def test_a_stream_asks_for_the_position_now_and_then() -> None:
    asked: list[int] = []

    def position(known: int) -> int:
        asked.append(known)
        return 0

    backlog, log = Backlog(640, 0, position), filled(1)
    filling = []
    for _ in range(640):
        filling.append(backlog.fills(log))
        log.append_row(some_rows(1)[0], START, START)
    assert filling.index(True) == 319
    assert filling.count(True) == len(asked) == 33  # at the half, and at each further sixty-fourth
