"""`POST /ingest/…`: records of other servers are counted once, and what cannot be read is answered with 200 too."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from driftgauge.edges.formats.ingest.records import MOST_RECORDS
from driftgauge.edges.http.openapi.schemas_ingest import IngestErrors
from driftgauge.main import create_app

from tests.examples import Example, quiet
from tests.ingesting import logged, post, records, rows, watching
from tests.served import Served
from tests.servers import serving


@pytest.fixture
def server(binary: Example, tmp_path: Path) -> Iterator[Served]:
    with watching(binary, tmp_path) as running:
        yield running


def test_rows_are_counted_watched_and_logged_at_their_own_time(server: Served, binary: Example) -> None:
    assert rows(post(server, records(binary, 20))) == (20, 0, 0)
    assert server.status()["rows_observed"] == 20
    assert server.metric("model_observations_total", source="ingest") == 20.0
    assert server.metric("model_ingest_rows_total", result="taken") == 20.0
    assert server.metric("model_predictions_total") == server.metric("model_prediction_score_count") == 20.0
    found = logged(server)
    assert len(found) == 20
    assert {own["source"] for own in found} == {"ingest"}
    assert {own["timestamp"] for own in found} == {"2027-01-15T07:59:00.000000Z"}
    assert {own["prediction_id"] for own in found} == {f"p{number}" for number in range(20)}


def test_a_request_that_is_sent_again_is_not_counted_twice(server: Served, binary: Example) -> None:
    body = json.dumps(records(binary, 20)).encode()
    assert rows(post(server, body)) == (20, 0, 0)
    assert rows(post(server, body)) == (0, 20, 0)
    assert rows(post(server, [*records(binary, 5, first=15), *records(binary, 1, first=20)])) == (1, 5, 0)
    assert server.status()["rows_observed"] == 21
    assert server.metric("model_ingest_rows_total", result="duplicate") == 25.0


def test_records_are_remembered_across_a_restart(binary: Example, tmp_path: Path) -> None:
    for expected in ((10, 0, 0), (0, 10, 0)):
        with watching(binary, tmp_path) as running:
            assert rows(post(running, records(binary, 10))) == expected


def test_in_memory_it_works_without_files(binary: Example) -> None:
    with watching(binary, "memory") as running:
        assert rows(post(running, records(binary, 10))) == (10, 0, 0)
        assert rows(post(running, records(binary, 10))) == (0, 10, 0)
        assert rows(post(running, [7])) == (0, 0, 1)
        assert len(running.client.get("/ingest/errors").json()["errors"]) == 1


def test_a_record_that_cannot_be_read_does_not_fail_the_others(server: Served, binary: Example) -> None:
    broken = {**records(binary, 1)[0], "prediction_id": "x", "features": {"nothing": 1}}
    found = post(server, [*records(binary, 2), 7, broken])
    assert rows(found) == (2, 0, 2)
    assert sum(found["refused"]["reasons"].values()) == 2
    answer = server.client.get("/ingest/errors").json()
    IngestErrors.model_validate(answer)
    assert [own["position"] for own in answer["errors"]] == [3, 2]
    assert (answer["errors"][1]["record"], answer["errors"][1]["reason"]) == ("7", "unknown_shape")
    assert server.metric("model_ingest_refused_records_total", reason="unknown_shape") >= 1.0
    assert len(server.client.get("/ingest/errors", params={"limit": "1"}).json()["errors"]) == 1


def test_refused_records_that_are_sent_again_are_answered_and_not_counted_again(
    server: Served, binary: Example
) -> None:
    good, broken = records(binary, 2)
    broken["features"] = {"nothing": 1}
    for expected in ((1, 0, 2), (0, 1, 2)):
        assert rows(post(server, [good, broken, 7])) == expected
    assert rows(post(server, [broken])) == (0, 0, 1)  # elsewhere in the body, and known by its id
    assert server.status()["ingestion"]["refused_records"] == {"missing_feature": 1, "unknown_shape": 1}
    assert len(server.client.get("/ingest/errors").json()["errors"]) == 2
    assert rows(post(server, [{**broken, "features": good["features"]}])) == (1, 0, 0)  # mended


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe\x00", b"null"])
def test_a_body_without_any_record_is_answered_so_that_its_sender_goes_on(server: Served, body: bytes) -> None:
    found = post(server, body)
    assert found["rows"] == {"taken": 0, "duplicate": 0}


def test_lines_and_compressed_bodies_are_read_whatever_the_headers_say(server: Served, binary: Example) -> None:
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records(binary, 5))
    assert rows(post(server, lines, headers={"content-type": "application/x-ndjson"})) == (5, 0, 0)
    small = gzip.compress(json.dumps(records(binary, 5, first=5)).encode())
    assert rows(post(server, small)) == (5, 0, 0)
    again = gzip.compress(json.dumps(records(binary, 5, first=10)).encode())
    assert rows(post(server, again, headers={"content-encoding": "gzip"})) == (5, 0, 0)
    inflated = json.dumps(records(binary, 5, first=15)).encode()
    assert rows(post(server, inflated, headers={"content-encoding": "gzip"})) == (5, 0, 0)


def test_labels_come_with_rows_and_by_themselves(server: Served, binary: Example) -> None:
    first, second = records(binary, 2)
    post(server, [first, second])
    assert len(logged(server)) == 2
    found = post(server, [{"prediction_id": "p0", "label": 0}])
    assert found["labels"]["matched"] == 1
    answer = server.client.post("/labels", json={"prediction_id": "p1", "label": 1})
    assert answer.status_code == 200, answer.text
    assert answer.json()["labels"]["matched"] == 1
    assert {own["label"] for own in logged(server)} == {0.0, 1.0}


def test_without_a_prediction_log_labels_are_counted_as_refused(binary: Example) -> None:
    with watching(binary, "memory") as running:
        found = post(running, [{"prediction_id": "p0", "label": 0}])
        assert found["labels"]["refused"] == 1
        assert found["refused"]["reasons"] == {"prediction_log_disabled": 1}


def test_a_model_that_this_server_serves_takes_rows_too(binary: Example) -> None:
    app = create_app(quiet(), bundle=binary.bundle)
    with serving(app) as client:
        running = Served(client, app)
        assert running.metric("model_ingest_rows_total") == 0.0
        assert rows(post(running, records(binary, 3), path="/ingest/binary")) == (3, 0, 0)
        assert running.metric("model_ingest_rows_total") == 3.0


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/ingest/nobody", 404, "not_found"),
        ("/ingest/elsewhere?format=csv", 422, "invalid_query"),
        ("/ingest/cloudevents?model=nobody", 200, None),  # the only model
    ],
)
def test_only_what_can_never_work_is_refused(server: Served, path: str, status: int, code: str | None) -> None:
    answer = server.client.post(path, json=[])
    assert answer.status_code == status
    if code:
        assert answer.json()["error"]["code"] == code


def test_a_body_over_the_limit_is_refused_compressed_or_not(binary: Example) -> None:
    with watching(binary, "memory", ingest_max_body_bytes=2_000, ingest_max_inflated_bytes=100_000) as running:
        assert running.client.post("/ingest/elsewhere", content=b"x" * 2_001).status_code == 413
        assert running.client.post("/ingest/elsewhere", content=gzip.compress(b" " * 100_001)).status_code == 413
        assert rows(post(running, gzip.compress(b" " * 90_000 + json.dumps(records(binary, 1)).encode()))) == (1, 0, 0)


@pytest.mark.parametrize("path", ["/ingest/elsewhere", "/ingest/elsewhere/sagemaker", "/ingest/cloudevents"])
def test_a_body_of_too_many_records_is_refused_as_a_whole(server: Served, binary: Example, path: str) -> None:
    answer = server.client.post(path, content=json.dumps(records(binary, 1)[0]).encode() + b"\n7" * MOST_RECORDS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    assert server.client.get("/ingest/errors").json()["errors"] == []
    assert server.status()["rows_observed"] == 0


def test_a_full_queue_of_the_log_asks_for_the_request_again_and_takes_nothing(binary: Example, tmp_path: Path) -> None:
    with watching(binary, tmp_path, prediction_log_queue_rows=5) as running:
        log = running.context.monitoring.predictions
        assert log is not None
        with log._opening:  # the writer waits for its database
            assert rows(post(running, records(binary, 4))) == (4, 0, 0)
            answer = running.client.post("/ingest/elsewhere", json=records(binary, 4, first=4))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["code"] == "intake_full"
        assert running.metric("model_ingest_deferred_total", reason="intake_full") == 1.0
        assert running.status()["rows_observed"] == 4
        log.writer.written().result(10)
        assert rows(post(running, records(binary, 4, first=4))) == (4, 0, 0)


def test_too_many_requests_at_once_are_asked_to_come_again(binary: Example, tmp_path: Path) -> None:
    with watching(binary, tmp_path, ingest_max_pending_requests=1) as running:
        post(running, [])
        own = running.context.monitoring.model("elsewhere")
        with own.seen.alone(1.0):
            waiting = _in_thread(running, records(binary, 1))
            while running.context.intakes._pending == 0:
                time.sleep(0.001)
            answer = running.client.post("/ingest/elsewhere", json=records(binary, 1, first=1))
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert running.metric("model_ingest_deferred_total", reason="too_many_pending") == 1.0
        assert running.status()["ingestion"]["deferred_requests"] == 1
        assert rows(waiting()) == (1, 0, 0)


def _in_thread(server: Served, body: Sequence[Any]) -> Any:
    """Post in a thread; return what waits for the answer."""
    from concurrent.futures import ThreadPoolExecutor

    threads = ThreadPoolExecutor(1)

    def call() -> dict[str, Any]:
        with httpx.Client(base_url=server.client.base_url, timeout=60.0) as client:
            found: dict[str, Any] = client.post("/ingest/elsewhere", json=body).json()
            return found

    future = threads.submit(call)
    threads.shutdown(wait=False)
    return future.result


def test_values_are_shown_to_administrators_alone(binary: Example, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(
        "reader read token:reader-token-reader-token-1\nboss read,admin,ingest token:boss-token-boss-token-12345\n"
    )
    tokens.chmod(0o600)
    with watching(binary, tmp_path / "state", tokens_file=tokens) as running:
        boss, reader = (
            {"authorization": f"Bearer {token}"}
            for token in ("boss-token-boss-token-12345", "reader-token-reader-token-1")
        )
        assert rows(post(running, [7], headers=boss)) == (0, 0, 1)
        assert running.client.post("/ingest/elsewhere", json=[7], headers=reader).status_code == 403
        (full,) = running.client.get("/ingest/errors", headers=boss).json()["errors"]
        (part,) = running.client.get("/ingest/errors", headers=reader).json()["errors"]
        assert full["record"] == "7"
        assert part == {**full, "record": None, "message": None}


def test_the_verdict_is_answered_in_the_shape_of_evidently(server: Served, binary: Example) -> None:
    post(server, records(binary, 100))
    found = post(server, b"[]", path="/validation")
    features = [name for name in server.monitor.baseline.names if not name.startswith("prediction")]
    assert list(found["drift_by_columns"]) == features
    assert found["number_of_columns"] == len(features)
    assert found["number_of_drifted_columns"] == sum(found["drift_by_columns"].values())
    assert found["dataset_drift"] == (server.status()["status"] == "drift_detected")


def half(example: Example, id_: str, kind: str, content: Any) -> dict[str, Any]:
    headers = {"ce-id": id_, "ce-type": f"org.kubeflow.serving.inference.{kind}", "ce-specversion": "1.0"}
    return {"content": json.dumps(content).encode(), "headers": {**headers, "ce-inferenceservicename": "elsewhere"}}


def test_a_request_is_joined_with_its_response_that_came_before_it(server: Served, binary: Example) -> None:
    instances = [list(row.values()) for row in binary.rows(3)]
    response = half(binary, "a", "response", {"predictions": [0.5, 0.25, 0.75]})
    request = half(binary, "a", "request", {"instances": instances})
    first = server.client.post("/ingest/cloudevents", **response)
    assert (first.status_code, first.json()["events"]) == (200, {"joined": 0, "waiting": 1})
    second = server.client.post("/ingest/cloudevents", **request)
    assert (second.status_code, second.json()["events"]) == (200, {"joined": 2, "waiting": 0})
    assert second.json()["rows"] == {"taken": 3, "duplicate": 0}, server.client.get("/ingest/errors").text
    for again in (request, response):
        found = server.client.post("/ingest/cloudevents", **again).json()
    assert found["rows"] == {"taken": 0, "duplicate": 3}
    assert server.status()["rows_observed"] == 3
    assert server.metric("model_ingest_events_total", result="joined") == 4.0


def test_the_status_and_the_page_say_what_came_in(binary: Example, tmp_path: Path) -> None:
    with watching(binary, tmp_path, ingest_max_pending_requests=1) as running:
        assert running.status()["ingestion"] == {
            "rows": {"taken": 0, "duplicate": 0},
            "refused_records": {},
            "events": {"joined": 0, "expired": 0, "dropped": 0, "waiting": 0},
            "deferred_requests": 0,
            "last_received_at": None,
            "kafka": None,
        }
        for _ in range(2):
            post(running, [*records(binary, 5), 7])
        post(running, path="/ingest/cloudevents", body=b"{}", headers=half(binary, "a", "request", {})["headers"])
        found = running.status()["ingestion"]
        assert found["rows"] == {"taken": 5, "duplicate": 5}
        assert found["refused_records"] == {"unknown_shape": 1}
        assert found["events"] == {"joined": 0, "expired": 0, "dropped": 0, "waiting": 1}
        assert found["last_received_at"] is not None
        assert running.metric("model_ingest_open_events") == 1.0
        page = running.client.get("/", headers={"accept": "text/html"}).text
        assert "5 taken, 5 duplicates left out" in page
        assert "1 (1 unknown_shape)" in page


def test_a_model_that_this_server_serves_has_ingestion_once_a_record_came(binary: Example) -> None:
    app = create_app(quiet(), bundle=binary.bundle)
    with serving(app) as client:
        running = Served(client, app)
        assert running.status()["ingestion"] is None
        assert 'id="ingestion"' not in client.get("/", headers={"accept": "text/html"}).text
        assert rows(post(running, [7], path="/ingest/binary")) == (0, 0, 1)
        assert running.status()["ingestion"]["refused_records"] == {"unknown_shape": 1}
        assert 'id="ingestion"' in client.get("/", headers={"accept": "text/html"}).text
