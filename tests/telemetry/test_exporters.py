from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from driftgauge.errors import SettingsError
from driftgauge.metrics.families import read_families
from driftgauge.telemetry.exporters import POINTS_AT_ONCE, LastMessage, metric_exporter, span_exporter
from driftgauge.telemetry.options import TelemetryOptions
from driftgauge.telemetry.points import Points, Starts
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.otlp_receiver import Collector, over_grpc, over_http

COLLECTORS = {"http": over_http, "grpc": over_grpc}
Start = Callable[[], AbstractContextManager[tuple[str, Collector]]]


def page(series: int) -> str:
    lines = "".join(f'model_window_rows{{window="{number}"}} {number}\n' for number in range(series))
    return f"# HELP model_window_rows Rows.\n# TYPE model_window_rows gauge\n{lines}"


@pytest.mark.parametrize(("protocol", "start"), COLLECTORS.items())
def test_metrics_and_spans_arrive_over_each_protocol(protocol: str, start: Start) -> None:
    with start() as (address, collector):
        options = TelemetryOptions(address, protocol, {"Authorization": "Bearer secret"})
        metrics, spans = metric_exporter(options), span_exporter(options)
        data = Points(5.0, Starts(1.0)).data(read_families(page(POINTS_AT_ONCE + 1)), Resource({"a": "b"}), "1.0")
        assert metrics.export(data) is MetricExportResult.SUCCESS
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(spans))
        provider.get_tracer("a").start_span("b").end()
        metrics.shutdown()
        provider.shutdown()
    assert [own.value for own in collector.points] == list(range(POINTS_AT_ONCE + 1))
    assert len(collector.metrics) == 2  # no request is larger than a receiver takes
    assert [own.name for own in collector.spans] == ["b"]
    assert {own["authorization"] for own in collector.headers} == {"Bearer secret"}
    assert "secret" not in repr(options)


@pytest.mark.parametrize(("protocol", "extra"), [("http", "otlp"), ("grpc", "otlp-grpc")])
@pytest.mark.parametrize("made", [metric_exporter, span_exporter])
def test_a_library_that_is_missing_is_named_with_its_extra(
    made: Callable[[TelemetryOptions], object], protocol: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in ("metric_exporter", "trace_exporter"):
        monkeypatch.setitem(sys.modules, f"opentelemetry.exporter.otlp.proto.{protocol}.{what}", None)
    with pytest.raises(SettingsError, match=rf"pip install 'driftgauge\[{extra}\]'"):
        made(TelemetryOptions("http://127.0.0.1:1", protocol))


def test_the_last_message_of_each_signal_is_kept_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    last = LastMessage()
    assert last.of("metrics") == "the exporter does not say why"
    last.listen()
    try:
        logging.getLogger("opentelemetry.exporter.otlp.proto.http.metric_exporter").warning("no %s", "route")
        logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter").error("refused")
        assert (last.of("metrics"), last.of("traces")) == ("no route", "refused")
    finally:
        last.stop()
    assert caplog.records == []
    logging.getLogger("opentelemetry.exporter").warning("heard")
    assert [own.getMessage() for own in caplog.records] == ["heard"]
