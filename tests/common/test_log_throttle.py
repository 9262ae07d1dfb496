from __future__ import annotations

from driftgauge.common.log_throttle import INTERVAL_SECONDS, MOST_KINDS, LogThrottle


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_line_of_each_kind_passes_in_a_minute_with_how_many_did_not() -> None:
    clock = Seconds()
    sparing = LogThrottle(clock)
    assert [sparing.passes(kind) for kind in "aabab"] == [0, None, 0, None, None]
    clock.now += INTERVAL_SECONDS - 0.001
    assert sparing.passes("a") is None
    clock.now += 0.001
    assert [sparing.passes(kind) for kind in "aab"] == [3, None, 1]
    clock.now += INTERVAL_SECONDS
    assert sparing.passes("a") == 1


def test_however_many_kinds_there_are_few_lines_pass_and_little_is_kept() -> None:
    sparing = LogThrottle(Seconds())
    passed = [sparing.passes(str(kind)) for kind in range(10 * MOST_KINDS)]
    assert sum(own is not None for own in passed) == MOST_KINDS + 1
    assert len(sparing._written) == MOST_KINDS + 1
