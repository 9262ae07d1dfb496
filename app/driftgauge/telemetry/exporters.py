"""The exporters of OpenTelemetry, by protocol, and why they fail."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.util.re import parse_env_headers

from driftgauge.errors import SettingsError
from driftgauge.telemetry.delivery import Delivery, shown
from driftgauge.telemetry.options import TelemetryOptions

POINTS_AT_ONCE: Final = 2_000
"""Most data points of one request, well below the 4 MiB that receivers of gRPC take."""
LOGGER: Final = "opentelemetry"
_MODULES: Final = {"metrics": "metric_exporter", "traces": "trace_exporter"}
"""Parts of the names of their loggers."""
_HEADERS: Final = "OTEL_EXPORTER_OTLP_HEADERS"
_VARIABLES: Final = {"metrics": "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "traces": "OTEL_EXPORTER_OTLP_TRACES_HEADERS"}
_GRPC_NAME: Final = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)")


def metric_exporter(options: TelemetryOptions, delivery: Delivery) -> MetricExporter:
    """Return what sends metrics; SettingsError if its library is not installed, or a header cannot be sent."""
    _check_headers(options, "metrics")
    if options.protocol == "grpc":
        with _installed("otlp-grpc"):
            from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as OverGrpc
        over_grpc: MetricExporter = _over_grpc(OverGrpc, options, delivery, max_export_batch_size=POINTS_AT_ONCE)
        return over_grpc
    with _installed("otlp"):
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as OverHttp
    answer = ExportMetricsServiceResponse
    over_http: MetricExporter = _over_http(
        OverHttp, options, delivery, "metrics", answer, max_export_batch_size=POINTS_AT_ONCE
    )
    return over_http


def span_exporter(options: TelemetryOptions, delivery: Delivery) -> SpanExporter:
    """Return what sends spans; SettingsError if its library is not installed, or a header cannot be sent."""
    _check_headers(options, "traces")
    if options.protocol == "grpc":
        with _installed("otlp-grpc"):
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc
        over_grpc: SpanExporter = _over_grpc(OverGrpc, options, delivery)
        return over_grpc
    with _installed("otlp"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp
    over_http: SpanExporter = _over_http(OverHttp, options, delivery, "traces", ExportTraceServiceResponse)
    return over_http


def _over_grpc(exporter: Any, options: TelemetryOptions, delivery: Delivery, **more: int) -> Any:
    """Return an exporter of a class over gRPC."""
    return _read(exporter, delivery)(
        endpoint=options.endpoint,
        insecure=_is_plain(options),
        headers=_grpc_headers(options),
        timeout=options.timeout_seconds,
        **more,
    )


def _over_http(
    exporter: Any, options: TelemetryOptions, delivery: Delivery, signal: str, answer: Any, **more: int
) -> Any:
    """Return an exporter of a class over HTTP."""
    from driftgauge.telemetry.http_session import CollectorSession  # its library is installed by now

    return exporter(
        endpoint=f"{options.endpoint.rstrip('/')}/v1/{signal}",
        headers=dict(options.headers) or None,
        timeout=options.timeout_seconds,
        session=CollectorSession(delivery, answer, time.time),
        **more,
    )


def _read(exporter: Any, delivery: Delivery) -> Any:
    """Return a class of exporters over gRPC that reads the answers; the library's own leaves them."""

    class Read(exporter):  # type: ignore[misc]
        def _initialize_channel_and_stub(self) -> None:
            super()._initialize_channel_and_stub()
            self._client: Any = _Stub(self._client, delivery)

    return Read


class _Stub:
    """A stub whose answers are read."""

    def __init__(self, stub: Any, delivery: Delivery) -> None:
        self._stub: Final = stub
        self._delivery: Final = delivery

    def Export(self, **request: Any) -> Any:  # noqa: N802
        self._delivery.fail(None)
        answer = self._stub.Export(**request)
        self._delivery.answered(answer)
        return answer


@contextmanager
def _installed(extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise SettingsError(
            f"otlp_endpoint needs a library that is not installed: pip install 'driftgauge[{extra}]'"
        ) from error


def _is_plain(options: TelemetryOptions) -> bool:
    return options.endpoint.startswith("http://")


def _grpc_headers(options: TelemetryOptions) -> tuple[tuple[str, str], ...] | None:
    return tuple((name.lower(), value) for name, value in options.headers.items()) or None


def _check_headers(options: TelemetryOptions, signal: str) -> None:
    """Raise SettingsError for a header that cannot be sent; libraries would write its value to the log."""
    for name, value in options.headers.items():
        _check_header("otlp_headers_file", name, value, options)
    for variable in (_HEADERS, _VARIABLES[signal]):
        for name, value in _env_headers(variable).items():
            _check_header(variable, name, value, options)


def _check_header(place: str, name: str, value: str, options: TelemetryOptions) -> None:
    if not value.isprintable() or not value.isascii():
        raise SettingsError(f"{place}: the header {name} cannot be sent: give a value in one line of ASCII")
    if options.protocol == "grpc" and not _GRPC_NAME.fullmatch(name.lower()):
        raise SettingsError(f"{place}: gRPC cannot send a header with the name {name}: use letters, digits, . - and _")


def _env_headers(variable: str) -> Mapping[str, str]:
    """Return the headers of a variable; SettingsError names the entry that is none, and no value."""
    headers: dict[str, str] = {}
    logger = logging.getLogger(parse_env_headers.__module__)
    was_disabled, logger.disabled = logger.disabled, True
    try:
        for number, entry in enumerate(os.environ.get(variable, "").split(","), 1):
            found = parse_env_headers(entry, liberal=True)
            if entry.strip() and not found:
                raise SettingsError(f"{variable}: entry {number} is no header: give name=value, several with commas")
            headers.update(found)
    finally:
        logger.disabled = was_disabled
    return headers


class LastMessage(logging.Handler):
    """Keeps what the exporters last said of each signal, which is all they tell of why they failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._texts: dict[str, str] = {}
        self._deliveries: dict[str, Delivery] = {own: Delivery() for own in _MODULES}

    def delivery(self, signal: str) -> Delivery:
        """Return the answers of the collector on a signal."""
        return self._deliveries[signal]

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message; a loss is counted, so its line is not logged."""
        signal = next((own for own, part in _MODULES.items() if part in record.name), "")
        self._texts[signal] = record.getMessage()

    def of(self, signal: str) -> str:
        """Return why the last transmission of a signal failed."""
        known = self._deliveries[signal].reason
        return known or shown(self._texts.get(signal, "")) or "the exporter does not say why"

    def listen(self) -> None:
        """Take the messages of the exporters, instead of the log."""
        logger = logging.getLogger(LOGGER)
        logger.propagate = False
        logger.addHandler(self)

    def stop(self) -> None:
        """Leave them to the log again."""
        logger = logging.getLogger(LOGGER)
        logger.removeHandler(self)
        logger.propagate = True
