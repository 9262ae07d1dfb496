from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from driftgauge.errors import SettingsError
from driftgauge.metrics.families import read_families
from driftgauge.telemetry.delivery import Delivery
from driftgauge.telemetry.exporters import POINTS_AT_ONCE, LastMessage, metric_exporter, span_exporter
from driftgauge.telemetry.options import TelemetryOptions
from driftgauge.telemetry.points import Points
from driftgauge.telemetry.starts import Starts
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
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
        metrics, spans = metric_exporter(options, Delivery()), span_exporter(options, Delivery())
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
    made: Callable[[TelemetryOptions, Delivery], object], protocol: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in ("metric_exporter", "trace_exporter"):
        monkeypatch.setitem(sys.modules, f"opentelemetry.exporter.otlp.proto.{protocol}.{what}", None)
    with pytest.raises(SettingsError, match=rf"pip install 'driftgauge\[{extra}\]'"):
        made(TelemetryOptions("http://127.0.0.1:1", protocol), Delivery())


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


def test_what_a_collector_said_of_a_request_comes_before_a_message() -> None:
    last = LastMessage()
    last.delivery("metrics").fail("it answered 503")
    last.emit(logging.makeLogRecord({"name": "opentelemetry.metric_exporter", "msg": "due to timeout"}))
    last.emit(logging.makeLogRecord({"name": "opentelemetry.trace", "msg": "Invalid key/value pair of a caller"}))
    assert (last.of("metrics"), last.of("traces")) == ("it answered 503", "the exporter does not say why")


def test_points_that_a_collector_rejects_are_told_over_grpc() -> None:
    partial = ExportMetricsPartialSuccess(rejected_data_points=2, error_message="too old")
    with over_grpc(ExportMetricsServiceResponse(partial_success=partial)) as (address, _):
        delivery = Delivery()
        own = metric_exporter(TelemetryOptions(address, "grpc"), delivery)
        data = Points(5.0, Starts(1.0)).data(read_families(page(3)), Resource({}), "1.0")
        assert own.export(data) is MetricExportResult.SUCCESS
        own.shutdown()
    assert (delivery.take_rejected(), delivery.reason) == (2, "some were rejected: too old")


@pytest.mark.parametrize(
    ("protocol", "headers", "variable", "why"),
    [
        ("grpc", {"x|y": "sesame"}, "", "otlp_headers_file: gRPC cannot send a header with the name x"),
        ("grpc", {"token-bin": "sesame"}, "", "gRPC cannot send a header with the name token-bin"),
        ("http", {}, "a=b,sesame", "OTEL_EXPORTER_OTLP_HEADERS: entry 2 is no header"),
        ("http", {}, "authorization=sesame%0Aother", "the header authorization cannot be sent"),
        ("grpc", {}, "authorization=%C3%A4sesame", "the header authorization cannot be sent"),
    ],
)
@pytest.mark.parametrize("made", [metric_exporter, span_exporter])
def test_a_header_that_cannot_be_sent_stops_the_start_and_its_value_is_not_said(
    made: Callable[[TelemetryOptions, Delivery], object],
    protocol: str,
    headers: dict[str, str],
    variable: str,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", variable)
    with pytest.raises(SettingsError, match=why) as raised:
        made(TelemetryOptions("http://127.0.0.1:1", protocol, headers), Delivery())
    assert "sesame" not in str(raised.value)
    assert "sesame" not in caplog.text
