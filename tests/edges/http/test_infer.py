from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from driftgauge import __version__
from driftgauge.errors import Reason

from tests.conftest import ExampleOf
from tests.examples import MAKERS, Example
from tests.served import Failing, Picky, Served, served, total
from tests.snapshots import snapshot_of

INFER = "/v2/models/binary/infer"


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


def matrix(example: Example, count: int) -> dict[str, Any]:
    """Rows as one tensor of all features, which must be numbers."""
    rows = [list(row.values()) for row in example.rows(count)]
    return {"inputs": [{"name": "x", "shape": [count, len(example.names)], "datatype": "FP64", "data": rows}]}


def tensors(example: Example, count: int) -> dict[str, Any]:
    """Rows as one tensor for each feature."""
    rows = example.rows(count)
    kinds = {float: "FP64", int: "INT64", bool: "BOOL", str: "BYTES"}
    return {
        "inputs": [
            {
                "name": name,
                "shape": [count, 1],
                "datatype": kinds[type(next((row[name] for row in rows if row[name] is not None), 0.0))],
                "data": [row[name] for row in rows],
            }
            for name in example.names
        ]
    }


def outputs(answer: httpx.Response) -> dict[str, list[Any]]:
    assert answer.status_code == 200, answer.text
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}


@pytest.mark.parametrize("name", MAKERS)
def test_answers_are_those_of_predict(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    with served(example) as running:
        expected = running.predict({"instances": example.rows(7)}).json()["predictions"]
        found = outputs(running.client.post(f"/v2/models/{name}/infer", json=tensors(example, 7)))
        assert found["prediction"] == [row["prediction"] for row in expected]
        assert found["score"] == pytest.approx([row["score"] for row in expected], rel=1e-12)
        assert running.monitor.store.rows == 14
        watched = snapshot_of(running.monitor, 0.0).rows.values
        np.testing.assert_allclose(watched[7:], watched[:7], rtol=1e-12)


def test_the_answer_names_model_version_and_the_requests_id(server: Served, binary: Example) -> None:
    for path in (INFER, "/v2/models/binary/versions/1.2/infer"):
        answer = server.client.post(path, json={"id": "mine", **matrix(binary, 1)})
        body = answer.json()
        assert answer.headers["content-type"] == "application/json"
        assert (body["model_name"], body["model_version"], body["id"]) == ("binary", "1.2", "mine")
        assert outputs(answer)["prediction_id"] == ["mine"]


def test_both_ways_share_counters(binary: Example) -> None:
    with served(binary) as running:
        running.predict({"instances": binary.rows(3)})
        running.client.post(INFER, json=matrix(binary, 4))
        running.client.post("/v2/models/binary/versions/1.2/infer", json=matrix(binary, 1))
        running.client.post(INFER, content=b"{")
        running.client.get("/v2/models/binary/versions/1.2")
        series = running.metrics()
    assert total(series, "model_predictions_total") == 8
    assert total(series, "model_input_size_count") == 3
    assert total(series, "model_observations_total", source="predict") == 8
    assert total(series, "model_predictions_rejected_total", reason="not_json") == 1
    handler = "/v2/models/{model_name}/infer"
    assert total(series, "http_requests_total", handler=handler, code="200") == 2
    assert total(series, "http_requests_total", handler="/v2/models/{model_name}", code="200") == 1
    assert total(series, "http_requests_total", handler=handler, code="400") == 1
    assert total(series, "http_request_duration_seconds_count", handler=handler) == 3


def test_both_ways_share_limits_and_reasons(binary: Example) -> None:
    with served(binary, max_rows=3, max_body_bytes=3000) as running:
        for status, reason, body in [
            (400, Reason.NOT_JSON, b"{"),
            (400, Reason.NOT_UTF8, b'{"inputs": "\xff"}'),
            (413, Reason.BODY_TOO_LARGE, b" " * 3001),
            (422, Reason.TOO_MANY_ROWS, matrix(binary, 4)),
            (422, Reason.UNKNOWN_SHAPE, {}),
            (
                422,
                Reason.WRONG_FEATURE_COUNT,
                {"inputs": [{**matrix(binary, 1)["inputs"][0], "shape": [3, 2], "data": [1.0] * 6}]},
            ),
            (422, Reason.INVALID_PREDICTION_ID, {"id": "", **matrix(binary, 1)}),
        ]:
            sent = {"content": body} if isinstance(body, bytes) else {"json": body}
            answer = running.client.post(INFER, **sent)
            assert (answer.status_code, set(answer.json())) == (status, {"error"})
            assert answer.json()["error"].startswith(f"{reason}: ")
            assert running.metric("model_predictions_rejected_total", reason=reason) == 1


def test_a_failing_model_is_told_in_the_protocols_shape(binary: Example) -> None:
    body = matrix(binary, 2)
    body["inputs"][0]["data"][1][0] = 1e7
    with served(binary, model=Failing(binary.bundle.model)) as running:
        answer = running.client.post(INFER, json=body)
        assert answer.status_code == 500
        assert answer.json()["error"].startswith("model_failed: the model raised ArithmeticError")
        assert running.metric("model_prediction_failures_total", reason="model_failed") == 2
        assert running.client.post(INFER, json=matrix(binary, 2)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/v2/models/other", "/v2/models/binary/versions/2"])
def test_another_model_or_version_is_not_there(path: str, method: str, server: Served) -> None:
    for rest in ("/infer",) if method == "POST" else ("", "/ready"):
        answer = server.client.request(method, path + rest, json={} if method == "POST" else None)
        assert answer.status_code == 404
        assert answer.json() == {"error": "not_found: this server serves only the model binary, version 1.2"}


def test_the_server_and_its_model_are_described(server: Served, binary: Example) -> None:
    get = server.client.get
    assert get("/v2").json() == {"name": "driftgauge", "version": __version__, "extensions": []}
    assert get("/v2/health/live").json() == {"live": True}
    assert get("/v2/health/ready").json() == {"ready": True}
    assert get("/v2/models/binary/ready").json() == {"name": "binary", "ready": True}
    for path in ("/v2/models/binary", "/v2/models/binary/versions/1.2"):
        described = get(path).json()
        assert (described["name"], described["versions"]) == ("binary", ["1.2"])
        assert [tensor["name"] for tensor in described["inputs"]] == binary.names


def test_readiness_is_that_of_the_server(binary: Example) -> None:
    with served(binary) as running:
        running.context.ready = False
        for path in ("/v2/health/ready", "/v2/models/binary/ready"):
            answer = running.client.get(path)
            assert answer.status_code == 503
            assert answer.json()["error"].startswith("not_ready: ")
        assert running.client.get("/v2/health/live").status_code == 200


def test_times_of_a_request_are_those_of_its_rows(binary: Example) -> None:
    with served(binary, clock="event") as running:
        body = {**matrix(binary, 2), "parameters": {"timestamp": "2026-01-31T12:00:00Z"}}
        assert running.client.post(INFER, json=body).status_code == 200
        assert running.status()["windows"]["50"]["to"] == "2026-01-31T12:00:00.000Z"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", INFER, 405, "method_not_allowed"),
        ("POST", "/v2", 405, "method_not_allowed"),
        ("GET", "/v2/nothing", 404, "not_found"),
        ("GET", "/v2/", 404, "not_found"),
    ],
)
def test_every_error_under_v2_has_the_protocols_shape(
    method: str, path: str, status: int, code: str, server: Served
) -> None:
    answer = server.client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(f"{code}: ")


def test_a_path_that_only_begins_like_it_is_not_of_the_protocol(server: Served) -> None:
    assert server.client.get("/v2x").json()["error"]["code"] == "not_found"


def test_a_row_that_the_model_rejects_is_refused_with_its_field(binary: Example) -> None:
    body = matrix(binary, 3)
    body["inputs"][0]["data"][1][0] = -2.5
    with served(binary, model=Picky(binary.bundle.model)) as running:
        answer = running.client.post(INFER, json=body)
        assert answer.status_code == 422
        assert answer.json()["error"].startswith(
            "model_rejected_row: mean radius: the model fails on the value -2.5 in this row"
        )
