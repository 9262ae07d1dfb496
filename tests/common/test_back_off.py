from __future__ import annotations

import pytest
from driftgauge.common.back_off import BackOff
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(1, 7), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_each_wait_is_at_most_twice_the_one_before_and_within_the_limit(
    failed: int, chance: float, retry_after: float | None
) -> None:
    wait = BackOff(attempts=8).wait(failed, chance, retry_after)
    assert wait is not None
    assert 2 ** (failed - 1) / 2 <= wait <= 300
    assert wait <= max(2 ** (failed - 1), retry_after or 0)
    assert BackOff(attempts=8).wait(8, chance, retry_after) is None


@pytest.mark.parametrize(("failed", "seconds"), [(1, 1.0), (2, 2.0), (8, 128.0), (9, 200.0), (5_000, 200.0)])
def test_waits_double_up_to_the_limit_however_many_attempts_there_were(failed: int, seconds: float) -> None:
    assert BackOff(first_seconds=1.0, most_seconds=200.0).longest(failed) == seconds
