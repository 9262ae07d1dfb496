"""`POST /ingest/…`: bodies of SageMaker, KServe, Seldon and Azure ML, as these send them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.examples import Example
from tests.ingesting import logged, post, rows, watching
from tests.served import Served

Body = tuple[bytes, dict[str, str]]
"""What is sent, and its headers."""
AT, AGAIN = "2027-01-15T07:59:00Z", "2027-01-15T07:59:00.000000Z"
SCORES = [0.25, 0.5, 0.75]
KSERVE, SELDON = "org.kubeflow.serving.inference.", "io.seldon.serving.inference."


@pytest.fixture
def server(binary: Example, tmp_path: Path) -> Iterator[Served]:
    with watching(binary, tmp_path) as running:
        yield running


def values(example: Example, count: int = 3) -> list[list[float]]:
    """Return rows of features in the baseline's order."""
    return [list(row.values()) for row in example.rows(count)]


def lines(records: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def capture(features: Sequence[Sequence[float]], scores: Sequence[float], id_: str, encoding: str) -> dict[str, Any]:
    """Return a line of SageMaker's data capture."""
    data = "\n".join(",".join(map(str, row)) for row in features), "\n".join(map(str, scores))
    given, answer = data if encoding == "CSV" else (b64encode(text.encode()).decode() for text in data)
    half = {"observedContentType": "text/csv", "encoding": encoding}
    return {
        "captureData": {
            "endpointInput": {**half, "mode": "INPUT", "data": given},
            "endpointOutput": {**half, "mode": "OUTPUT", "data": answer},
        },
        "eventMetadata": {"eventId": id_, "inferenceTime": AT},
        "eventVersion": "0",
    }


def truth(data: str, id_: str) -> dict[str, Any]:
    """Return a line of SageMaker's ground truth."""
    return {
        "groundTruthData": {"data": data, "encoding": "CSV"},
        "eventMetadata": {"eventId": id_},
        "eventVersion": "0",
    }


def test_captures_of_sagemaker_are_counted_once_and_get_their_ground_truth(server: Served, binary: Example) -> None:
    path, features = "/ingest/elsewhere/sagemaker", values(binary, 4)
    body = lines([capture(features[:3], SCORES, "e1", "CSV"), capture(features[3:], [0.125], "e2", "BASE64")])
    assert rows(post(server, body, path)) == (4, 0, 0)
    assert rows(post(server, body, path)) == (0, 4, 0)
    assert len(logged(server)) == 4
    found = post(server, lines([truth("1\n0\n1", "e1"), truth("0", "e2"), truth("1", "nobody")]), path)
    assert (found["labels"]["matched"], found["labels"]["waiting"]) == (4, 1)
    assert {own["prediction_id"]: (own["score"], own["label"], own["timestamp"]) for own in logged(server)} == {
        "e1:0": (0.25, 1.0, AGAIN),
        "e1:1": (0.5, 0.0, AGAIN),
        "e1:2": (0.75, 1.0, AGAIN),
        "e2": (0.125, 0.0, AGAIN),
    }
    assert server.status()["rows_observed"] == 4


def test_a_capture_that_cannot_be_read_does_not_fail_the_others(server: Served, binary: Example) -> None:
    path, features = "/ingest/elsewhere/sagemaker", values(binary)
    no_input = {"captureData": {}, "eventMetadata": {"eventId": "e1"}}
    short = capture([row[1:] for row in features], SCORES, "e2", "CSV")
    found = post(server, lines([no_input, short, capture(features, SCORES, "e3", "CSV")]) + b"{", path)
    assert rows(found) == (3, 0, 3)
    assert found["refused"]["reasons"] == {"unknown_shape": 1, "wrong_feature_count": 1, "not_json": 1}


def binary_mode(prefix: str, kind: str, content: Any, **more: str) -> Body:
    """Return an event of the binary mode, whose attributes are headers."""
    headers = {"ce-id": "7", "ce-type": prefix + kind, "ce-specversion": "1.0", "ce-time": AT, **more}
    return json.dumps(content).encode(), {**headers, "content-type": "application/json"}


def tensor(data: Sequence[Any], shape: Sequence[int]) -> dict[str, Any]:
    return {"name": "x", "shape": shape, "datatype": "FP64", "data": data}


def of_kserve_v1(features: list[list[float]]) -> list[Body]:
    service = {"ce-inferenceservicename": "elsewhere"}
    return [
        binary_mode(KSERVE, "request", {"instances": features}, **service),
        binary_mode(KSERVE, "response", {"predictions": SCORES}, **service),
    ]


def of_kserve_v2(features: list[list[float]]) -> list[Body]:
    flat = [value for row in features for value in row]
    return [
        binary_mode(KSERVE, "request", {"inputs": [tensor(flat, [3, len(features[0])])]}),
        binary_mode(KSERVE, "response", {"model_name": "m", "outputs": [tensor(SCORES, [3, 1])]}),
    ]


def of_seldon(features: list[list[float]]) -> list[Body]:
    request_id = {"ce-requestid": "7", "ce-modelid": "m", "ce-namespace": "models"}
    answer = {"data": {"ndarray": [[score] for score in SCORES]}}
    return [
        binary_mode(SELDON, "request", {"data": {"ndarray": features}}, **request_id, **{"ce-id": "e1"}),
        binary_mode(SELDON, "response", answer, **request_id, **{"ce-id": "e2"}),
    ]


def structured(features: list[list[float]]) -> list[Body]:
    event = {"specversion": "1.0", "id": "7", "source": "s", "time": AT, "datacontenttype": "application/json"}
    return [
        (json.dumps({**event, "type": KSERVE + kind, "data": content}).encode(), {})
        for kind, content in (("request", {"instances": features}), ("response", {"predictions": SCORES}))
    ]


def of_azure(features: list[list[float]], names: Sequence[str]) -> list[Body]:
    event = {"specversion": "1.0", "source": "s", "correlationid": "7", "time": AT}
    inputs = [dict(zip(names, row, strict=True)) for row in features]
    outputs = [{"prediction": score} for score in SCORES]
    return [
        (lines([{**event, "id": f"own-{kind}", "type": f"azureml.inference.{kind}", "data": data}]), {})
        for kind, data in (("inputs", inputs), ("outputs", outputs))
    ]


@pytest.mark.parametrize("maker", [of_kserve_v1, of_kserve_v2, of_seldon, structured, of_azure])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_request_and_its_response_become_rows_in_any_order(
    server: Served, binary: Example, maker: Any, is_reversed: bool
) -> None:
    features = values(binary)
    bodies = maker(features, binary.names) if maker is of_azure else maker(features)
    first, second = reversed(bodies) if is_reversed else bodies
    found = post(server, first[0], "/ingest/cloudevents", headers=first[1])
    assert (rows(found), found["events"]) == ((0, 0, 0), {"joined": 0, "waiting": 1})
    found = post(server, second[0], "/ingest/cloudevents", headers=second[1])
    assert (rows(found), found["events"]) == ((3, 0, 0), {"joined": 2, "waiting": 0})
    kept = {own["prediction_id"]: (own["score"], own["timestamp"]) for own in logged(server)}
    assert kept == {f"7:{number}": (score, AGAIN) for number, score in enumerate(SCORES)}
    listed = server.client.get("/predictions", headers={"accept": "application/json"}).json()["predictions"]
    assert sorted(list(own["features"].values()) for own in listed) == sorted(features)


@pytest.mark.parametrize("kind", ["kserve", "azureml"])
def test_both_halves_may_come_in_one_body_of_a_named_model(server: Served, binary: Example, kind: str) -> None:
    features = values(binary)
    halves = of_azure(features, binary.names) if kind == "azureml" else structured(features)
    found = post(server, b"\n".join(body.strip() for body, _ in halves), f"/ingest/elsewhere?format={kind}")
    assert (rows(found), found["events"]) == ((3, 0, 0), {"joined": 2, "waiting": 0})
    assert server.status()["rows_observed"] == 3


def test_an_event_of_another_type_is_refused_and_its_sender_goes_on(server: Served) -> None:
    body, headers = binary_mode("io.seldon.serving.", "outlier", {"reward": 1})
    found = post(server, body, "/ingest/cloudevents", headers=headers)
    assert (rows(found), found["refused"]["reasons"]) == ((0, 0, 1), {"unknown_shape": 1})


def test_feedback_of_seldon_is_the_truth_of_its_request(binary: Example, tmp_path: Path) -> None:
    reward = {"reward": {"kind": "number"}}
    with watching(binary, tmp_path, own={"task": "binary"}, outcomes=reward) as server:
        for body, headers in of_seldon(values(binary)):
            post(server, body, "/ingest/cloudevents", headers=headers)
        logged(server)
        feedback = {"truth": {"data": {"ndarray": [1, 0, 1]}}}
        counted = []
        for content in (feedback, {**feedback, "reward": 2.5}, {**feedback, "reward": 2.5}):
            body, headers = binary_mode("io.seldon.serving.", "feedback", content, **{"ce-requestid": "7"})
            labels = post(server, body, "/ingest/cloudevents", headers=headers)["labels"]
            counted.append((labels["matched"], labels["repeated"]))
        assert counted == [(3, 0), (3, 3), (0, 6)]  # the truth of each row, then its reward too, then nothing new
        joined = {own["prediction_id"]: (own["label"], own["outcomes"]) for own in logged(server)}
        assert joined == {f"7:{row}": (label, {"reward": 2.5}) for row, label in enumerate((1, 0, 1))}


def test_joined_rows_that_cannot_be_read_are_refused_together(server: Served, binary: Example) -> None:
    (request, headers), _ = of_kserve_v1(values(binary))
    assert rows(post(server, request, "/ingest/cloudevents", headers=headers)) == (0, 0, 0)
    body, headers = binary_mode(KSERVE, "response", {"predictions": SCORES[:2]})
    found = post(server, body, "/ingest/cloudevents", headers=headers)
    assert rows(found) == (0, 0, 1)
    (error,) = server.client.get("/ingest/errors").json()["errors"]
    assert "instances" in error["record"]
