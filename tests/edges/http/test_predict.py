from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from driftgauge.drift.reference.baseline import PREDICTION
from driftgauge.errors import REJECTIONS, Reason

from tests.conftest import ExampleOf
from tests.examples import MAKERS, Example
from tests.served import IN_MEMORY, Failing, Picky, Served, served, total
from tests.snapshots import snapshot_of

LIMIT_BYTES = 4000


@pytest.fixture
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


def in_order(rows: list[dict[str, Any]]) -> list[list[Any]]:
    return [list(row.values()) for row in rows]


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("name", MAKERS)
def test_answers_are_those_of_the_estimator(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    inputs = example.inputs(example.held_out)
    labels = example.estimator.predict(inputs).tolist()
    if name == "regression":
        scores = labels
    else:
        probabilities = example.estimator.predict_proba(inputs)
        scores = (probabilities.max(axis=1) if name == "multiclass" else probabilities[:, 1]).tolist()
    with served(example) as running:
        rows = running.predict({"instances": example.rows()}).json()["predictions"]
        alone = running.predict({"features": example.rows(1)[0]}).json()
    assert [row["score"] for row in rows] == pytest.approx(scores, rel=1e-12)
    assert [row["prediction"] for row in rows] == (pytest.approx(labels, rel=1e-12) if name == "regression" else labels)
    assert alone["score"] == pytest.approx(scores[0], rel=1e-12)
    assert (alone["model_name"], alone["model_version"]) == (name, "1.2")
    assert alone["latency_ms"] > 0


def test_every_shape_has_the_same_answer(server: Served, binary: Example) -> None:
    rows = binary.rows(3)
    many = [
        server.predict({"instances": rows}),
        server.predict({"data": in_order(rows)}),
        server.predict({"data": rows}),
        server.predict({"instances": in_order(rows)}),
    ]
    scores = [[row["score"] for row in answer.json()["predictions"]] for answer in many]
    singles = [server.predict({"features": row}).json()["score"] for row in rows]
    ordered = [server.predict({"features": list(row.values())}).json()["score"] for row in rows]
    assert all(found == pytest.approx(singles) for found in [*scores, ordered])


def test_ids_come_back_as_sent(server: Served, binary: Example) -> None:
    one = server.predict({"features": binary.rows(1)[0], "prediction_id": "ünïque 1"})
    assert one.json()["prediction_id"] == "ünïque 1"
    many = server.predict({"instances": binary.rows(3), "prediction_ids": ["c", "a", "b"]})
    assert [row["prediction_id"] for row in many.json()["predictions"]] == ["c", "a", "b"]


def test_ids_that_were_not_sent_are_new_and_ordered_by_time(server: Served, binary: Example) -> None:
    before = time.time()
    ids = [
        row["prediction_id"]
        for _ in range(4)
        for row in server.predict({"instances": binary.rows(25)}).json()["predictions"]
    ]
    after = time.time()
    assert len(set(ids)) == 100
    assert all(ids[i : i + 25] == sorted(ids[i : i + 25]) for i in range(0, 100, 25))
    parsed = [uuid.UUID(id_) for id_ in ids]
    assert {(id_.version, id_.variant) for id_ in parsed} == {(7, uuid.RFC_4122)}
    made = [(id_.int >> 80) / 1000 for id_ in parsed]
    assert made == sorted(made)
    assert before - 0.001 <= made[0] <= made[-1] <= after


# ---------------------------------------------------------------- what is counted and watched


def test_answered_rows_are_counted_and_watched_exactly(server: Served, binary: Example) -> None:
    rows = binary.rows()
    server.predict({"instances": rows[:12]})
    server.predict({"features": rows[12]})
    answers = server.predict({"instances": rows[13:]}).json()["predictions"]
    series = server.metrics()
    assert total(series, "model_predictions_total") == len(rows)
    assert total(series, "model_prediction_score_count") == len(rows)
    assert total(series, "model_input_size_count") == 3
    assert total(series, "model_input_size_sum") == len(rows)
    assert total(series, "model_observations_total", source="predict") == len(rows)
    for size in ("small", "medium", "large"):
        assert total(series, "model_prediction_latency_seconds_count", batch_size_bucket=size) == 1
    watched = snapshot_of(server.monitor, 0.0).rows.values
    assert np.array_equal(watched[:, :-1], np.array(in_order(rows)))
    assert watched[13:, -1].tolist() == [row["score"] for row in answers]
    assert server.monitor.baseline.names[-1] == PREDICTION


def test_a_row_that_is_refused_is_not_watched_and_spoils_its_whole_request(server: Served, binary: Example) -> None:
    rows = binary.rows(5)
    answer = server.predict({"instances": [*rows, {**rows[0], "mean area": "wide"}]})
    assert answer.status_code == 422
    assert answer.json()["error"]["detail"] == {"field": "mean area", "row": 5}
    assert server.monitor.store.rows == 0
    assert server.metric("model_predictions_total") == 0


@pytest.mark.parametrize(("clock", "times"), [("event", [900, 1300, 1300, 1300, 5]), ("arrival", [1000] * 5)])
def test_a_time_far_ahead_is_not_believed_and_counted(clock: str, times: list[int], binary: Example) -> None:
    row = binary.rows(1)[0]
    with served(binary, now=lambda: 1000.0, max_event_ahead_seconds=300, clock=clock) as running:
        for at in (900, 1300, 1301, None, "1970-01-01T00:00:05Z"):
            assert running.predict({"features": row, "timestamp": at}).status_code == 200
        assert running.metric("model_timestamps_rejected_total", reason="ahead_of_arrival") == 1
        held = snapshot_of(running.monitor, 1000.0)
        assert (held.rows.at.tolist(), held.latest_at) == (times, max(times))


@pytest.mark.parametrize("clock", ["arrival", "event"])
def test_a_time_of_the_year_one_leaves_the_status_readable(clock: str, binary: Example) -> None:
    with served(binary, clock=clock) as running:
        for at in ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", -62135596800):
            running.predict({"features": binary.rows(1)[0], "timestamp": at})
        assert running.client.get("/drift/status").status_code == 200
        assert running.status()["rows_observed"] == 2


# ---------------------------------------------------------------- refusals

ROW: dict[str, Any] = {"radius": 14.5, "shape": "oval", "smooth": True}
HEADERS: dict[Reason, dict[str, str]] = {
    Reason.CROSS_SITE: {"origin": "https://evil.example"},
    Reason.HOST_NOT_ALLOWED: {"host": "evil.example"},
    Reason.UNSUPPORTED_ENCODING: {"content-encoding": "br"},
    Reason.DAMAGED_ENCODING: {"content-encoding": "gzip"},
}
"""Of those that are refused for their headers."""
BODIES: dict[Reason, tuple[int, bytes | dict[str, Any]]] = {
    Reason.CROSS_SITE: (403, {"features": ROW}),
    Reason.HOST_NOT_ALLOWED: (421, {"features": ROW}),
    Reason.UNSUPPORTED_ENCODING: (415, {"features": ROW}),
    Reason.DAMAGED_ENCODING: (400, {"features": ROW}),
    Reason.NOT_UTF8: (400, b'{"features": "\xff"}'),
    Reason.NOT_JSON: (400, b"{features: 1}"),
    Reason.BODY_TOO_LARGE: (413, b" " * (LIMIT_BYTES + 1)),
    Reason.UNKNOWN_SHAPE: (422, {"rows": [ROW]}),
    Reason.WRONG_TYPE: (422, {"features": {**ROW, "radius": "wide"}}),
    Reason.NOT_FINITE: (422, b'{"features": [NaN, "oval", true]}'),
    Reason.WRONG_FEATURE_COUNT: (422, {"features": [14.5, "oval"]}),
    Reason.UNKNOWN_FEATURE: (422, {"features": {**ROW, "colour": 1}}),
    Reason.MISSING_FEATURE: (422, {"features": {**ROW, "radius": None}}),
    Reason.UNSEEN_CATEGORY: (422, {"features": {**ROW, "shape": "square"}}),
    Reason.MODEL_REJECTED_ROW: (422, {"features": {**ROW, "radius": -1.0}}),
    Reason.EMPTY_BATCH: (422, {"instances": []}),
    Reason.TOO_MANY_ROWS: (422, {"instances": [ROW] * 4}),
    Reason.INVALID_TIMESTAMP: (422, {"features": ROW, "timestamp": "noon"}),
    Reason.INVALID_PREDICTION_ID: (422, {"features": ROW, "prediction_id": 5}),
}


def post(running: Served, body: bytes | dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return running.client.post("/predict", content=content, headers=headers)


def test_every_refusal_has_its_reason_in_the_body_and_in_the_metrics(text: Example) -> None:
    assert set(BODIES) == set(REJECTIONS) - {Reason.OVERLOADED}
    with served(text, model=Picky(text.bundle.model), max_body_bytes=LIMIT_BYTES, max_rows=3) as running:
        assert running.predict({"features": ROW}).status_code == 200
        for reason, (status, body) in BODIES.items():
            answer = post(running, body, HEADERS.get(reason))
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (status, reason)
            assert set(error) == {"code", "message", "detail"}
            assert answer.headers["content-type"] == "application/json"
        series = running.metrics()
        assert all(total(series, "model_predictions_rejected_total", reason=reason) == 1 for reason in BODIES)
        assert total(series, "model_predictions_rejected_total") == len(BODIES)
        assert total(series, "model_predictions_total") == running.monitor.store.rows == 1
        assert running.status()["monitoring"] == {
            "healthy": True,
            "problems": [],
            "state": IN_MEMORY,
            "prediction_log": None,
        }


@pytest.mark.parametrize("name", ["text", "category", "coded"])
@pytest.mark.parametrize("body", [b'{"features": [1, NaN, 0]}', b'{"features": [1, Infinity, 0]}'])
def test_nan_for_a_category_is_refused_not_predicted(name: str, body: bytes, example_of: ExampleOf) -> None:
    with served(example_of(name)) as running:
        answer = post(running, body)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "not_finite"
    assert answer.json()["error"]["detail"] == {"field": "shape", "row": 0}


def test_an_unseen_category_is_answered_and_counted_where_the_model_takes_missing_values(category: Example) -> None:
    with served(category) as running:
        sent = running.predict({"instances": [{**ROW, "shape": shape} for shape in ("square", "flat", None, "cube")]})
        assert sent.status_code == 200
        bins = {
            name: running.metric("model_feature_bin_rows_total", feature_name="shape", bin=name)
            for name in ("unseen", "missing", "flat")
        }
        assert bins == {"unseen": 2, "missing": 1, "flat": 1}
        assert running.metric("model_feature_unseen_ratio", feature_name="shape", window="1000") == 0.5


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, 50 * LIMIT_BYTES])
def test_a_body_in_chunks_is_refused_once_it_is_too_large(size: int, binary: Example) -> None:
    def chunks() -> Iterator[bytes]:
        for first in range(0, size, 1000):
            yield b" " * min(1000, size - first)

    with served(binary, max_body_bytes=LIMIT_BYTES) as running:
        answer = running.client.post("/predict", content=chunks())
        assert answer.status_code == 413
        assert answer.json()["error"]["detail"] == {"limit": LIMIT_BYTES}
        assert running.predict({"features": binary.rows(1)[0]}).status_code == 200


def test_a_body_in_chunks_within_the_limit_is_read(binary: Example) -> None:
    body = httpx.Request("POST", "http://x", json={"features": binary.rows(1)[0]}).content
    with served(binary, max_body_bytes=len(body)) as running:
        answer = running.client.post("/predict", content=(body[i : i + 7] for i in range(0, len(body), 7)))
        assert answer.status_code == 200


# ---------------------------------------------------------------- failures


def test_a_failing_model_is_an_error_of_its_own_request_alone(binary: Example) -> None:
    rows = binary.rows(4)
    bad = {**rows[0], "mean radius": 1e7}
    with served(binary, model=Failing(binary.bundle.model)) as running:
        answer = running.predict({"instances": [*rows, bad]})
        assert answer.status_code == 500
        error = answer.json()["error"]
        assert error["code"] == "model_failed"
        assert 'ArithmeticError: "the number is too large"' in error["message"]
        assert running.predict({"instances": rows}).status_code == 200
        assert running.metric("model_prediction_failures_total", reason="model_failed") == 5
        assert running.metric("model_predictions_total") == running.monitor.store.rows == 4
        assert running.metric("http_requests_total", handler="/predict", code="500") == 1
        assert running.status()["monitoring"] == {
            "healthy": True,
            "problems": [],
            "state": IN_MEMORY,
            "prediction_log": None,
        }  # it was the model that failed


def test_a_row_that_the_model_rejects_is_named_with_its_field_and_the_others_are_answered(binary: Example) -> None:
    rows = binary.rows(5)
    bad = {**rows[0], "mean radius": -2.5}
    with served(binary, model=Picky(binary.bundle.model)) as running:
        answer = running.predict({"instances": [*rows, bad]})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (422, "model_rejected_row")
        assert error["detail"] == {"field": "mean radius", "row": 5}
        assert "mean radius: the model fails on the value -2.5 in this row" in error["message"]
        assert running.predict({"instances": rows}).status_code == 200
        assert running.metric("model_predictions_rejected_total", reason="model_rejected_row") == 1
        assert running.metric("model_prediction_failures_total") == 0


def test_a_failing_monitor_never_fails_a_prediction_and_is_shown(
    server: Served, binary: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(server.monitor.store, "append", full)
        answer = server.predict({"instances": binary.rows(7)})
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == 7
    series = server.metrics()
    assert total(series, "model_observations_dropped_total", reason="monitoring_failed") == 7
    assert total(series, "model_predictions_total") == 7
    assert total(series, "model_observations_total") == 0
    assert total(series, "model_monitoring_healthy") == 0
    monitoring = server.status()["monitoring"]
    assert not monitoring["healthy"]
    assert monitoring["problems"] == ["observation_failed: OSError: no space left"]
    assert (
        server.client.get("/health").json()["monitoring"] | {"state": IN_MEMORY, "prediction_log": None} == monitoring
    )
    server.predict({"instances": binary.rows(3)})
    assert server.status()["windows"]["50"]["rows"] == 3


# ---------------------------------------------------------------- many at once


def test_windows_hold_exactly_the_rows_that_fifty_clients_sent(binary: Example) -> None:
    rows = binary.rows()
    order = np.random.default_rng(0)
    requests: list[dict[str, Any]] = []
    sent: list[list[Any]] = []
    for _ in range(200):
        some = [rows[place] for place in order.integers(0, len(rows), order.integers(1, 9))]
        shapes: list[dict[str, Any]] = [
            {"instances": some},
            {"data": in_order(some)},
            {"data": [*some[:1], *in_order(some[1:])]},
            {"features": some[0]},
        ]
        requests.append(shapes[3] if len(some) == 1 else shapes[int(order.integers(3))])
        sent.extend(in_order(some))
    refused: list[dict[str, Any]] = [{"features": {}}] * 20
    with served(binary, windows=(50, 5000)) as running:
        url = str(running.client.base_url)

        def client(place: int) -> list[int]:
            with httpx.Client(base_url=url, timeout=60) as own:
                mine = [*requests[place::50], *refused[place::50]]
                return [own.post("/predict", json=body).status_code for body in mine]

        with ThreadPoolExecutor(50) as pool:
            codes = [code for found in pool.map(client, range(50)) for code in found]
        assert sorted(codes) == [200] * 200 + [422] * 20
        watched = snapshot_of(running.monitor, 0.0).rows.values[:, :-1]
        assert sorted(watched.tolist()) == sorted(sent)
        windows = running.status()["windows"]
        assert (windows["50"]["rows"], windows["5000"]["rows"]) == (50, len(sent))
        series = running.metrics()
    assert total(series, "model_predictions_total") == len(sent)
    assert total(series, "model_predictions_rejected_total", reason="missing_feature") == 20
    assert total(series, "http_requests_total", handler="/predict", code="200") == 200
    for feature in binary.names:
        assert total(series, "model_feature_bin_rows_total", feature_name=feature) == len(sent)
