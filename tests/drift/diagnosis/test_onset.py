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
