"""The shape of the well-known prediction API: names of classes, `job_id`, and what `/metadata` says of outliers."""

from __future__ import annotations

from typing import Any

import pytest
from driftgauge.edges.http.openapi.schemas import Metadata

from tests.conftest import ExampleOf
from tests.examples import Example
from tests.json_schema import problems
from tests.served import Served, served

CLASSIFIERS = ("binary", "multiclass", "category")


def posted(running: Served, path: str, body: Any) -> Any:
    answer = running.client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def values(example: Example, rows: int) -> list[list[Any]]:
    return [list(row.values()) for row in example.rows(rows)]


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("path", ["/predict/label", "/models/{name}/predict/label"])
def test_the_label_of_a_row_is_the_name_of_its_class(name: str, path: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    with served(example) as running:
        usual = posted(running, "/predict", {"data": values(example, 5)})["predictions"]
        labels = posted(running, path.format(name=name), {"data": values(example, 5)})["predictions"]
        names = running.client.get("/label").json().values()
        assert running.metric("model_predictions_total") == 10
        assert running.metric("http_requests_total", handler=path.replace("{name}", "{model_name}"), code="200") == 1
    assert [row["prediction"] for row in labels] == [str(row["prediction"]) for row in usual]
    assert {row["prediction"] for row in labels} <= set(names)
    assert [row["score"] for row in labels] == pytest.approx([row["score"] for row in usual])


def test_a_list_of_one_row_is_answered_at_the_top_too(binary: Example) -> None:
    with served(binary, outliers=True) as running:
        (row,) = values(binary, 1)
        answer = posted(running, "/predict/label", {"data": [row]})
        document = running.client.get("/openapi.json").json()
        described = document["paths"]["/predict/label"]["post"]["responses"]["200"]
        schema = described["content"]["application/json"]["schema"]
        assert problems(answer, schema, document) == []
    fields = ("job_id", "prediction_id", "prediction", "score", "is_outlier", "outlier_score")
    assert answer["predictions"] == [{field: answer[field] for field in fields}]
    assert answer["job_id"] == answer["prediction_id"]


def test_the_job_of_a_row_has_the_id_that_was_sent(binary: Example) -> None:
    with served(binary) as running:
        body = {"data": values(binary, 2), "prediction_ids": ["a", "b"]}
        answer = posted(running, "/predict/label", body)
        assert "job_id" not in answer
        assert [row["job_id"] for row in answer["predictions"]] == ["a", "b"]
        single = posted(running, "/predict/label", {"features": values(binary, 1)[0], "prediction_id": "c"})
        assert (single["job_id"], "predictions" in single) == ("c", False)


def test_predict_has_jobs_only_with_the_setting(binary: Example) -> None:
    body = {"data": values(binary, 1), "prediction_ids": ["a"]}
    with served(binary) as running:
        usual = posted(running, "/predict", body)
    with served(binary, job_ids=True) as running:
        answer = posted(running, "/predict", body)
    assert set(usual) == {"predictions", "model_name", "model_version", "latency_ms"}
    assert "job_id" not in usual["predictions"][0]
    assert answer["job_id"] == answer["predictions"][0]["job_id"] == "a"
    assert {name: answer[name] for name in usual["predictions"][0]} == usual["predictions"][0]


def test_a_regression_has_no_labels_and_says_where_to_send_the_rows(example_of: ExampleOf) -> None:
    example = example_of("regression")
    with served(example) as running:
        body = {"data": values(example, 1)}
        answers = [
            running.client.post("/predict/label", json=body),
            running.client.post("/models/regression/predict/label", json=body),
            running.client.get("/predict/test/label"),
        ]
        assert running.metric("model_predictions_total") == 0
    for answer in answers:
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"
        assert answer.json()["error"]["message"] == (
            "the model regression is a regression and has no class labels: send the rows to /predict"
        )


def test_a_wrong_row_is_refused_as_by_predict(binary: Example) -> None:
    with served(binary) as running:
        answers = [running.client.post(path, json={"data": [[1.0]]}) for path in ("/predict", "/predict/label")]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_test_prediction_names_the_classes(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    with served(example) as running:
        usual = running.client.get("/predict/test").json()
        labels = running.client.get("/predict/test/label").json()
    assert usual["prediction"] == example.bundle.info.samples[0].prediction
    assert labels["prediction"] == str(usual["prediction"])
    assert [row["prediction"] for row in labels["samples"]] == [str(row["prediction"]) for row in usual["samples"]]
    assert labels["ok"] is True


@pytest.mark.parametrize("name", ["binary", "category", "regression"])
def test_metadata_says_what_answers_say_of_outliers(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    with served(example, outliers=True) as running:
        about = running.client.get("/metadata").json()
        row = posted(running, "/predict", {"data": about["data_sample"]})["predictions"][0]
    assert Metadata.model_validate(about)
    assert about["outlier_type"] == {"is_outlier": "boolean", "outlier_score": "float"}
    assert about["outlier_structure"] == [None, 2]
    ((is_outlier, score),) = about["outlier_sample"]
    assert (is_outlier, pytest.approx(score)) == (row["is_outlier"], row["outlier_score"])


def test_metadata_says_that_answers_say_nothing_of_outliers(binary: Example) -> None:
    with served(binary) as running:
        about = running.client.get("/metadata").json()
    assert [about[f"outlier_{what}"] for what in ("type", "structure", "sample")] == [None, None, None]
