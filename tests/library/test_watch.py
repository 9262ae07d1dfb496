from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from driftgauge.errors import Refused, SettingsError
from driftgauge.library.monitor import Monitor
from fastapi import FastAPI
from pydantic import BaseModel

from tests.library.watching import ROW, counted, watching
from tests.served import total
from tests.servers import serving


class Person(BaseModel):
    age: float
    flag: float
    city: str


@dataclass
class Answer:
    score: float


def scored(row: Any) -> float:
    return 0.25


def observed(monitor: Monitor) -> tuple[float, float, float]:
    """Rows observed, calls timed, and rows rejected or dropped."""
    series = counted(monitor)
    lost = total(series, "model_predictions_rejected_total") + total(series, "model_observations_dropped_total")
    timed = total(series, "model_prediction_latency_seconds_count")
    return total(series, "model_observations_total", source="library"), timed, lost


def test_arguments_named_as_the_columns_are_a_row() -> None:
    with watching() as monitor:

        @monitor.watch
        def predict(age: float, flag: float, *, city: str = "north", trace: str = "") -> float:
            """Predict."""
            return age / 100.0

        assert predict(41.0, flag=1.0, trace="x") == 0.41
        assert predict.__doc__ == "Predict."
        assert list(inspect.signature(predict).parameters) == ["age", "flag", "city", "trace"]
        assert observed(monitor) == (1, 1, 0)
        assert total(counted(monitor), "model_prediction_score_sum") == 0.41
        assert total(counted(monitor), "model_feature_bin_rows_total", feature_name="city", bin="north") == 1


def test_arguments_may_come_by_keyword_alone() -> None:
    with watching() as monitor:
        predict = monitor.watch(lambda **features: 0.5)
        predict(**ROW, other=1)
        assert observed(monitor) == (1, 1, 0)


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        (ROW, 1),
        ([ROW, ROW], 2),
        (Person(**ROW), 1),
        ([Person(**ROW)] * 3, 3),
        (pd.DataFrame([ROW] * 4), 4),
        ([41.0, 1.0, "north"], 1),
    ],
    ids=["dict", "dicts", "model", "models", "frame", "values"],
)
def test_a_single_argument_is_the_rows(rows: Any, count: int) -> None:
    with watching() as monitor:

        @monitor.watch
        def predict(given: Any, threshold: float = 0.5) -> list[float]:
            return [0.5] * count

        predict(rows)
        assert observed(monitor) == (count, 1, 0)
        assert total(counted(monitor), "model_input_size_sum") == count


def test_a_coroutine_is_watched_too() -> None:
    with watching() as monitor:

        @monitor.watch
        async def predict(row: Mapping[str, Any]) -> float:
            await asyncio.sleep(0)
            return 0.5

        assert inspect.iscoroutinefunction(predict)
        assert asyncio.run(predict(ROW)) == 0.5
        assert observed(monitor) == (1, 1, 0)


def test_a_method_is_watched_without_its_object() -> None:
    with watching() as monitor:

        class Model:
            @monitor.watch
            def predict(self, row: Mapping[str, Any]) -> float:
                return 0.5

            @monitor.watch
            def by_name(self, age: float, flag: float, city: str) -> float:
                return 0.5

        assert Model().predict(ROW) == Model().by_name(**ROW) == 0.5
        assert observed(monitor) == (2, 2, 0)


def test_an_object_that_is_called_and_a_partial_function_are_watched() -> None:
    with watching() as monitor:

        class Model:
            async def __call__(self, row: Mapping[str, Any]) -> float:
                return 0.5

        assert asyncio.run(monitor.watch(Model())(ROW)) == 0.5
        assert monitor.watch(functools.partial(lambda offset, row: offset, 0.25))(ROW) == 0.25
        assert observed(monitor) == (2, 2, 0)


@pytest.mark.parametrize(
    ("answer", "prediction"),
    [
        ({"answer": {"score": 0.25}}, "answer.score"),
        ({"answer.score": 0.25}, "answer.score"),
        (Answer(0.25), "score"),
        ([{"score": 0.25}], "score"),
        ((None, [0.25]), "1"),
        (np.array([0.75, 0.25]), lambda both: both[1]),
    ],
    ids=["key", "dotted", "attribute", "list", "index", "function"],
)
def test_the_prediction_is_a_part_of_the_answer(answer: Any, prediction: Any) -> None:
    with watching(on_error="raise") as monitor:
        predict = monitor.watch(prediction=prediction)(lambda row: answer)
        assert predict(ROW) is answer
        assert total(counted(monitor), "model_prediction_score_sum") == 0.25


def test_features_name_a_part_of_the_arguments_or_map_them() -> None:
    with watching(on_error="raise") as monitor:

        def predict(request: Mapping[str, Any], user: str) -> float:
            return 0.5

        monitor.watch(features="request.rows")(predict)({"rows": ROW}, "me")
        monitor.watch(features=lambda args, kwargs: args[0]["rows"])(predict)({"rows": [ROW]}, "me")
        assert observed(monitor) == (2, 2, 0)


def test_an_exception_is_counted_and_raised_unchanged() -> None:
    error = ArithmeticError("overflow")
    with watching() as monitor:

        @monitor.watch
        def predict(row: Any) -> float:
            raise error

        @monitor.watch
        async def predict_later(row: Any) -> float:
            raise error

        with pytest.raises(ArithmeticError) as raised:
            predict([ROW, ROW])
        assert raised.value is error
        with pytest.raises(ArithmeticError):
            asyncio.run(predict_later(ROW))
        assert total(counted(monitor), "model_prediction_failures_total", reason="model_failed") == 3
        assert observed(monitor) == (0, 0, 0)


def test_rows_are_those_of_before_the_call() -> None:
    with watching(on_error="raise") as monitor:

        @monitor.watch
        def predict(row: dict[str, Any]) -> float:
            row.clear()
            return 0.5

        predict(dict(ROW))
        predict_all = monitor.watch(lambda frame: [0.5] if len(frame.pop("age")) else [])
        predict_all(pd.DataFrame([ROW]))
        assert observed(monitor) == (2, 2, 0)


def test_what_monitoring_cannot_read_is_counted_and_never_reaches_the_caller() -> None:
    with watching() as monitor:
        assert monitor.watch(scored)({"other": 1.0}) == 0.25
        assert monitor.watch(prediction="score")(scored)(ROW) == 0.25
        assert monitor.watch(features=lambda args, kwargs: args[5])(scored)(ROW) == 0.25
        assert observed(monitor) == (0, 2, 3)


def test_what_monitoring_cannot_read_is_raised_on_request() -> None:
    with watching(on_error="raise") as monitor:
        with pytest.raises(Refused, match="there is no 'score'"):
            monitor.watch(prediction="score")(lambda row: {"value": 0.5})(ROW)
        with pytest.raises(Refused, match="age is absent"):
            monitor.watch(scored)({})


def test_a_call_with_wrong_arguments_gets_the_functions_own_error() -> None:
    with watching() as monitor, pytest.raises(TypeError, match=r"scored\(\) missing 1 required positional argument"):
        monitor.watch(scored)()  # type: ignore[call-arg]


def test_a_closed_monitor_lets_the_function_predict() -> None:
    with watching() as monitor:
        predict = monitor.watch(scored)
    assert predict(ROW) == 0.25


def test_a_generator_is_refused() -> None:
    def each(rows: Any) -> Iterator[float]:
        yield 0.5

    async def each_later(rows: Any) -> AsyncIterator[float]:
        yield 0.5

    with watching() as monitor:
        for function in (each, each_later):
            with pytest.raises(SettingsError, match="is a generator, whose predictions come one by one"):
                monitor.watch(function)


def test_unclear_arguments_are_refused_when_the_function_is_decorated() -> None:
    def predict(left: Any, right: Any) -> float:
        return 0.5

    with watching() as monitor:
        with pytest.raises(SettingsError, match=r"neither the columns as arguments .* nor a single argument"):
            monitor.watch(predict)
        with pytest.raises(SettingsError, match="has no such argument; it has left, right"):
            monitor.watch(features="rows")(predict)
        with pytest.raises(SettingsError, match="prediction is 3: give a key"):
            monitor.watch(prediction=3)  # type: ignore[call-overload]


def test_a_watched_route_of_fastapi_keeps_its_validation() -> None:
    app = FastAPI()
    with watching() as monitor:

        @app.post("/predict")
        @monitor.watch(prediction="score")
        async def predict(person: Person) -> dict[str, float]:
            return {"score": person.age / 100.0}

        with serving(app) as client:
            assert client.post("/predict", json=ROW).json() == {"score": 0.41}
            assert client.post("/predict", json={"age": "old"}).status_code == 422
        assert observed(monitor) == (1, 1, 0)
