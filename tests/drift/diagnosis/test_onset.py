from __future__ import annotations

import numpy as np
import pytest
from driftgauge.drift.diagnosis.onset import FEWEST_ROWS, PLACES, onset

REFERENCE = np.array([500.0, 300.0, 200.0])


@pytest.mark.parametrize("begin", [200, 1_000, 1_700])
def test_the_onset_is_near_the_row_from_which_other_bins_are_drawn(begin: int) -> None:
    rng = np.random.default_rng(1)
    before, after = rng.choice(3, begin, p=[0.5, 0.3, 0.2]), rng.choice(3, 2_000 - begin, p=[0.1, 0.3, 0.6])
    codes = np.concatenate([before, after]).astype(np.uint8)
    assert abs(onset(codes, REFERENCE) - begin) <= 2_000 // PLACES + 30


def test_a_change_of_all_rows_begins_with_the_first() -> None:
    codes = np.random.default_rng(2).choice(3, 1_000, p=[0.1, 0.1, 0.8]).astype(np.uint8)
    assert onset(codes, REFERENCE) <= 1_000 // PLACES * 3


def test_few_rows_have_no_onset_of_their_own() -> None:
    assert onset(np.zeros(FEWEST_ROWS, dtype=np.uint8), REFERENCE) == 0


def test_what_each_hour_is_like_does_not_begin_a_change() -> None:
    shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    by_hour = np.repeat(1_000.0 * shares, 12, axis=0)
    hours = (np.arange(2_400) // 100) % 24
    rng = np.random.default_rng(3)
    codes = np.array([rng.choice(3, p=shares[hour // 12]) for hour in hours], dtype=np.uint8)
    codes[2_000:] = np.where(rng.random(400) < 0.3, 1, codes[2_000:])
    assert abs(onset(codes, by_hour, hours) - 2_000) <= 2_400 // PLACES + 30
    assert onset(codes, by_hour.sum(axis=0)) < 1_950
