"""The numbers of the service at the top of the page."""

from __future__ import annotations

from dataclasses import replace

from driftgauge.edges.web.facts import Efficiency

from tests.html_pages import report_of, tree_of

REPORT = report_of()
EFFICIENCY = Efficiency(302.0, 12.5, 3.0, 0.0, 0.0, 0.005, 0.02, 0.03, 0.01, 0.05)


def test_throughput_is_that_of_the_last_minutes() -> None:
    words = tree_of(REPORT, efficiency=EFFICIENCY).words
    assert "Throughput 12.5 rows/s 3 requests/s, p95 20 ms, queue 5 % full, in the last 5 min" in words
    assert "rows/s" not in tree_of(REPORT).words
    full = replace(EFFICIENCY, failed_ratio=0.02, overloaded_ratio=0.1, queued_rows_ratio=1.0)
    page = tree_of(REPORT, efficiency=full)
    assert (
        "p95 20 ms, 2 % failed, queue 100 % full, 10 % of the requests rejected because it was full, in" in page.words
    )
    assert len(page.having("class", "bad")) == 1
    nothing = replace(EFFICIENCY, seconds=0.5, rows_per_second=float("nan"))
    assert "Throughput – nothing counted yet" in tree_of(REPORT, efficiency=nothing).words
