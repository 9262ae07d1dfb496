"""The benchmark of ingestion: its bodies, its arithmetic, and a short run of a server and of a consumer."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
from driftgauge.edges.formats.ingest.cloud_events import CloudEventDecoder
from driftgauge.edges.formats.ingest.formats import Format, decoder_of
from driftgauge.ingestion.records import Decoded
from driftgauge.models.baseline_file import loads

from benchmarks.ingest import HTTP, KAFKA, Found, Http, Messages, Plan, report, run_http, run_kafka
from benchmarks.ingest_kafka import missing_kafka
from benchmarks.ingest_rows import requests_of, rows_of, write_baseline
from benchmarks.ingest_run import Cost
from tests.e2e.programs import require

KINDS: dict[str, Format] = {
    "/ingest/model": "jsonl",
    "/validation": "fluent_bit",
    "/ingest/model/sagemaker": "sagemaker",
    "/ingest/cloudevents": "kserve",
}
ROWS = 120


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    write_baseline(tmp_path / "baseline.json", 1)
    return tmp_path / "baseline.json"


def assert_all_rows(decoded: Decoded) -> None:
    """Assert that a batch holds the rows that were written."""
    rows = rows_of(ROWS, 1)
    assert list(decoded.refused) == []
    assert decoded.rows is not None
    assert np.allclose(decoded.rows.columns[:, :-1], [row.features for row in rows], atol=1e-8)
    assert np.allclose(decoded.rows.columns[:, -1], [row.score for row in rows], atol=1e-8)
    assert len(set(decoded.rows.keys)) == ROWS


@pytest.mark.parametrize("way", HTTP, ids=lambda way: way.name)
def test_requests_hold_the_rows(way: Http, baseline: Path) -> None:
    decoder = decoder_of(KINDS[way.path], loads(baseline.read_text()), UTC)
    decoded = []
    for own in requests_of(rows_of(ROWS, 1), ROWS, way.make):
        if isinstance(decoder, CloudEventDecoder):
            decoded.append(decoder.event(own.headers, own.body))
        else:
            assert_all_rows(decoder.decode(own.body))
    if isinstance(decoder, CloudEventDecoder):
        request, response = (own.halves[0] for own in decoded)
        assert_all_rows(decoder.joined([(request, response)]))


@pytest.mark.parametrize("own", KAFKA, ids=lambda own: own.name)
def test_messages_hold_the_rows(own: Messages, baseline: Path) -> None:
    decoder = decoder_of("bentoml" if own.kind == "bentoml" else "jsonl", loads(baseline.read_text()), UTC)
    messages = [own.record(row) for row in rows_of(ROWS, 1)]
    assert_all_rows(decoder.decode_messages(messages, [number.to_bytes(16, "big") for number in range(ROWS)]))


def test_tables_show_the_median_and_say_what_is_left_out() -> None:
    found = Found(missing={"Kafka": "noida-db is not installed"})
    for cpu_us in (20.0, 10.0, 40.0):
        found.add("http", "own", Cost(cpu_us, ROWS), log=False)
    text = report(found)
    assert "| own | 20.0 | 50,000 | – | – |" in text
    assert "Kafka is left out: noida-db is not installed." in text


def test_a_short_run_over_http(baseline: Path, tmp_path: Path) -> None:
    found = Found()
    run_http(found, Plan(tmp_path, baseline, ROWS), 1, HTTP[:1])
    assert {log for _, _, log in found.costs} == {False, True}
    assert all(own.cpu_us > 0 for (own,) in found.costs.values())


def test_a_short_run_from_kafka(baseline: Path, tmp_path: Path) -> None:
    require(missing_kafka(), in_ci=os.environ.get("CI", "").lower() in {"true", "1"})
    found = Found()
    run_kafka(found, Plan(tmp_path, baseline, ROWS), 1, KAFKA[:1])
    assert {log for _, _, log in found.costs} == {False, True}
    assert all(own.cpu_us > 0 for (own,) in found.costs.values())
