from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from driftgauge.edges.http.served_models import TEST_KEPT_SECONDS

from tests.conftest import ExampleOf
from tests.examples import MAKERS, Example
from tests.served import Failing, served


@pytest.mark.long
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
