from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from driftgauge.demo.flights import CLASSES
from driftgauge.demo.quality import auc

IN_TIME, LATE = CLASSES


def test_flights_that_never_arrived_do_not_count() -> None:
    late = pd.Series([IN_TIME, LATE, None, IN_TIME, LATE], dtype="str")
    assert auc(late, np.array([0.1, 0.9, 0.0, 0.2, 0.3])) == 1.0
    # of the four pairs of a late and a timely flight, one is ranked wrongly
    assert auc(late, np.array([0.1, 0.9, 1.0, 0.2, 0.15])) == pytest.approx(0.75)


@pytest.mark.parametrize("known", [IN_TIME, LATE])
def test_one_class_has_no_auc(known: str) -> None:
    assert auc(pd.Series([known, None], dtype="str"), np.array([0.1, 0.9])) is None
    assert auc(pd.Series([], dtype="str"), np.array([])) is None
