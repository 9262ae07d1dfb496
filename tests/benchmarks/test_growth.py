"""The benchmark of growth; no time is asserted."""

from __future__ import annotations

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from benchmarks import growth
from benchmarks.growth import BATCH_ROWS, Cost, Feed, by_features, by_window, cost, exposition, lines
from benchmarks.monitors import START, Data, monitor_of

FEW = Cost(row_us=0.5, evaluation_ms=7.0, render_ms=2.0, text_kib=80.0, series=1_000.0)
MANY = Cost(row_us=3.0, evaluation_ms=70.0, render_ms=9.0, text_kib=3_000.0, series=30_000.0)


def test_rows_are_fed_in_batches_and_the_text_counts_them() -> None:
    data = Data.of(3, 4 * BATCH_ROWS, 1)
    monitor = monitor_of(data.baseline(), (100, 1_000))
    feed = Feed(monitor, data.current)
    feed(10 * BATCH_ROWS - 1)
    assert monitor.store.rows == 10 * BATCH_ROWS
    assert feed.now > START
    monitor.evaluate(feed.now)
    text = exposition(monitor).decode()
    families = {own.name: own for own in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    assert sum(sample.value for sample in families["model_observations"].samples) == 640
    assert {sample.labels["feature_name"] for sample in families["model_feature_psi"].samples} == set(data.names)


def test_a_cost_has_all_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "LOT_VALUES", 1_000)
    found = cost(3, (100, 1_000), seed=1, repeats=3)
    assert min(found.row_us, found.evaluation_ms, found.render_ms, found.text_kib) > 0.0
    assert found.series > 100


def test_the_typical_cost_is_the_median_of_each_figure() -> None:
    middle = Cost(1.0, 5.0, 3.0, 100.0, 2_000.0)
    assert Cost.typical([FEW, MANY, middle]) == Cost(1.0, 7.0, 3.0, 100.0, 2_000.0)


def test_the_tables_and_the_lines_say_what_was_found() -> None:
    assert "| 1,000 | 3.00 | 3.0 | 70.0 | 9.00 | 3,000 | 30,000 | 0.30 |" in by_features({5: FEW, 1_000: MANY}, 10_000)
    assert "| 100,000 | 3.00 | 6.00 | 70.0 | 9.00 |" in by_window({1_000: FEW, 100_000: MANY}, 30)
    (row,), scrape = lines({5: FEW, 1_000: MANY})
    assert row == ("a row", [0.5, 3.0])
    assert scrape == [("evaluation", [7.0, 70.0]), ("text", [2.0, 9.0])]
