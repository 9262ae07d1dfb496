from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trustme
from driftgauge.metrics.families import read_families
from driftgauge.telemetry.delivery import Delivery
from driftgauge.telemetry.exporters import metric_exporter
from driftgauge.telemetry.options import TelemetryOptions
from driftgauge.telemetry.points import Points
from driftgauge.telemetry.starts import Starts
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

Answer = Callable[[socket.socket], None]
PAGE = "# HELP model_window_rows Rows.\n# TYPE model_window_rows gauge\nmodel_window_rows 3\nmodel_window_rows 4\n"
HEADERS = {"x-api-key": "sesame"}


class Asked:
    """What a collector was asked."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.is_over = threading.Event()


@contextmanager
def collector(answer: Answer, asked: Asked | None = None) -> Iterator[str]:
    """Give the address of a server that reads one request of each connection, and then does as it likes."""
    asked = asked or Asked()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=take, args=(connection,), daemon=True).start()

        def take(connection: socket.socket) -> None:
            with connection:
                asked.bodies.append(connection.recv(1 << 20))
                try:
                    answer(connection)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        asked.is_over.set()


def head(status: str, *lines: str, body: bytes = b"") -> bytes:
    fields = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *lines]
    return "\r\n".join([*fields, "", ""]).encode() + body


def saying(content: bytes) -> Answer:
    return lambda connection: connection.sendall(content)


def points() -> MetricsData:
    return Points(5.0, Starts(1.0)).data(read_families(PAGE), Resource({}), "1.0")


def exporter(address: str, delivery: Delivery, seconds: float = 5.0) -> MetricExporter:
    return metric_exporter(TelemetryOptions(address, headers=HEADERS, timeout_seconds=seconds), delivery)


def send(address: str, seconds: float = 5.0) -> tuple[MetricExportResult, str | None]:
    delivery = Delivery()
    own = exporter(address, delivery, seconds)
    return own.export(points()), delivery.reason


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent"])
def test_a_redirect_is_a_failure_and_headers_go_to_nobody_else(status: str) -> None:
    elsewhere = Asked()
    with (
        collector(saying(head("200 OK")), elsewhere) as other,
        collector(saying(head(status, f"location: {other}/v1/metrics"))) as address,
    ):
        result, why = send(address)
    assert result is MetricExportResult.FAILURE
    assert why == f"{address} redirects, which is not followed: give the address that it leads to"
    assert elsewhere.bodies == []


def test_points_that_a_collector_rejects_are_told() -> None:
    partial = ExportMetricsPartialSuccess(rejected_data_points=1, error_message="too\nold")
    body = ExportMetricsServiceResponse(partial_success=partial).SerializeToString()
    delivery = Delivery()
    with collector(saying(head("200 OK", body=body))) as address:
        own = exporter(address, delivery)
        assert own.export(points()) is MetricExportResult.SUCCESS
        assert (delivery.take_rejected(), delivery.reason) == (1, "some were rejected: too old")
        assert delivery.take_rejected() == 0
    assert delivery.reason is None


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>ok</html>", b"\xff" * 70_000])
def test_an_accepted_request_counts_whatever_the_body_says(body: bytes) -> None:
    with collector(saying(head("200 OK", body=body))) as address:
        assert send(address) == (MetricExportResult.SUCCESS, None)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_collector_that_asks_to_wait_is_left_alone(status: str) -> None:
    asked, delivery = Asked(), Delivery()
    with collector(saying(head(status, "retry-after: 100")), asked) as address:
        own = exporter(address, delivery)
        assert own.export(points()) is MetricExportResult.FAILURE
        assert delivery.reason == f"{address} answered {status[:3]}"
        assert own.export(points()) is MetricExportResult.FAILURE
        assert delivery.reason is not None
        assert delivery.reason.startswith(f"{address} asked to wait for ")
    assert len(asked.bodies) == 1


def test_a_short_wait_is_waited_and_tried_again() -> None:
    asked = Asked()

    def answer(connection: socket.socket) -> None:
        busy = head("503 Service Unavailable", "retry-after: 1")
        connection.sendall(busy if len(asked.bodies) == 1 else head("200 OK"))

    with collector(answer, asked) as address:
        assert send(address, 30.0) == (MetricExportResult.SUCCESS, None)
    assert len(asked.bodies) == 2


def test_an_answer_that_never_ends_is_given_up_and_no_second_one_is_begun() -> None:
    asked, delivery = Asked(), Delivery()

    def drip(connection: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"a" * 10_000:
            connection.sendall(bytes([byte]))
            if asked.is_over.wait(0.05):
                return

    with collector(drip, asked) as address:
        own = exporter(address, delivery, 0.4)
        assert own.export(points()) is MetricExportResult.FAILURE
        assert delivery.reason == f"{address} did not answer in time"
        assert own.export(points()) is MetricExportResult.FAILURE
        assert delivery.reason == f"{address} has not ended its last answer"
    assert len(asked.bodies) == 1


def test_a_collector_that_never_answers_is_given_up() -> None:
    asked = Asked()

    def hold(_: socket.socket) -> None:
        asked.is_over.wait(60.0)

    with collector(hold, asked) as address:
        assert send(address, 0.3) == (MetricExportResult.FAILURE, f"{address} did not answer in time")


def test_an_answer_without_end_is_not_kept() -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n")
        while True:
            connection.sendall(b"a" * 65_536)

    with collector(flood) as address:
        assert send(address) == (MetricExportResult.SUCCESS, None)


def test_reasons_name_neither_the_path_nor_a_header() -> None:
    result, why = send("http://127.0.0.1:1/token-of-ours", 0.5)
    assert result is MetricExportResult.FAILURE
    assert why == "http://127.0.0.1:1 cannot be reached: Connection refused"
    with collector(saying(b"no HTTP\r\n\r\n")) as address:
        _, why = send(f"{address}/token-of-ours", 2.0)
    assert why == f"{address} cannot be reached: the connection ended"


def test_a_certificate_that_nobody_known_has_signed_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    def greet(connection: socket.socket) -> None:
        context.wrap_socket(connection, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    greet(listening.accept()[0])
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        address = f"https://127.0.0.1:{listening.getsockname()[1]}"
        result, why = send(f"{address}/token-of-ours", 60.0)
    assert result is MetricExportResult.FAILURE
    assert why is not None
    assert why.startswith(f"the certificate of {address} cannot be verified (")
    assert "token-of-ours" not in why
    with collector(saying(b"no TLS")) as plain:
        _, why = send(plain.replace("http:", "https:"), 60.0)
    assert why == f"{plain.replace('http:', 'https:')} speaks no TLS that can be used"


def test_a_connection_is_used_again() -> None:
    asked: list[Any] = []

    def keep(connection: socket.socket) -> None:
        asked.append(connection)
        again = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        connection.sendall(again)
        while part := connection.recv(1 << 20):  # a request may come in parts
            if part.startswith(b"POST"):
                connection.sendall(again)

    delivery = Delivery()
    with collector(keep) as address:
        own = exporter(address, delivery)
        assert own.export(points()) is MetricExportResult.SUCCESS
        assert own.export(points()) is MetricExportResult.SUCCESS
        own.shutdown()
    assert len(asked) == 1


def test_closing_ends_a_wait_for_another_attempt() -> None:
    asked = Asked()
    with collector(saying(head("503 Service Unavailable")), asked) as address:
        own = exporter(address, Delivery(), 60.0)
        sending = threading.Thread(target=own.export, args=(points(),), daemon=True)
        sending.start()
        while not asked.bodies:
            time.sleep(0.01)
        own.shutdown()
        sending.join(30.0)
        assert not sending.is_alive()
