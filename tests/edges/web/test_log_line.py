from __future__ import annotations

from dataclasses import replace

import pytest
from driftgauge.edges.web.facts import LoggedPredictions
from driftgauge.edges.web.log_line import in_bytes, log_line

KEPT = "1,200 rows, the oldest of 1970-01-01 00:00, 3.0 MiB of 2.0 GiB"
UNKNOWN = LoggedPredictions(rows=None, size_bytes=None, oldest=None, max_bytes=2 << 30, queued_rows=1)
LOG = LoggedPredictions(rows=1_200, size_bytes=3 << 20, oldest=0.0, max_bytes=2 << 30, queued_rows=0)


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (LOG, KEPT),
        (replace(LOG, rows=0, oldest=None), "0 rows, 3.0 MiB of 2.0 GiB"),
        (UNKNOWN, "not looked at yet; 1 row to be written"),
        (
            replace(LOG, dropped={"prediction_log_failed": 2_000, "not_sampled": 1}),
            f"{KEPT}; not logged: 2,000 prediction_log_failed, 1 not_sampled",
        ),
    ],
)
def test_the_line_says_what_is_kept_waits_and_was_dropped(log: LoggedPredictions, line: str) -> None:
    assert log_line(log) == line


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0.0 KiB"), (1_047_553, "1,023.0 KiB"), (1 << 20, "1.0 MiB"), (5 << 40, "5,120.0 GiB")]
)
def test_sizes_have_a_unit(size: int, text: str) -> None:
    assert in_bytes(size) == text
