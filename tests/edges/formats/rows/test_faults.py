"""How many rows of a refused call violate each constraint."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.drift.reference.build import build_baseline
from driftgauge.drift.reference.columns import Categories
from driftgauge.edges.formats.rows.faults import count_faults
from driftgauge.edges.formats.rows.reader import RowReader
from driftgauge.errors import Reason, Refused

TABLE: dict[str, Any] = {
    "age": np.arange(100.0),
    "city": Categories(np.arange(100) % 2, ("Bonn", "Ulm")),
    "prediction": np.linspace(0.0, 1.0, 100),
}
READER = RowReader(build_baseline(TABLE, created="2026"))
GOOD = {"age": 41.0, "city": "Bonn"}


def refused(rows: Any, prediction: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        READER.read(rows, prediction)
    count_faults(READER, rows, caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("rows", "violations", "count"),
    [
        ([GOOD, {**GOOD, "age": "41"}, {**GOOD, "age": math.inf}], {"type": 2}, 3),
        ([GOOD, {**GOOD, "agee": 1}, {"city": "Ulm"}, "row", [1.0]], {"extra_columns": 1, "required": 2, "type": 1}, 5),
        ([[1.0, "Ulm"], [1.0], [1.0, []], ["x", []]], {"required": 1, "type": 2}, 4),
        (pd.DataFrame({"age": ["a", "b", None], "city": ["Ulm"] * 3}), {"type": 2}, 3),
        (pd.DataFrame({"age": [1.0, 2.0]}), {"required": 2}, 2),
        (pd.DataFrame({"age": [1.0, 2.0], "city": ["Ulm"] * 2, "agee": [1, 2]}), {"extra_columns": 2}, 2),
        (np.ones((4, 3)), {"required": 4}, 4),
        (np.ones(3), {"required": 1}, 1),
        ([1.0], {"required": 1}, 1),
        ({**GOOD, "age": "41"}, {"type": 1}, 1),
    ],
)
def test_rows_are_counted_by_the_constraint_that_they_violate(
    rows: Any, violations: dict[str, int], count: int
) -> None:
    error = refused(rows, [0.4] * count)
    assert (error.violations, error.rows) == (violations, count)


def test_what_is_no_fault_of_the_rows_stays_as_it_is() -> None:
    error = refused([GOOD, GOOD], None)
    assert (error.reason, error.violations, error.rows) == (Reason.MISSING_FEATURE, {"required": 1}, 1)
    error = refused("rows", 0.4)
    assert (error.reason, error.violations) == (Reason.UNKNOWN_SHAPE, {})
