"""The exporters of OpenTelemetry, by protocol, and why they fail."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from driftgauge.errors import SettingsError
from driftgauge.telemetry.options import TelemetryOptions

POINTS_AT_ONCE: Final = 2_000
"""Most data points of one request, well below the 4 MiB that receivers of gRPC take."""
LOGGER: Final = "opentelemetry"
_MODULES: Final = {"metrics": "metric_exporter", "traces": "trace_exporter"}
"""Parts of the names of their loggers."""


def metric_exporter(options: TelemetryOptions) -> MetricExporter:
    """Return what sends metrics; SettingsError if its library is not installed."""
    if options.protocol == "grpc":
        with _installed("otlp-grpc"):
            from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as OverGrpc

        return OverGrpc(
            endpoint=options.endpoint,
            insecure=_is_plain(options),
            headers=_grpc_headers(options),
            timeout=options.timeout_seconds,
            max_export_batch_size=POINTS_AT_ONCE,
        )
    with _installed("otlp"):
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as OverHttp

    return OverHttp(
        endpoint=f"{options.endpoint.rstrip('/')}/v1/metrics",
        headers=dict(options.headers) or None,
        timeout=options.timeout_seconds,
        max_export_batch_size=POINTS_AT_ONCE,
    )


def span_exporter(options: TelemetryOptions) -> SpanExporter:
    """Return what sends spans; SettingsError if its library is not installed."""
    if options.protocol == "grpc":
        with _installed("otlp-grpc"):
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc

        return OverGrpc(
            endpoint=options.endpoint,
            insecure=_is_plain(options),
            headers=_grpc_headers(options),
            timeout=options.timeout_seconds,
        )
    with _installed("otlp"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp

    return OverHttp(
        endpoint=f"{options.endpoint.rstrip('/')}/v1/traces",
        headers=dict(options.headers) or None,
        timeout=options.timeout_seconds,
    )


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


class LastMessage(logging.Handler):
    """Keeps what the exporters last said of each signal, which is all they tell of why they failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._texts: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message; a loss is counted, so its line is not logged."""
        signal = next((own for own, part in _MODULES.items() if part in record.name), "")
        self._texts[signal] = record.getMessage()

    def of(self, signal: str) -> str:
        """Return the last message on a signal."""
        return self._texts.get(signal) or self._texts.get("") or "the exporter does not say why"

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
