"""Two workers send their metrics and traces to a collector, which ends and comes back; Prometheus stores exemplars.

Then workers and state are lost, and no sum falls while its start stays.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import random
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from driftgauge.demo.prometheus_stack import Programs, running
from driftgauge.telemetry.names import otel_name
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.monitored import SECONDS, Server, await_answer, make_bundle, rows, seen, server
from tests.e2e.processes import answers, free_port
from tests.e2e.programs import needs_servers
from tests.e2e.workers import Service, service, stop
from tests.otlp_receiver import Collector, Point, over_http, points_of

pytestmark = pytest.mark.e2e
TRACE = "ab" * 16
ALWAYS_NEW = (
    *("process_", "server_telemetry_items", "model_evaluation_", "prediction_log_disk_free_bytes"),
    *("http_requests", "http_request_duration"),
)
"""Series that change by themselves: of processes, of the disk, of the sender, and of the requests that look."""
SCRAPED = """
scrape_configs:
  - job_name: driftgauge
    scrape_interval: 3s
    scrape_timeout: 3s
    static_configs: [{{targets: ["{}"]}}]
"""

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def in_metrics(own: Server) -> Series:
    """Return what `/metrics` says, by the names of OpenTelemetry; a histogram is its count."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(httpx.get(f"{own.address}/metrics", timeout=SECONDS).text):
        if family.name.startswith(ALWAYS_NEW):
            continue
        for one in family.samples:
            labels = {name: value for name, value in one.labels.items() if name != "le"}
            if family.type != "histogram" or one.labels.get("le") == "+Inf":
                name = family.name if family.type == "histogram" else one.name
                found[otel_name(name, family.type).name, frozenset(labels.items())] = one.value
    return found


def received(collector: Collector) -> Series:
    """Return the newest metrics of a collector."""
    with collector.lock:
        last = collector.metrics[-1:]
    return {(own.name, frozenset(own.attributes.items())): own.value for one in last for own in points_of(one)}


def lost(own: Server, result: str) -> float:
    text = httpx.get(f"{own.address}/metrics", timeout=SECONDS).text
    lines = [line for line in text.splitlines() if "telemetry_items_total{" in line and f'result="{result}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def predict(own: Server | Service, seed: int, trace: str = TRACE) -> str:
    """Have a row predicted in a trace of the caller; return the id of the prediction."""
    parent = {"traceparent": f"00-{trace}-{'cd' * 8}-01"}
    body = {"data": rows(seed, 1).tolist()}
    answer = httpx.post(f"{own.address}/predict", json=body, headers=parent, timeout=SECONDS).raise_for_status()
    found: str = answer.json()["predictions"][0]["prediction_id"]
    return found


@needs_servers
def test_two_workers_send_metrics_and_traces_also_after_their_collector_was_away(
    tmp_path: Path, servers: Programs
) -> None:
    bundle, port, collector_port = make_bundle(tmp_path / "bundle", "1"), free_port(), free_port()
    settings = {
        "DRIFTGAUGE_WORKERS": "2",
        "DRIFTGAUGE_STATE_DIR": str(tmp_path / "state"),
        "DRIFTGAUGE_OTLP_ENDPOINT": f"http://127.0.0.1:{collector_port}",
        "DRIFTGAUGE_OTLP_INTERVAL_SECONDS": "1",
        "DRIFTGAUGE_OTLP_TIMEOUT_SECONDS": "3",
        "DRIFTGAUGE_OTLP_TRACE_RATIO": "0",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    collector = Collector()
    with server(bundle, port, tmp_path / "log", **settings) as own, _prometheus(servers, own, tmp_path) as scraper:
        with over_http(collector_port, collector):
            await_answer(own)
            ids = {predict(own, seed) for seed in range(20)}
            spans = seen(lambda: collector.spans, lambda found: len(found) == 20, own.log.read_text)
            assert {one.trace_id for one in spans} == {TRACE}
            assert {one.attributes["driftgauge.prediction.id"] for one in spans} == ids
            seen(lambda: received(collector), lambda found: found.items() >= in_metrics(own).items())
            assert {one["service.instance.id"] for one in collector.resources} == {
                collector.resources[0]["service.instance.id"]
            }
            times = [one.raw.time_unix_nano for one in collector.points if one.name == "model.predictions"]
            assert len(set(times)) == len(times)  # one worker sends for both
        failed = lost(own, "failed")
        for seed in range(5):
            predict(own, seed)
        seen(lambda: lost(own, "failed"), lambda found: found >= failed + 5, own.log.read_text)
        with over_http(collector_port, collector):
            predict(own, 1, "ef" * 16)
            seen(lambda: {one.trace_id for one in collector.spans}, lambda found: "ef" * 16 in found)
            seen(lambda: sum(_predictions(collector)), lambda found: found == 26, own.log.read_text)
        found = seen(lambda: _exemplars(scraper), bool, own.log.read_text)
    assert {one["labels"]["trace_id"] for one in found} <= {TRACE, "ef" * 16}
    assert all(0.0 < float(one["value"]) < math.inf for one in found)


def _predictions(collector: Collector) -> list[float]:
    return [value for (name, _), value in received(collector).items() if name == "model.predictions"]


@contextmanager
def _prometheus(found: Programs, own: Server, folder: Path) -> Iterator[str]:
    """Run Prometheus with its storage of exemplars; gives its address."""
    address = f"127.0.0.1:{free_port()}"
    config = folder / "prometheus.yml"
    config.write_text(SCRAPED.format(own.target))
    command = [
        found.prometheus,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={address}",
        "--enable-feature=exemplar-storage",
    ]
    with running("Prometheus", command, f"http://{address}/-/ready", folder / "prometheus.log"):
        yield f"http://{address}"


def _exemplars(address: str) -> list[dict[str, Any]]:
    query = 'http_request_duration_seconds_bucket{handler="/predict"}'
    answer = httpx.get(
        f"{address}/api/v1/query_exemplars", params={"query": query, "start": "0", "end": "9999999999"}, timeout=SECONDS
    ).json()
    return [one for series in answer["data"] for one in series["exemplars"]]


def test_no_sum_falls_while_its_start_stays_whatever_is_killed_or_lost(tmp_path: Path) -> None:
    bundle, state, log = make_bundle(tmp_path / "bundle", "1"), tmp_path / "state", tmp_path / "log"
    with over_http() as (address, collector):
        settings = {"otlp_endpoint": address, "otlp_interval_seconds": 1, "otlp_signals": "metrics"}
        with service(bundle, state, 2, log, **settings) as own:
            _predicted(own, collector, 10, 10.0)
            lost = set(own.pids())
            for pid in lost:
                os.kill(pid, signal.SIGKILL)
            seen(lambda: lost.isdisjoint(own.pids()) and answers(own.address), bool, log.read_text)
            _predicted(own, collector, 10, 20.0)
            stop(own, signal.SIGKILL)
        with service(bundle, state, 2, log, **settings) as own:
            _predicted(own, collector, 10, 30.0)
            stop(own)
        sent = len(_sums(collector, "model.predictions"))
        for folder in state.iterdir():
            if not folder.name.startswith("@"):  # what telemetry keeps is not lost
                shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
        with service(bundle, state, 2, log, **settings) as own:
            _predicted(own, collector, 3, 3.0)
    for name in {one.name for one in collector.points}:
        _check_starts(_sums(collector, name))
    assert len({own["service.instance.id"] for own in collector.resources}) == 1
    predictions = _sums(collector, "model.predictions")
    assert len({one.raw.start_time_unix_nano for one in predictions[:sent]}) == 1  # kills lose no count
    assert {one.raw.start_time_unix_nano for one in predictions[sent:]} == {predictions[sent - 1].raw.time_unix_nano}


def _predicted(own: Service, collector: Collector, count: int, total: float) -> None:
    """Have rows predicted, and wait until the collector knows this total."""
    for seed in range(count):
        predict(own, seed)
    seen(lambda: sum(_predictions(collector)), lambda found: found == total, own.log.read_text)


def _sums(collector: Collector, name: str) -> list[Point]:
    """Return the points of a counter or histogram, in the order in which they came."""
    return [one for one in collector.points if one.name == name and one.kind != "gauge"]


def _check_starts(points: list[Point]) -> None:
    """Check OpenTelemetry's rules for cumulative sums, for each series of a metric."""
    last: dict[frozenset[tuple[str, str]], Point] = {}
    for own in points:
        series = frozenset(own.attributes.items())
        before, last[series] = last.get(series), own
        assert own.raw.start_time_unix_nano <= own.raw.time_unix_nano
        if before is None or own.raw.start_time_unix_nano >= before.raw.time_unix_nano:
            continue
        assert own.raw.start_time_unix_nano == before.raw.start_time_unix_nano, own
        assert own.raw.time_unix_nano > before.raw.time_unix_nano
        assert own.value >= before.value, own
        if own.kind == "histogram":
            counts = zip(before.raw.bucket_counts, own.raw.bucket_counts, strict=True)
            assert all(count >= earlier for earlier, count in counts), own


def _hostile(rng: random.Random) -> list[tuple[str, bytes]]:
    """Return headers of traces that a server may get: damaged, long, many, twice, and of bytes that are no text."""
    text = bytes([9, *range(32, 127), *range(128, 256)])
    parent = f"00-{TRACE}-{'cd' * 8}-01".encode()
    parents = [
        *(parent, parent.upper(), parent + b"-more", b"ff" + parent[2:], b"cc" + parent[2:] + b"-more"),
        *(b"00-" + b"0" * 32 + parent[35:], parent[:36] + b"0" * 16 + b"-01", b"0" * 8_000),
        bytes(rng.choices(text, k=rng.randrange(100))),
    ]
    states = [b"a=1", b",".join([b"a=1"] * 2_000), b"a=" + b"1" * 8_000, bytes(rng.choices(text, k=600))]
    names = rng.choices(["traceparent", "tracestate", "baggage"], (3, 2, 1), k=rng.randrange(1, 6))
    return [(name, rng.choice(parents if name == "traceparent" else states)) for name in names]


def test_no_header_of_a_trace_fails_a_prediction(tmp_path: Path) -> None:
    rng, requests = random.Random(1), 300
    with over_http() as (address, collector):
        settings = {"otlp_endpoint": address, "otlp_trace_ratio": 1, "otlp_signals": "traces"}
        with service(make_bundle(tmp_path / "bundle", "1"), tmp_path / "state", 1, tmp_path / "log", **settings) as own:
            connection = http.client.HTTPConnection(own.address.removeprefix("http://"), timeout=SECONDS)
            body = json.dumps({"data": rows(1, 1).tolist()}).encode()
            ids = []
            for _ in range(requests):
                connection.putrequest("POST", "/predict")
                for name, value in [("content-length", str(len(body)).encode()), *_hostile(rng)]:
                    connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                content = json.loads(answer.read())
                assert answer.status == 200, content
                ids.append(content["predictions"][0]["prediction_id"])
            connection.close()
            status = httpx.get(f"{own.address}/drift/status", timeout=SECONDS).json()
            stop(own)
    assert status["monitoring"]["problems"] == []
    assert [one.attributes["driftgauge.prediction.id"] for one in collector.spans] == ids
    assert 0 < sum(one.trace_id == TRACE for one in collector.spans) < requests
