from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest
from driftgauge import __version__
from driftgauge.edges.http.about import prediction_type
from driftgauge.edges.http.context import TEST_KEPT_SECONDS
from driftgauge.edges.http.openapi.schemas import Metadata
from driftgauge.main import create_app
from driftgauge.models.bundle import BundleInfo, Label
from fastapi import FastAPI

from tests.conftest import ExampleOf
from tests.examples import MAKERS, Example, quiet
from tests.served import Failing, Served, served


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary) as running:
        yield running


def unstarted(app: FastAPI, path: str) -> httpx.Response:
    """Ask an application that is not running: before it starts or after it stopped."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_a_server_is_alive_and_ready_while_it_runs(server: Served) -> None:
    for path in ("/health/live", "/health/ready"):
        answer = server.client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"health": "ok"})


def test_a_server_is_not_ready_before_it_starts_and_after_it_stopped(binary: Example) -> None:
    app = create_app(quiet(), bundle=binary.bundle)
    before = unstarted(app, "/health/ready")
    assert before.status_code == 503
    assert before.json()["error"]["code"] == "not_ready"
    assert unstarted(app, "/health/live").status_code == 200
    assert unstarted(app, "/health").json()["health"] == "starting"
    with served(binary) as running:
        assert running.client.get("/health/ready").status_code == 200
        stopped = running.app
    assert unstarted(stopped, "/health/ready").status_code == 503


def test_health_says_what_is_served(server: Served) -> None:
    assert server.client.get("/health").json() == {
        "health": "ok",
        "version": __version__,
        "model_name": "binary",
        "model_version": "1.2",
        "worker": {"slot": 0, "pid": os.getpid()},
        "monitoring": {"healthy": True, "problems": []},
    }


@pytest.mark.parametrize(
    ("name", "type_", "classes"),
    [
        ("binary", "integer", {"0": "0", "1": "1"}),
        ("multiclass", "string", {"0": "setosa", "1": "versicolor", "2": "virginica"}),
        ("regression", "float", {}),
    ],
)
def test_metadata_and_labels_say_what_is_answered(
    name: str, type_: str, classes: dict[str, str], example_of: ExampleOf
) -> None:
    example = example_of(name)
    with served(example) as running:
        about = running.client.get("/metadata").json()
        assert running.client.get("/label").json() == classes
    info = example.bundle.info
    assert about["task"] == name
    assert about["prediction_type"] == type_
    assert about["data_structure"] == [None, len(info.features)]
    assert about["data_type"] == dict.fromkeys(example.names, "float")
    assert about["data_sample"] == [list(info.samples[0].features.values())]
    assert about["prediction_sample"] == [info.samples[0].prediction]
    assert about["accepts_missing"] is False
    assert info.performance is not None
    assert about["performance"] == info.performance.model_dump()
    assert about["libraries"] == info.libraries


def test_metadata_names_the_categories_and_the_booleans(category: Example) -> None:
    with served(category) as running:
        about = running.client.get("/metadata").json()
        sample = {"data": about["data_sample"]}
        assert running.predict(sample).json()["predictions"][0]["prediction"] == about["prediction_sample"][0]
    assert about["features"] == [
        {"name": "radius", "kind": "numeric", "type": "float", "accepts_missing": True},
        {
            "name": "shape",
            "kind": "categorical",
            "type": "string",
            "accepts_missing": True,
            "categories": ["flat", "oval", "round"],
        },
        {"name": "smooth", "kind": "numeric", "type": "boolean", "accepts_missing": True},
    ]
    assert [type(value) for value in about["data_sample"][0]] == [float, str, bool]
    assert Metadata.model_validate(about).model_dump()["data_sample"] == about["data_sample"]
    assert about["accepts_missing"] is True


@pytest.mark.parametrize(
    ("classes", "name"),
    [((), "float"), ((0, 1), "integer"), ((False, True), "boolean"), (("a", "b"), "string"), ((0.0, 1.0), "float")],
)
def test_the_type_of_a_prediction_is_that_of_the_classes(
    classes: tuple[Label, ...], name: str, binary: Example
) -> None:
    changes = {"classes": classes, "task": "binary" if classes else "regression"}
    info = BundleInfo.model_validate_json(binary.bundle.info.model_copy(update=changes).model_dump_json())
    assert prediction_type(info) == name


@pytest.mark.parametrize("name", MAKERS)
def test_the_test_prediction_agrees_and_is_neither_counted_nor_watched(name: str, example_of: ExampleOf) -> None:
    example = example_of(name)
    with served(example) as running:
        answer = running.client.get("/predict/test").json()
        counted = running.metric("model_predictions_total"), running.metric("model_input_size_count")
        assert counted == (0, 0)
        assert running.monitor.store.rows == 0
    assert answer["ok"] is True
    assert [sample["features"] for sample in answer["samples"]] == [
        dict(sample.features) for sample in example.bundle.info.samples
    ]
    for sample in answer["samples"]:
        assert sample["score"] == pytest.approx(sample["expected_score"])


def test_rows_that_an_older_bundle_kept_are_tested_and_not_shown(binary: Example) -> None:
    kept = tuple(sample.model_copy(update={"shown": False}) for sample in binary.bundle.info.samples)
    info = binary.bundle.info.model_copy(update={"samples": kept})
    with served(replace(binary, bundle=replace(binary.bundle, info=info))) as running:
        about = running.client.get("/metadata").json()
        tested = running.client.get("/predict/test").json()
        schema = running.client.get("/openapi.json").text
        assert running.client.get("/docs").status_code == 200
    assert (about["data_sample"], about["prediction_sample"]) == ([], [])
    assert tested == {"ok": True, "samples": []}
    for sample in kept:
        assert not any(repr(value) in schema for value in sample.features.values())


def test_the_test_prediction_says_when_the_model_fails_and_counts_nothing(binary: Example) -> None:
    model = Failing(binary.bundle.model)
    with served(binary, model=model) as running:
        model.broken = True
        answer = running.client.get("/predict/test")
        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "model_failed"
        assert running.metric("model_prediction_failures_total") == 0


def test_the_test_prediction_says_when_the_model_answers_otherwise(binary: Example) -> None:
    model = Failing(binary.bundle.model)
    with served(binary, model=model) as running:
        model._estimator = Failing(Turned(binary.bundle.model))
        answer = running.client.get("/predict/test").json()
    assert answer["ok"] is False
    assert answer["samples"][0]["score"] == pytest.approx(1 - answer["samples"][0]["expected_score"])


class Counted:
    """A model that counts how often it is asked, and takes its time."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.asked = 0

    def predict_proba(self, x: Any) -> Any:
        self.asked += 1
        time.sleep(0.05)
        return self._estimator.predict_proba(x)


def test_however_many_ask_for_the_test_prediction_the_model_does_it_once(binary: Example) -> None:
    model = Counted(binary.bundle.model)
    with served(binary, model=model) as running:
        before = model.asked
        began = time.monotonic()
        with ThreadPoolExecutor(20) as clients:
            answers = list(clients.map(lambda _: running.client.get("/predict/test").json(), range(60)))
        assert model.asked - before <= 1 + (time.monotonic() - began) / TEST_KEPT_SECONDS
        assert all(answer["ok"] for answer in answers)


class Turned:
    """A model that answers the probabilities of the other class."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def predict_proba(self, x: Any) -> Any:
        return self._estimator.predict_proba(x)[:, ::-1]
