"""A collector that is a program of its own takes metrics and traces over HTTP and gRPC, and passes them on."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import free_port, running, until
from tests.examples import Example
from tests.otlp_receiver import Collector, over_http
from tests.served import served

pytestmark = pytest.mark.e2e
TRACE, PARENT = "ab" * 16, "cd" * 8


@contextmanager
def rotel(folder: Path, onwards: str) -> Iterator[Mapping[str, str]]:
    """Run Rotel, which passes everything on; gives its addresses by protocol."""
    spec = find_spec("rotel")
    assert spec is not None
    assert spec.origin is not None
    ports = {"http": free_port(), "grpc": free_port()}
    options = {
        "--otlp-http-endpoint": f"127.0.0.1:{ports['http']}",
        "--otlp-grpc-endpoint": f"127.0.0.1:{ports['grpc']}",
        "--exporter": "otlp",
        "--otlp-exporter-endpoint": onwards,
        "--otlp-exporter-protocol": "http",
        "--pid-file": str(folder / "rotel.pid"),
    }
    command = [str(Path(spec.origin).with_name("rotel-agent")), "start"]
    log = folder / "rotel.log"
    with running(*(part for option in options.items() for part in option), log=log, command=command) as own:
        until(lambda: all(map(_listens, ports.values())), own, log)
        yield {protocol: f"http://127.0.0.1:{port}" for protocol, port in ports.items()}


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def seen(look: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60.0
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def predictions(collector: Collector) -> list[float]:
    return [own.value for own in collector.points if own.name == "model.predictions"]


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_collector_takes_metrics_and_traces_and_passes_them_on(
    protocol: str, binary: Example, tmp_path: Path
) -> None:
    traced = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
    options: dict[str, Any] = {"otlp_protocol": protocol, "otlp_interval_seconds": 1, "otlp_trace_ratio": 0}
    with over_http() as (onwards, collector), rotel(tmp_path, onwards) as addresses:
        with served(binary, state_dir=tmp_path / "state", otlp_endpoint=addresses[protocol], **options) as own:
            answer = own.client.post("/predict", json={"data": binary.rows(2)}, headers=traced).json()
            seen(lambda: 2.0 in predictions(collector))
            assert own.metric("server_telemetry_items_total", signal="metrics", result="sent") > 100
            assert own.metric("server_telemetry_items_total", result="failed") == 0.0
        seen(lambda: collector.spans)
    (span,) = collector.spans
    assert (span.name, span.trace_id, span.parent_id) == ("POST /predict", TRACE, PARENT)
    assert span.raw.trace_state == "vendor=1"
    assert span.attributes["driftgauge.prediction.ids"] == [one["prediction_id"] for one in answer["predictions"]]
    assert span.attributes["driftgauge.prediction.rows"] == 2
    kinds = {(one.name, one.kind, one.unit) for one in collector.points}
    assert kinds >= {
        ("model.predictions", "sum", ""),
        ("model.feature.missing", "gauge", "1"),
        ("http.request.duration", "histogram", "s"),
    }
    durations = [one.raw for one in collector.points if one.name == "http.request.duration"]
    assert span.span_id in {trace.span_id.hex() for one in durations for trace in one.exemplars}
    assert {one["service.name"] for one in collector.resources} == {"driftgauge"}
