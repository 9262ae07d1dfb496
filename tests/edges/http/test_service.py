from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from app.edges.http.service import Service
from app.errors import ModelFailed, Reason, Refused
from app.main import compose
from tests.examples import Example, quiet
from tests.served import Failing


@pytest.fixture
def service(binary: Example) -> Service:
    return compose(quiet(), binary.bundle, lambda: 1000.0)


def test_it_predicts_as_its_predictor_in_the_models_own_thread(
    service: Service, binary: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = binary.batch(binary.rows(5))
    expected = service.predictor.predict(batch)
    names: list[str] = []

    def noting(given: Any) -> Any:
        names.append(threading.current_thread().name)
        return expected

    assert np.array_equal(asyncio.run(service.predict(batch)).columns, expected.columns)
    monkeypatch.setattr(service.predictor, "predict", noting)
    asyncio.run(service.predict(batch))
    assert names == ["model_0"]


def test_a_failing_model_and_a_refused_row_reach_the_caller(binary: Example, text: Example) -> None:
    model = Failing(binary.bundle.model)
    failing = compose(quiet(), type(binary.bundle)(binary.bundle.info, model, binary.bundle.baseline), lambda: 0.0)
    model.broken = True
    with pytest.raises(ModelFailed):
        asyncio.run(failing.predict(binary.batch(binary.rows(1))))
    strict = compose(quiet(), text.bundle, lambda: 0.0)
    with pytest.raises(Refused):
        asyncio.run(strict.predict(text.batch([{**text.rows(1)[0], "shape": "square"}])))


def test_its_only_monitor_is_found_with_and_without_its_name(service: Service) -> None:
    assert service.monitor(None) is service.monitor("binary")
    assert service.evaluator(service.monitor(None)) is service.evaluators["binary", "1.2"]


@pytest.mark.parametrize("name", ["nobody", "", "binary "])
def test_an_unknown_monitor_is_refused_with_those_there_are(name: str, service: Service) -> None:
    with pytest.raises(Refused, match="there is binary") as caught:
        service.monitor(name)
    assert caught.value.reason is Reason.NOT_FOUND


def test_its_facts_are_of_this_moment(service: Service, binary: Example) -> None:
    columns = service.predictor.predict(binary.batch(binary.rows(7))).columns
    service.monitor(None).observe(columns, arrival=1000.0)
    (facts,) = asyncio.run(service.facts())
    assert (facts.model_name, facts.model_version, facts.task, facts.healthy) == ("binary", "1.2", "binary", True)
    assert facts.report.rows_observed == 7
    assert facts.bin_rows.sum() == 7 * columns.shape[1]
    service.problems.happened("kind", ValueError("broken"))
    (facts,) = asyncio.run(service.facts())
    assert not facts.healthy
