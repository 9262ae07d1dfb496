"""Puts telemetry together: the collector of the settings, the server's own metrics, and its requests."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from driftgauge import __version__
from driftgauge.common.private_files import FileLock, make_private
from driftgauge.common.safe_files import read_bounded
from driftgauge.common.webhook import place
from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.edges.http.traced import Traced
from driftgauge.errors import SettingsError
from driftgauge.metrics.families import PLAIN_TEXT
from driftgauge.metrics.render import render_chunks
from driftgauge.monitor.problems import Problems
from driftgauge.settings.options import Settings
from driftgauge.telemetry.exporters import LastMessage, metric_exporter, span_exporter
from driftgauge.telemetry.identity import Instance, instance_of, resource_of
from driftgauge.telemetry.options import TelemetryOptions
from driftgauge.telemetry.sender import MetricSender, Page
from driftgauge.telemetry.service import Failures, Telemetry
from driftgauge.telemetry.spans import CountedExporter, RequestTracer
from driftgauge.telemetry.starts import Starts
from driftgauge.telemetry.tally import Tally

PROBLEM: Final = "telemetry"
FOLDER: Final = "@telemetry"
"""Folder of what workers share of it, in a state folder; no model can have this name."""
DISABLED: Final = "OTEL_SDK_DISABLED"
MOST_BYTES: Final = 65_536
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2


def compose_telemetry(settings: Settings, monitoring: Monitoring, clock: Callable[[], float]) -> Telemetry | None:
    """Return what sends metrics and traces; None if the environment has switched OpenTelemetry off.

    SettingsError for a library that is not installed, or headers that cannot be read. Where the folder of the state
    cannot be used, a worker counts and sends for itself: predictions do not depend on it.
    """
    if settings.otlp_endpoint is None or os.environ.get(DISABLED, "").strip().lower() == "true":
        return None
    options = _options(settings, settings.otlp_endpoint)
    problems, signals = Problems(clock), settings.otlp_signals
    record = partial(problems.record, PROBLEM)
    folder = _folder(settings.state_folder, monitoring)
    tally = Tally(folder, monitoring.service.store.number, signals, clock())
    messages = LastMessage()
    failures = Failures(messages, place(options.endpoint), record, tally, clock)
    instance = _instance(folder, clock, record)
    sending = _Sending(options, instance, settings.otlp_resource_attributes, tally, messages, failures, clock)
    sender = sending.metrics(monitoring, folder) if "metrics" in signals else None
    tracer = sending.traces() if "traces" in signals else None
    telemetry = Telemetry(tally, messages, sender, tracer, options, clock, record)
    monitoring.telemetry = telemetry
    return telemetry


@dataclass(frozen=True)
class _Sending:
    """What the senders of both signals share."""

    options: TelemetryOptions
    instance: Instance
    attributes: Mapping[str, str]
    """Of the settings."""
    tally: Tally
    messages: LastMessage
    failures: Failures
    clock: Callable[[], float]

    def metrics(self, monitoring: Monitoring, folder: Path | None) -> MetricSender:
        """Return what sends the metrics of the server."""

        async def page() -> Page:
            facts, server = await monitoring.facts()
            pieces, _ = render_chunks(PLAIN_TEXT, facts, server, monitoring.exposed)
            return pieces, server.telemetry.exemplars if server.telemetry else {}

        delivery = self.messages.delivery("metrics")
        return MetricSender(
            metric_exporter(self.options, delivery),
            page,
            resource_of(self.instance, __version__, self.attributes),
            __version__,
            Starts(self.instance.since, folder),
            None if folder is None else FileLock(folder / "lock"),
            self.options.interval_seconds,
            self.tally,
            self.failures.of("metrics"),
            delivery.take_rejected,
            self.clock,
        )

    def traces(self) -> RequestTracer:
        """Return what traces requests; SettingsError for a variable of the environment that cannot be used."""
        options, delivery = self.options, self.messages.delivery("traces")
        spans = span_exporter(options, delivery)
        failed = self.failures.of("traces")
        exporter = CountedExporter(spans, self.tally, options.max_queued_spans, failed, delivery.take_rejected)
        resource = resource_of(self.instance, __version__, self.attributes)
        ratio, most = options.trace_ratio, options.max_queued_spans
        try:
            return RequestTracer(exporter, resource, __version__, ratio, most, self.tally, self.clock)
        except ValueError as error:  # of OTEL_BSP_MAX_EXPORT_BATCH_SIZE, or of a limit of attributes
            raise SettingsError(f"a variable OTEL_… of the environment cannot be used: {error}") from error


def _instance(folder: Path | None, clock: Callable[[], float], record: Callable[[Exception], None]) -> Instance:
    """Return the identity of the server, a new one where its folder cannot keep it."""
    try:
        return instance_of(folder, clock())
    except OSError as error:
        record(error)
        return instance_of(None, clock())


def traced_by(telemetry: Telemetry) -> Callable[[ASGIApp], ASGIApp] | None:
    """Return what traces the requests to an application; None if traces are not sent."""
    if telemetry.tracer is None:
        return None
    return partial(Traced, tracer=telemetry.tracer, record=telemetry.record)


def _folder(state: Path | None, monitoring: Monitoring) -> Path | None:
    """Return the folder that the workers share; None for state in memory."""
    if state is None or not monitoring.service.store.is_persistent:
        return None
    folder = state / FOLDER
    try:
        make_private(folder, state)
    except OSError as error:
        monitoring.service.problems.record_lasting(PROBLEM, f"{error}. Until then each worker sends its own metrics")
        return None
    return folder


def _options(settings: Settings, endpoint: str) -> TelemetryOptions:
    return TelemetryOptions(
        endpoint=endpoint,
        protocol=settings.otlp_protocol,
        headers={} if settings.otlp_headers_file is None else headers_in(settings.otlp_headers_file),
        interval_seconds=settings.otlp_interval_seconds,
        timeout_seconds=settings.otlp_timeout_seconds,
        trace_ratio=settings.otlp_trace_ratio,
        max_queued_spans=settings.otlp_max_queued_spans,
        lost_threshold_ratio=settings.otlp_lost_threshold_ratio,
    )


def headers_in(file: Path) -> Mapping[str, str]:
    """Return the headers of a file: a line `name: value` for each. SettingsError names the line, and no value."""
    try:
        lines = read_bounded(file, MOST_BYTES).decode("utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"otlp_headers_file: cannot read {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"otlp_headers_file: {file} is not text in UTF-8") from error
    headers: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not colon or not _NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise SettingsError(f"otlp_headers_file: line {number} of {file} is no header: give name: value")
        headers[name] = value
    return headers
