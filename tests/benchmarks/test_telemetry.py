from __future__ import annotations

from pathlib import Path

from benchmarks.contestants.catalogue import ROOT
from benchmarks.telemetry import BEFORE, HEADS, METRICS, OFF, TRACED, Cost, collector, spans_in, ways

PAGE = b"""# TYPE server_telemetry_items_total counter
server_telemetry_items_total{signal="metrics",result="sent"} 500.0
server_telemetry_items_total{signal="traces",result="sent"} 90.0
server_telemetry_items_total{signal="traces",result="dropped"} 10.0
model_predictions_total{model_name="model"} 7.0
"""


def test_spans_are_counted_by_result() -> None:
    assert spans_in(PAGE) == {"sent": 90.0, "dropped": 10.0}
    assert spans_in(b"model_predictions_total 7\n") == {}


def test_another_checkout_is_measured_beside_all_ways() -> None:
    found = ways("http://127.0.0.1:1", Path("other"))
    assert [own.name for own in found] == [BEFORE, OFF, METRICS, *TRACED]
    assert [own.root for own in found] == [Path("other"), *[ROOT] * (2 + len(TRACED))]
    assert [own.settings.get("otlp_trace_ratio") for own in found] == [None, None, None, "0.01", "0.1", "1"]
    assert [own.settings for own in found[:2]] == [{}, {}]
    assert [own.name for own in ways("http://127.0.0.1:1", None)] == [OFF, METRICS, *TRACED]


def test_costs_are_compared_with_those_of_the_same_round() -> None:
    cost = Cost()
    for slow in (1.0, 2.0, 4.0):  # the machine is slower in later rounds
        cost.add({OFF: 100.0 * slow, METRICS: 110.0 * slow})
    cost.counted(METRICS, 1_000, {"sent": 90.0, "dropped": 10.0})
    cost.counted(METRICS, 1_000, {"sent": 110.0, "dropped": 0.0})
    off, metrics = cost.rows()
    assert dict(zip(HEADS, off, strict=True))["CPU, µs a request"] == "200.0"
    assert metrics == [METRICS, "220.0", "1.100", "–", "–", "–", "10.00", "0.50"]


def test_a_collector_listens_while_the_block_runs(tmp_path: Path) -> None:
    with collector(tmp_path) as address:
        assert address.startswith("http://127.0.0.1:")
    assert (tmp_path / "collector.log").is_file()
